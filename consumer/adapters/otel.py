"""Spans by OpenTelemetry's SDK, as its own OTEL_* variables say. Part of the extra `otel`: `app` asks for it late."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from importlib import import_module

import structlog
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Tracer as Recorder
from opentelemetry.util.types import AttributeValue

from consumer.core.errors import Cancelled, Rejected, SettingsError
from consumer.core.log_events import LogEvent
from consumer.core.model import Abandoned, DeadLettered, Done, Outcome, Record, Retry
from consumer.core.tracing import JobSpan, RequestSpan, TraceContext, context_of
from consumer.settings import TracingSettings

_FLUSH_MS = 2000
# Whatever else a stranger calls a method does not get into a span's name.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
_OTLP: Mapping[str, str] = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}


class OtelTracer:
    """See tracing.Tracer and RequestTracer. Raises SettingsError where an OTEL_* variable can't be used."""

    def __init__(self, settings: TracingSettings, *, group_id: str, instance_id: str, version: str) -> None:
        ours = {"service.name": "spleeter-consumer", "service.instance.id": instance_id, "service.version": version}
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        # Not at the process's exit: an exporter whose collector is away would hold that up for a minute.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        for name in settings.exporters:
            exporter = _ResilientExporter(ConsoleSpanExporter() if name == "console" else _otlp(settings.otlp_protocol))
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._recorder = self._provider.get_tracer("spleeter-consumer", version)
        self._group_id = group_id

    def job(self, record: Record, attempt: int) -> JobSpan:
        came = context_of(record, is_redelivery=attempt > 1)
        span = self._recorder.start_span(
            f"process {record.topic}",
            context=_following(came) if came else Context(),
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": record.topic,
                "messaging.destination.partition.id": str(record.partition),
                "messaging.kafka.offset": record.offset,
                "messaging.consumer.group.name": self._group_id,
                "separation.attempt": attempt,
            },
        )
        return OtelJobSpan(self._recorder, span)

    def request(self, method: str, came: TraceContext | None) -> RequestSpan:
        known = method if method in _METHODS else "_OTHER"
        span = self._recorder.start_span(
            "HTTP" if known == "_OTHER" else known,
            context=_following(came) if came else Context(),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": known},
        )
        return OtelRequestSpan(span, known)

    def close(self) -> None:
        self._provider.force_flush(_FLUSH_MS)


class OtelRequestSpan:
    """See tracing.RequestSpan. Names are those of OpenTelemetry's conventions for HTTP."""

    def __init__(self, span: Span, method: str) -> None:
        self._span, self._method = span, method
        self.context = _context_of(span)

    def end(self, route: str, status: int) -> None:
        if route:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _fail(self._span, str(status or "no answer"))
        self._span.end()


class OtelJobSpan:
    """See tracing.JobSpan."""

    def __init__(self, recorder: Recorder, span: Span) -> None:
        self._recorder, self._span = recorder, span
        self._inside = set_span_in_context(span, Context())
        self._ended_ns = 0
        self.context = _context_of(span)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        span = self._recorder.start_span(name, context=self._inside)
        try:
            yield
        except BaseException as error:
            # By its kind alone: an error's words may hold an object's key or an address.
            span.add_event("exception", {"exception.type": type(error).__name__})
            _fail(span, _kind(error))
            raise
        finally:
            span.end()

    def end(self, outcome: Outcome | Abandoned) -> None:
        attributes: dict[str, AttributeValue]
        match outcome:
            case Done():
                attributes = {"separation.outcome": "done", "separation.deduplicated": outcome.deduplicated}
            case Retry():
                attributes = {"separation.outcome": "retried"}
                _fail(self._span, "retried")
            case DeadLettered():
                attributes = {"separation.outcome": "dead_lettered", "separation.code": str(outcome.code)}
                _fail(self._span, outcome.code)
            case Abandoned():
                attributes = {"separation.outcome": "abandoned"}
        self._span.set_attributes(attributes)
        self._ended_ns = time.time_ns()
        self._span.end(self._ended_ns)

    def published(self) -> None:
        self._recorder.start_span("publish", context=self._inside, start_time=self._ended_ns).end()


class _ResilientExporter(SpanExporter):
    """Another exporter, whose failures are one line in the log until it works again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._works = True
        self._log = structlog.get_logger()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, traces are not worth a replica
            result, reason = SpanExportResult.FAILURE, type(error).__name__
        else:
            reason = result.name
        works = result is SpanExportResult.SUCCESS
        if works != self._works:
            self._log.warning(LogEvent.TRACES_EXPORTED_AGAIN if works else "tracing.export_failed", reason=reason)
        self._works = works
        return result


def _otlp(protocol: str) -> SpanExporter:
    try:
        exporter: SpanExporter = import_module(_OTLP[protocol]).OTLPSpanExporter()
    except ValueError as error:
        raise SettingsError(f"OTEL_EXPORTER_OTLP_*: {error}") from error
    return exporter


def _context_of(span: Span) -> TraceContext:
    context = span.get_span_context()
    return TraceContext(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        flags=context.trace_flags,
        state=context.trace_state.to_header(),
    )


def _following(context: TraceContext) -> Context:
    parent = SpanContext(
        trace_id=int(context.trace_id, 16),
        span_id=int(context.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(context.flags),
        trace_state=TraceState.from_header([context.state]) if context.state else None,
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def _kind(error: BaseException) -> str:
    match error:
        case Rejected() as rejected:
            return rejected.code
        case Cancelled(rejection=Rejected() as rejected):
            return rejected.code
    return type(error).__name__


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR, kind)
