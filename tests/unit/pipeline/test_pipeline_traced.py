"""What is recorded of jobs, and handed on with their outcomes: with a real collector, and without any."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.adapters.otel import OtelTracer
from consumer.core.errors import Code, SettingsError, WorkerCrashed
from consumer.core.events import DeadLetter, SourceObject
from consumer.core.model import Abandoned, Headers, Message
from consumer.settings import TracingSettings
from harness.fakes import a_record, a_request
from harness.otlp import PARENT, SPAN, TRACE, Collector, collector, collector_by_grpc
from harness.replica import CODEC, REQUESTS, RETRIES, Harness

TRACED: Headers = (("traceparent", PARENT), ("tracestate", b"vendor=7"), ("x", b"y"))
ROOMS = {"decode", "validate", "recall", "model", "fetch", "separate", "store", "publish"}
KIND_CONSUMER = 5  # OTLP's number for a consumer's span


@pytest.fixture
def seen() -> Iterator[Collector]:
    with collector() as seen:
        yield seen


@pytest.fixture
def tracer(seen: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtelTracer]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", seen.address)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test,service.version=theirs")
    tracer = OtelTracer(TracingSettings.load(), group_id="g", instance_id="i", version="ours")
    yield tracer
    tracer._provider.shutdown()


def send(harness: Harness, headers: Headers, **fields: Any) -> None:
    harness.broker.send(REQUESTS.topic, CODEC.encode(a_request(**fields)), key=b"r1", headers=headers)


def flush(tracer: OtelTracer) -> None:
    """As its `close`, with more patience than the end of a replica has."""
    assert tracer._provider.force_flush(60_000)


def told(message: Message) -> dict[str, bytes | None]:
    return dict(message.headers)


def test_a_job_is_one_span_with_a_span_a_stage(
    make: Callable[..., Harness], tracer: OtelTracer, seen: Collector
) -> None:
    """The job follows the sender's span, its stages follow the job, and the result names the job as its parent."""
    harness = make(tracer=tracer)
    send(harness, TRACED)
    harness.start()
    [result] = harness.outcomes()
    harness.stop()
    flush(tracer)
    [job] = seen.jobs()
    assert (job.name, job.kind) == ("process requests", KIND_CONSUMER)
    assert (job.trace_id, job.parent_id, job.state, job.failed) == (TRACE, SPAN, "vendor=7", False)
    assert job.attributes["separation.outcome"] == "done"
    assert job.attributes["messaging.kafka.offset"] == 0
    assert job.resource["service.name"] == "spleeter-consumer"
    assert job.resource["service.instance.id"] == "i"
    assert job.resource["deployment.environment"] == "test"
    assert job.resource["service.version"] == "theirs", "OpenTelemetry's own variables have the last word"
    stages = seen.stages(job)
    assert stages.keys() == ROOMS
    assert all(span.trace_id == TRACE and not span.failed for span in stages.values())
    for name in ROOMS - {"publish"}:
        assert job.start_ns <= stages[name].start_ns <= stages[name].end_ns <= job.end_ns
    assert stages["publish"].start_ns == job.end_ns
    assert told(result)["traceparent"] == f"00-{TRACE}-{job.span_id}-01".encode()
    assert told(result)["tracestate"] == b"vendor=7"
    sample = next(
        sample
        for family in harness.metrics.registry.collect()
        for sample in family.samples
        if sample.exemplar and sample.labels.get("stage") == "fetch"
    )
    assert sample.exemplar
    assert sample.exemplar.labels == {"trace_id": TRACE}


def test_a_rejected_job_tells_its_code_and_no_key(
    make: Callable[..., Harness], tracer: OtelTracer, seen: Collector
) -> None:
    """The failing stage and the job have the code; the object's key and the error's words are nowhere."""
    harness = make(tracer=tracer)
    send(harness, (), source=SourceObject(bucket="in", key="hidden-key"))
    harness.start()
    [message] = harness.outcomes()
    harness.stop()
    flush(tracer)
    [job] = seen.jobs()
    stage = seen.stages(job)["fetch"]
    assert (job.failed, stage.failed, job.parent_id) == (True, True, "")
    assert job.attributes["separation.code"] == stage.attributes["error.type"] == Code.OBJECT_NOT_FOUND
    assert [event["exception.type"] for event in stage.events] == ["Rejected"]
    assert b"hidden-key" not in b"".join(seen.bodies)
    assert told(message)["traceparent"] == f"00-{job.trace_id}-{job.span_id}-01".encode()
    assert CODEC.decode(DeadLetter, message.value).original_headers == ()


