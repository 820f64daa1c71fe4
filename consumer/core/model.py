"""The values that pass from room to room. All frozen; a Job cannot exist unless it may be worked on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from consumer.core.errors import Code
from consumer.core.events import AuditEvent, SeparationRequest
from consumer.core.manifest import Manifest
from consumer.core.output_place import MANIFEST


class Stage(StrEnum):
    """A stage of a record's way, as metrics, logs, timings, spans and dead letters name it."""

    DECODE = "decode"
    VALIDATE = "validate"
    RECALL = "recall"
    MODEL = "model"
    FETCH = "fetch"
    SCAN = "scan"
    REUSE = "reuse"
    COPY = "copy"
    SEPARATE = "separate"
    STORE = "store"
    ENCODE = "encode"
    PUBLISH = "publish"


class TopicPartition(NamedTuple):
    topic: str
    partition: int


Headers = tuple[tuple[str, bytes | None], ...]
OUR_HEADER_PREFIX = "x-separation-"  # of the headers that are ours; all others are the senders'


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as Kafka gave it.

    reader_deaths: so many replicas died while they read it. It is given up then, and nothing but its place is known.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()
    timestamp: datetime | None = None
    reader_deaths: int = 0

    @property
    def topic_partition(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One record to be produced; `smaller` takes its place where the broker finds it too large."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    smaller: "Message | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request that may be worked on: every word in it is known, every bucket allowed."""

    request: SeparationRequest
    output_bucket: str
    output_prefix: str  # ends with <request_id>/
    format: str
    bitrate: str | None
    fingerprint: str  # sha256 hex of what was asked for, and for whom, without the request id
    earlier_fingerprint: str | None = None  # as it was before it told of the tenant, where the folder tells of it

    def is_asked_by(self, fingerprint: str | None) -> bool:
        """Whether that is the fingerprint of this job's request."""
        return fingerprint is not None and fingerprint in (self.fingerprint, self.earlier_fingerprint)

    @property
    def manifest_key(self) -> str:
        return f"{self.output_prefix}{MANIFEST}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """An object in the store, pinned."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    version_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)  # user metadata, names in lower case


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of an object that is being uploaded, as the store has it. number: from 1."""

    number: int
    etag: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version of an object, or the mark that it was deleted. version_id: None where the store keeps none.

    is_latest: whether whoever names no version gets this one.
    """

    bucket: str
    key: str
    version_id: str | None = None
    is_latest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedUpload:
    """An object that somebody began to upload part by part, and nobody sees yet."""

    bucket: str
    key: str
    upload_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTrack:
    """The source object, whole, in a scratch folder of its own that the stems will lie in too."""

    job: Job
    source: ObjectFacts
    path: Path
    sha256: str

    @property
    def folder(self) -> Path:
        return self.path.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFacts:
    """What the decoder found in the file. `duration_s` is what was decoded, not what a header says. `track` is the
    number of the audio track that was decoded, from 0.
    """

    format: str
    duration_s: float
    channels: int
    sample_rate_hz: int
    track: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StemFile:
    """One encoded stem in scratch space.

    `peak` is the largest absolute sample before encoding (1.0 is full scale); `overview` holds the largest absolute
    sample of each of a few hundred equal spans, 0..1, for drawing.
    """

    name: str
    path: Path
    duration_s: float
    peak: float
    clipped_samples: int
    loudness_lufs: float | None = None
    overview: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """What the separator returns for one track. warnings: what of it is not as in the file, a sentence each."""

    audio: AudioFacts
    stems: tuple[StemFile, ...]
    weights_sha256: str
    warnings: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)

    def in_folder(self, folder: Path) -> "Separation":
        """The same, whose stems lie there under their own names."""
        stems = tuple(replace(stem, path=folder / stem.path.name) for stem in self.stems)
        return replace(self, stems=stems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stems:
    """A track and the stem files that were made of it."""

    track: LocalTrack
    separation: Separation


@dataclass(frozen=True, slots=True, kw_only=True)
class ReusableResult:
    """The same content, separated in the same way for another request; `stems` are its objects, pinned."""

    manifest: Manifest
    stems: tuple[ObjectFacts, ...]  # in the manifest's order


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStems:
    """The job's stems are whole in the store, and its manifest says so."""

    job: Job
    manifest: Manifest
    deduplicated: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses: processor time since its start, in seconds, and resident memory now, in bytes."""

    cpu_s: float
    memory_bytes: int


NO_USAGE = Usage(0.0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """An audit event, and the message that it is published as."""

    event: AuditEvent
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The result, encoded; `audio_s` is what was separated for it, 0 where nothing was.

    audit: what the audit trail is told with it; None: nothing.
    """

    result: Message
    audio_s: float = 0.0
    deduplicated: bool = False
    audit: Audited | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The world's fault outlasted the attempts in place: the record goes to the next retry topic."""

    message: Message
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """The record will not become a result; `letter` is the encoded event. audit: as in Done."""

    letter: Message
    code: Code
    audit: Audited | None = None


Outcome = Done | Retry | DeadLettered


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The record has no outcome here: it will be read again by whoever owns its partition then."""
