"""A request by HTTP, its record, its separation and its outcome are one trace: the caller's, where it has one."""

from confluent_kafka import Message

from harness.gateway import gateway
from harness.otlp import SPAN, TRACE, Collector, SeenSpan, collector
from harness.platform import Platform
from harness.waiting import wait_for

KIND_SERVER, KIND_CONSUMER = 2, 5  # OTLP's numbers
TRACED = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=7"}


def headers_of(message: Message) -> dict[str, bytes]:
    return {str(name): bytes(value or b"") for name, value in dict(message.headers() or []).items()}  # type: ignore[arg-type]


def body(platform: Platform) -> dict[str, object]:
    return {"source": {"bucket": platform.source_bucket, "key": "no-such-song.mp3"}}


def served(seen: Collector, status: int) -> list[SeenSpan]:
    """The gateway's spans of requests that were answered so."""
    spans = (span for span in seen.spans() if span.kind == KIND_SERVER)
    return [span for span in spans if span.attributes.get("http.response.status_code") == status]


def test_a_job_by_http_is_one_trace(platform: Platform) -> None:
    """The gateway's span follows the caller's, the record names the gateway's, and the replica's follows that."""
    with collector() as seen:
        exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": seen.address, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        with gateway(platform, **exported) as door:
            platform.start_replica(**exported)
            door.http.post("/v1/separations", json=body(platform), headers=TRACED).raise_for_status()
            platform.outcomes(1)
            assert door.http.get("/v1/separations/not-one-of-ours").status_code == 404
            wait_for(lambda: seen.jobs() and served(seen, 202) and served(seen, 404))
        [span], [missing], [job] = served(seen, 202), served(seen, 404), seen.jobs()
    assert (span.name, span.attributes["http.route"]) == ("POST /v1/separations", "/v1/separations")
    assert (span.trace_id, span.parent_id, span.state, span.failed) == (TRACE, SPAN, "vendor=7", False)
    [record] = platform.requests()
    assert headers_of(record)["traceparent"] == f"00-{TRACE}-{span.span_id}-01".encode()
    assert headers_of(record)["tracestate"] == b"vendor=7"
    assert (job.kind, job.trace_id, job.parent_id) == (KIND_CONSUMER, TRACE, span.span_id)
    assert "not-one-of-ours" not in str(missing)
    assert missing.trace_id != TRACE


def test_without_a_collector_the_callers_trace_is_handed_on(platform: Platform) -> None:
    """The record names the caller's own span; none where the caller has none, or one that is none."""
    with gateway(platform) as door:
        for headers in (TRACED, {}, {"traceparent": "00-0-0-01"}):
            door.http.post("/v1/separations", json=body(platform), headers=headers).raise_for_status()
    told = sorted(str(headers_of(record).get("traceparent")) for record in platform.requests())
    assert told == sorted([str(TRACED["traceparent"].encode()), "None", "None"])
