"""Whoever records spans, as the OTEL_* variables say."""

from typing import Protocol

import structlog

from consumer.core.log_events import LogEvent
from consumer.core.tracing import RequestTracer, Tracer
from consumer.core.version import VERSION
from consumer.observability.tracing import NoTracer
from consumer.settings import TracingSettings


class AnyTracer(Tracer, RequestTracer, Protocol):
    """Records jobs and HTTP requests alike."""


def make_tracer(settings: TracingSettings, *, group_id: str, instance_id: str) -> AnyTracer:
    """One that records spans, where OTEL_* variables ask for that. Raises SettingsError."""
    if not settings.exporters:
        return NoTracer()
    try:
        from consumer.adapters.otel import OtelTracer
    except ImportError:
        structlog.get_logger().warning(LogEvent.TRACING_NOT_INSTALLED, needed="spleeter-consumer[otel]")
        return NoTracer()
    return OtelTracer(settings, group_id=group_id, instance_id=instance_id, version=VERSION)
