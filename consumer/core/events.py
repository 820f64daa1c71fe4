"""What travels in Kafka: one frozen dataclass an Avro schema, field for field (schemas/*.avsc say the same).

Where a field's text says null, that is None here. Times are UTC; a time that was never set is EPOCH, which
Avro writes as 0.
"""

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
    """An object in object storage."""

    bucket: str
    """Bucket; must be one of the consumer's ALLOWED_SOURCE_BUCKETS."""
    key: str
    """Object key, 1 to 1024 bytes in UTF-8, without empty, . or .. segments."""
    version_id: str | None = None
    """Version to read in a versioned bucket; null: the latest."""
    etag: str | None = None
    """ETag the object must have, without quotes; null: whichever it has when it is first read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Stems lie at <prefix><request_id>/<stem>.<format>."""

    bucket: str | None = None
    """Bucket for the stems, which the consumer must allow; null: its OUTPUT_BUCKET."""
    prefix: str | None = None
    """Prefix of the stems' keys; null: the consumer's OUTPUT_PREFIX, followed by the tenant, percent-encoded, and /."""
    format: str = "wav"
    """Format of the stems, one of FORMATS; wav has 16 bits a sample."""
    bitrate: str | None = None
    """Bits per second of a lossy format, as in 192k or 192000; null: 128k, as Spleeter. mp3: 32k to 320k, in MP3's own
    steps; ogg: 45k to 500k; m4a: 12k to 384k;
    opus: 6k to 510k.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationRequest(Event):
    """Separate one audio object into stems. Record key: request_id in UTF-8."""

    request_id: str
    """1 to 64 characters of A-Za-z0-9_- ; names the request for ever: sent again, it is answered from its stems."""
    source: SourceObject
    """The object to separate."""
    model: str = "2stems"
    """Model, one of MODELS; with -16kHz the masks reach 16 kHz instead of 11 kHz."""
    output: OutputOptions = OutputOptions()
    """Where the stems go and in which format."""
    start_s: float | None = None
    """Seconds to skip at the beginning, from 0 to 1e9; null: none."""
    duration_s: float | None = None
    """Seconds to separate from there, from 0.001 to 1e9; null: to the end."""
    high_frequencies: str = "zeros"
    """Above the model's band: zeros (silence, as Spleeter) or average (each stem's mean share; the sum is the mix)."""
    tenant: str | None = None
    """On whose behalf; for audit and quotas, never part of a metric; null: nobody's in particular."""
    deadline: datetime | None = None
    """Not worth doing after this time; null: always worth it."""
    requested_at: datetime = EPOCH
    """When the user asked; 0: not said."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Handed back untouched in the result; at most 64 KiB of names and values in UTF-8."""
    track: int | None = None
    """Number of the audio track to separate, from 0 to 999, as in ffmpeg's a:0; null: as ffmpeg chooses by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUsed:
    """An audio object and what was found in it."""

    bucket: str = ""
    """Bucket."""
    key: str = ""
    """Object key."""
    version_id: str | None = None
    """Version that was read, in a versioned bucket; null: the bucket keeps none."""
    etag: str | None = None
    """ETag of the bytes that were read, without quotes; null: not known."""
    format: str = ""
    """Container as ffmpeg names it, such as mp3 or flac."""
    duration_s: float = 0.0
    """Seconds of audio that were separated."""
    channels: int = 0
    """Channels in the file, from 1; the stems are stereo."""
    sample_rate_hz: int = 0
    """Sample rate of the file in Hz; the stems have 44100."""
    track: int = 0
    """Number of the file's audio track that was separated, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stem:
    """One separated stem in object storage."""

    name: str = ""
    """The instrument as the model names it, such as vocals or accompaniment."""
    bucket: str = ""
    """Bucket."""
    key: str = ""
    """Object key."""
    size_bytes: int = 0
    """Size of the object in bytes."""
    sha256: str = ""
    """Digest of the object, 64 characters of lower-case hex."""
    duration_s: float = 0.0
    """Length of the stem in seconds."""
    peak: float = 0.0
    """Largest absolute sample before encoding, from 0; 1.0 is full scale, and more is possible."""
    loudness_lufs: float | None = None
    """Integrated loudness in LUFS (EBU R128); null: silent or too short to say."""
    clipped_samples: int = 0
    """Samples beyond full scale, which an integer format cuts off, from 0."""
    crc32: int | None = None
    """CRC-32 of the object, as in zip files; null: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationResult(Event):
    """The stems of one request are whole and lie where this says. Record key: request_id in UTF-8."""

    request_id: str = ""
    """The request's."""
    source: SourceUsed = SourceUsed()
    """The object as it was used."""
    model: str = ""
    """The model that was used."""
    weights_sha256: str = ""
    """Digest of the model's checkpoint, 64 characters of lower-case hex."""
    stems: tuple[Stem, ...] = ()
    """One entry a stem, in the model's order."""
    timings_s: dict[str, float] = field(default_factory=dict)
    """Seconds spent a stage: fetch, separate, store, ..."""
    attempt: int = 1
    """Which attempt brought it, from 1."""
    deduplicated: bool = False
    """True: the stems were there already and were not computed again."""
    metadata: dict[str, str] = field(default_factory=dict)
    """The request's."""
    completed_at: datetime = EPOCH
    """When the stems were whole."""
    warnings: tuple[str, ...] = ()
    """What of the stems is not as in the file, such as a cover picture that can't be read; a sentence each."""
    tenant: str | None = None
    """The request's; null: nobody's in particular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """One Kafka header."""

    key: str = ""
    """Name; may occur more than once."""
    value: bytes | None = None
    """Value; null: a header without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Event):
    """A record that will not become a result, with the reason and the record as it came.

    Record key: the failed record's.
    """

    request_id: str | None = None
    """The request's; null where the record could not be read so far."""
    code: str = ""
    """Stable reason, such as OBJECT_NOT_FOUND; the documentation lists them."""
    message: str = ""
    """The reason in a sentence, with what every earlier attempt met; at most about 4000 characters."""
    stage: str = ""
    """Where it failed, such as decode, validate, fetch, separate or store."""
    attempts: int = 0
    """Attempts that were made, from 1."""
    original_key: bytes | None = None
    """The record's key as it came; null: it had none, or the record is too large for this topic."""
    original_value: bytes | None = None
    """The record's value as it came; null: it had none, or the record is too large for this topic."""
    original_headers: tuple[Header, ...] = ()
    """The record's headers as they came, in their order; empty where the record is too large for this topic."""
    topic: str = ""
    """Topic the record was first read from."""
    partition: int = -1
    """Partition there, from 0."""
    offset: int = -1
    """Offset there, from 0."""
    timestamp: datetime | None = None
    """The record's own timestamp; null: it had none."""
    failed_at: datetime = EPOCH
    """When it was given up."""
    consumer_version: str = ""
    """Version of the consumer that gave up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationProgress(Event):
    """How far a request is. Best effort: not transactional, at most one a second a request.

    Record key: request_id in UTF-8.
    """

    request_id: str = ""
    """The request's."""
    stage: str = ""
    """The stage at work, such as separate."""
    segments_done: int = 0
    """Segments of 11.9 s that are separated, from 0."""
    segments_total: int | None = None
    """Segments expected; null: the file does not say its length."""
    attempt: int = 1
    """Which attempt, from 1."""
    instance_id: str = ""
    """The replica at work."""
    at: datetime = EPOCH
    """When this was so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparationControl(Event):
    """An instruction about a request. Record key: request_id in UTF-8."""

    request_id: str = ""
    """The request's."""
    action: str = "cancel"
    """cancel: stop it, or do not begin it; it ends as a dead letter with code CANCELLED."""
    reason: str | None = None
    """Why, for people; null: not said."""
    issued_at: datetime = EPOCH
    """When it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(Event):
    """Who did what: kept apart from results so that it can be retained longer. Record key: request_id, or none."""

    event_id: str = ""
    """Unique, a UUID."""
    action: str = ""
    """Dotted name of what was done, such as separation.requested or dead_letter.replayed."""
    outcome: str = ""
    """success, denied or failure."""
    actor: str = ""
    """Who: a key's name or a token's subject, never a secret."""
    tenant: str | None = None
    """On whose behalf; null: nobody's in particular."""
    request_id: str | None = None
    """The request concerned; null: none."""
    instance_id: str = ""
    """The process that saw it."""
    details: dict[str, str] = field(default_factory=dict)
    """What else is worth keeping; no secrets, no payloads."""
    occurred_at: datetime = EPOCH
    """When it was done."""


# Which file under schemas/ describes which class.
SCHEMA_FILES: dict[type[Event], str] = {
    SeparationRequest: "separation_request",
    SeparationResult: "separation_result",
    DeadLetter: "dead_letter",
    SeparationProgress: "separation_progress",
    SeparationControl: "separation_control",
    AuditEvent: "audit_event",
}