@pytest.mark.parametrize("headers", [(), TRACED], ids=["untraced", "traced"])
def test_all_attempts_are_in_one_trace(
    make: Callable[..., Harness], tracer: OtelTracer, seen: Collector, headers: Headers
) -> None:
    """Each attempt follows the one before; the dead letter of the last holds the sender's headers as they came."""
    harness = make(tracer=tracer)
    harness.store.away = 1000
    send(harness, headers)
    harness.start()
    messages = harness.outcomes()
    harness.stop()
    flush(tracer)
    assert [message.topic for message in messages] == [*RETRIES, "letters"]
    first, second, third = sorted(seen.jobs(), key=lambda job: job.attributes["separation.attempt"])
    assert first.parent_id == (SPAN if headers else "")
    assert (second.parent_id, third.parent_id) == (first.span_id, second.span_id)
    assert len({job.trace_id for job in (first, second, third)}) == 1
    assert [job.attributes["separation.outcome"] for job in (first, second, third)] == [
        "retried", "retried", "dead_lettered",
    ]  # fmt: skip
    assert seen.stages(first)["fetch"].attributes["error.type"] == "StoreUnavailable"
    letter = CODEC.decode(DeadLetter, messages[-1].value)
    assert tuple((header.key, header.value) for header in letter.original_headers) == headers


def test_a_separator_s_death_is_no_error_of_the_stage_that_got_through(
    make: Callable[..., Harness], tracer: OtelTracer, seen: Collector
) -> None:
    """What was tried again inside a stage, and worked, is one stage that worked."""
    harness = make(WorkerCrashed("signal 9"), tracer=tracer)
    send(harness, TRACED)
    harness.start()
    harness.outcomes()
    harness.stop()
    flush(tracer)
    assert not seen.stages(seen.jobs()[0])["separate"].failed


def test_a_collector_that_is_away_costs_nothing_but_the_traces(
    make: Callable[..., Harness], tracer: OtelTracer, seen: Collector
) -> None:
    """Jobs get their outcomes, and the log has a line when it fails and one when it works again."""
    seen.status = 400
    harness = make(tracer=tracer)
    with capture_logs() as lines:
        harness.start()
        for number in range(3):
            send(harness, TRACED, request_id=f"r{number}")
            harness.outcomes()
            flush(tracer)
        seen.status = 200
        send(harness, TRACED, request_id="last")
        harness.outcomes()
        harness.stop()
        flush(tracer)
    events = [line["event"] for line in lines if line["event"].startswith("tracing.")]
    assert events == ["tracing.export_failed", "tracing.exports_again"]
    assert seen.jobs()


def test_a_collector_may_speak_grpc(seen: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_EXPORTER_OTLP_PROTOCOL=grpc sends the same spans that way."""
    with collector_by_grpc(seen) as address:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", address)
        tracer = OtelTracer(TracingSettings.load(), group_id="g", instance_id="i", version="v")
        tracer.job(a_record(headers=TRACED), 1).end(Abandoned())
        tracer.close()
        flush(tracer)
        tracer._provider.shutdown()
    [job] = seen.jobs()
    assert (job.trace_id, job.parent_id, job.attributes["separation.outcome"]) == (TRACE, SPAN, "abandoned")


@pytest.mark.parametrize("headers", [(), TRACED], ids=["untraced", "traced"])
def test_without_a_tracer_outcomes_hand_on_what_came(make: Callable[..., Harness], headers: Headers) -> None:
    """A result, a retry and a dead letter each carry the sender's trace, and none where there was none."""
    harness = make()
    harness.store.away = 2
    send(harness, headers)
    send(harness, headers, model="9stems")
    harness.start()
    outcomes = {message.topic: told(message) for message in harness.outcomes()}
    assert outcomes.keys() >= {"results", "letters", RETRIES[0]}
    for topic, found in outcomes.items():
        assert found.get("traceparent") == (PARENT if headers else None), topic
        assert found.get("tracestate") == (b"vendor=7" if headers else None), topic


@pytest.mark.parametrize(
    ("name", "value", "exporters"),
    [
        ("OTEL_TRACES_EXPORTER", "otlp", ("otlp",)),
        ("OTEL_TRACES_EXPORTER", "otlp,console", ("otlp", "console")),
        ("OTEL_TRACES_EXPORTER", "none", ()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", ("otlp",)),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/traces", ("otlp",)),
        ("OTEL_SERVICE_NAME", "x", ()),
    ],
)
def test_opentelemetry_s_own_variables_switch_it_on(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, exporters: tuple[str, ...]
) -> None:
    """An endpoint or an exporter that is named means traces; OTEL_SDK_DISABLED means none."""
    monkeypatch.setenv(name, value)
    assert TracingSettings.load().exporters == exporters
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert TracingSettings.load().exporters == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "jaeger"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_SDK_DISABLED", "perhaps"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
    ],
)
def test_a_wrong_variable_is_told_of_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """What we or the exporter can't use is a SettingsError that names the variables."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^({name}|OTEL_EXPORTER_OTLP_\\*): [^\n]+$"):
        OtelTracer(TracingSettings.load(), group_id="g", instance_id="i", version="v")
