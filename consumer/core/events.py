"""What travels in Kafka: one frozen dataclass an Avro schema, field for field (schemas/*.avsc document them)."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
EPOCH = datetime.fromtimestamp(0, UTC)  # an unset timestamp-millis


@dataclass(frozen=True, slots=True)
class Event:
    """Root of what is a record's value as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceObject:
    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    bucket: str | None = None
    prefix: str | None = None
    format: str = "wav"
    bitrate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationRequest(Event):
    request_id: str
    source: SourceObject
    model: str = "2stems"
    output: OutputOptions = OutputOptions()
    start_s: float | None = None
    duration_s: float | None = None
    high_frequencies: str = "zeros"
    tenant: str | None = None
    deadline: datetime | None = None
    requested_at: datetime = EPOCH
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUsed:
    bucket: str = ""
    key: str = ""
    version_id: str | None = None
    etag: str | None = None
    format: str = ""
    duration_s: float = 0.0
    channels: int = 0
    sample_rate_hz: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    name: str = ""
    bucket: str = ""
    key: str = ""
    size_bytes: int = 0
    sha256: str = ""
    duration_s: float = 0.0
    peak: float = 0.0
    loudness_lufs: float | None = None
    clipped_samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationResult(Event):
    request_id: str = ""
    source: SourceUsed = SourceUsed()
    model: str = ""
    weights_sha256: str = ""
    stems: tuple[Stem, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    attempt: int = 1
    deduplicated: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    completed_at: datetime = EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    key: str = ""
    value: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Event):
    request_id: str | None = None
    code: str = ""
    message: str = ""
    stage: str = ""
    attempts: int = 0
    original_key: bytes | None = None
    original_value: bytes | None = None
    original_headers: tuple[Header, ...] = ()
    topic: str = ""
    partition: int = -1
    offset: int = -1
    timestamp: datetime | None = None
    failed_at: datetime = EPOCH
    consumer_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationProgress(Event):
    request_id: str = ""
    stage: str = ""
    segments_done: int = 0
    segments_total: int | None = None
    attempt: int = 1
    instance_id: str = ""
    at: datetime = EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationControl(Event):
    request_id: str = ""
    action: str = "cancel"
    reason: str | None = None
    issued_at: datetime = EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(Event):
    event_id: str = ""
    action: str = ""
    outcome: str = ""
    actor: str = ""
    tenant: str | None = None
    request_id: str | None = None
    instance_id: str = ""
    details: dict[str, str] = field(default_factory=dict)
    occurred_at: datetime = EPOCH


# Which file under schemas/ describes which class.
SCHEMA_FILES: dict[type[Event], str] = {
    SeparationRequest: "separation_request",
    SeparationResult: "separation_result",
    DeadLetter: "dead_letter",
    SeparationProgress: "separation_progress",
    SeparationControl: "separation_control",
    AuditEvent: "audit_event",
}
