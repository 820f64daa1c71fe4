"""Traces of a real replica's work, as a collector gets them over OTLP."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from consumer.core.events import SeparationRequest, SourceObject
from harness.clips import write_clip
from harness.otlp import PARENT, SPAN, TRACE, Collector, collector
from harness.platform import Platform
from harness.waiting import wait_for


@pytest.fixture
def seen() -> Iterator[Collector]:
    with collector() as seen:
        yield seen


def send_three(platform: Platform, clip: Path) -> None:
    """A traced request, traced garbage, and garbage with headers that are no trace."""
    source = SourceObject(bucket=platform.source_bucket, key=platform.upload(clip))
    value = platform.codec.encode(SeparationRequest(request_id="traced", source=source))
    platform.send(value, "traced", headers=(("traceparent", PARENT), ("tracestate", b"vendor=7")))
    platform.send(b"garbage", "garbage", headers=(("traceparent", PARENT),))
    platform.send(b"garbage", "stranger", headers=(("traceparent", b"\xff" * 5000), ("tracestate", b"x" * 5000)))


def test_a_replica_s_traces_reach_a_collector(platform: Platform, seen: Collector, tmp_path: Path) -> None:
    """By OTEL_* variables alone: jobs in their senders' traces, ids in log, metrics and outcomes, and a quick end."""
    replica = platform.start_replica(
        OTEL_EXPORTER_OTLP_ENDPOINT=seen.address, OTEL_BSP_SCHEDULE_DELAY="200", OTEL_SERVICE_NAME="stems"
    )
    replica.wait_ready()
    send_three(platform, write_clip(tmp_path / "song.wav", seconds=2.0, seed=1))
    platform.outcomes(3)
    wait_for(lambda: sum(span.name == "publish" for span in seen.spans()) == 3 and len(seen.jobs()) == 3)

    jobs = {job.attributes["separation.outcome"]: job for job in seen.jobs() if job.trace_id == TRACE}
    assert {name: job.parent_id for name, job in jobs.items()} == {"done": SPAN, "dead_lettered": SPAN}
    assert jobs["done"].state == "vendor=7"
    assert jobs["done"].resource["service.name"] == "stems"
    assert {"decode", "fetch", "separate", "store", "publish"} <= seen.stages(jobs["done"]).keys()
    assert jobs["dead_lettered"].attributes["separation.code"] == "AVRO_UNDECODABLE"

    headers = {
        key: {name: value for name, value in found.items() if not name.startswith("x-separation-")}
        for key, found in platform.outcome_headers().items()
    }
    assert headers[b"traced"]["tracestate"] == b"vendor=7"
    assert headers[b"traced"]["traceparent"] == f"00-{TRACE}-{jobs['done'].span_id}-01".encode()
    assert headers[b"garbage"]["traceparent"] == f"00-{TRACE}-{jobs['dead_lettered'].span_id}-01".encode()
    by_span = {job.span_id: job for job in seen.jobs()}
    stranger = by_span[(headers[b"stranger"]["traceparent"] or b"").decode().split("-")[2]]
    assert (stranger.parent_id, stranger.state) == ("", "")
    assert stranger.trace_id != TRACE

    for event in ("separation.fetch", "separation.separate", "separation.published"):
        assert [line["trace_id"] for line in replica.said(event)] == [TRACE]
    logged = {line["trace_id"] for line in replica.lines() if "trace_id" in line}
    assert logged == {TRACE, stranger.trace_id}

    page = replica.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert page is not None
    exemplars = {
        sample.exemplar.labels["trace_id"]
        for family in parse_openmetrics(page.text)  # type: ignore[no-untyped-call]
        for sample in family.samples
        if sample.exemplar
    }
    assert TRACE in exemplars

    body = b"".join(seen.bodies)
    for secret in ("song.wav", platform.source_bucket, "minioadmin", platform.environment["MINIO_ENDPOINT"]):
        assert secret.encode() not in body

    seen.status = 503  # what an exporter tries again for a minute; nobody waits for that
    platform.send(b"garbage", "last")
    platform.outcomes(4)
    replica.process.send_signal(signal.SIGTERM)
    assert replica.process.wait(60) == 0


def test_without_the_extra_the_trace_goes_through(platform: Platform, tmp_path: Path) -> None:
    """Where OpenTelemetry is not installed, the log says so once, and outcomes hand on what came."""
    absent = tmp_path / "absent" / "opentelemetry"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ModuleNotFoundError(__name__)")
    replica = platform.start_replica(
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", PYTHONPATH=str(absent.parent), SEPARATOR_RUNTIME="openvino"
    )
    replica.wait_ready()
    send_three(platform, write_clip(tmp_path / "song.wav", seconds=2.0, seed=1))
    platform.outcomes(3)
    headers = {
        key: {name: value for name, value in found.items() if not name.startswith("x-separation-")}
        for key, found in platform.outcome_headers().items()
    }
    assert headers[b"traced"] == {"traceparent": PARENT, "tracestate": b"vendor=7"}
    assert headers[b"garbage"] == {"traceparent": PARENT}
    assert headers[b"stranger"] == {}
    assert len(replica.said("tracing.not_installed")) == 1
    assert {line["trace_id"] for line in replica.lines() if "trace_id" in line} == {TRACE}
