"""What the stages need from the world. Each Protocol says what its promises mean; adapters keep them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from consumer.core.cancellation import Cancellation
from consumer.core.events import Event, SeparationControl, SeparationRequest
from consumer.core.model import Job, Message, ObjectFacts, Record, Separation, TopicPartition, Usage

# Called with the segments done and the segments expected, None where the file does not say how long it is.
OnProgress = Callable[[int, int | None], None]
# Whether a dependency answers at all: raises the same Transient where it does not.
Check = Callable[[], None]


class Codec(Protocol):
    """Events to bytes and back."""

    def decode_request(self, value: bytes | None) -> SeparationRequest:
        """Raises Rejected(AVRO_UNDECODABLE, SCHEMA_UNKNOWN, REQUEST_INVALID) or RegistryUnavailable."""
        ...

    def decode_control(self, value: bytes | None) -> SeparationControl:
        """As decode_request."""
        ...

    def encode(self, event: Event) -> bytes:
        """Raises RegistryUnavailable."""
        ...


@runtime_checkable
class ObjectStore(Protocol):
    """Object storage. Every method may raise StoreUnavailable, which says nothing about what was done."""

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        """The object's facts, None where there is none."""
        ...

    def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
        """Write the object with exactly this etag to `path`; returns its sha256, lower-case hex.

        Raises Rejected(OBJECT_CHANGED, OBJECT_NOT_FOUND), Cancelled.
        """
        ...

    def read(self, bucket: str, key: str) -> bytes | None:
        """A small object's bytes, None where there is none."""
        ...

    def create(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """Store an object where there is none, atomically; None, and nothing changed, where there is one."""
        ...

    def replace(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        """Store an object, whether or not there is one."""
        ...

    def copy(
        self, source: ObjectFacts, bucket: str, key: str, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """As `create`, of another object's content with exactly this etag, which does not pass through here.

        Raises Rejected(OBJECT_CHANGED, OBJECT_NOT_FOUND) where the source is no longer what it was.
        """
        ...

    def check(self, bucket: str) -> None:
        """Answers, and the bucket is there; else StoreUnavailable, StoreMisconfigured or BucketUnusable, why."""
        ...


class Scanner(Protocol):
    """Looks for malware. Both methods raise ScannerUnavailable unless it did what it was asked for."""

    def scan(self, path: Path, cancel: Cancellation) -> str | None:
        """The name of what it found in the file, None where it looked at all of it and found nothing.

        Raises Cancelled at once.
        """
        ...

    def check(self) -> None:
        """Answers, and takes the largest file that it may be given; else ScannerMisconfigured, with the reason."""
        ...


class Separator(Protocol):
    """Separates one track at a time."""

    def revive(self) -> None:
        """Start it again if it died while there was nothing to do. Returns at once."""
        ...

    def prepare(self, cancel: Cancellation) -> None:
        """Return once it is warm; what keeps it from that is no job's fault. Raises Cancelled."""
        ...

    def separate(self, job: Job, path: Path, *, cancel: Cancellation, on_progress: OnProgress) -> Separation:
        """Stem files beside `path`. Raises Rejected, WorkerCrashed, Cancelled (within a second)."""
        ...


class SeparatorStatus(Protocol):
    """One separator process as its client last saw it. It may change between two looks."""

    @property
    def ready(self) -> bool:
        """Whether all its models are loaded."""
        ...

    @property
    def reason(self) -> str:
        """Why it is not ready, "" where that is not known."""
        ...

    @property
    def sandbox(self) -> str:
        """What it can't reach beyond, in a few words; "" while that is not known."""
        ...

    @property
    def restarts(self) -> int:
        """How often its process was started again."""
        ...

    @property
    def own(self) -> Usage:
        """What its present process uses."""
        ...

    @property
    def ffmpeg(self) -> Usage:
        """What that process's children use together."""
        ...

    @property
    def last_heartbeat(self) -> float:
        """When it last gave a sign of life, by time.monotonic()."""
        ...


class SeparatorProcess(Separator, Protocol):
    """A separator that is a process of its own, to be started and ended."""

    @property
    def status(self) -> SeparatorStatus: ...

    def start(self) -> None:
        """Start it; returns at once."""
        ...

    def kill(self) -> None:
        """End it now, for good."""
        ...


class ModelSource(Protocol):
    """A place that holds model archives."""

    name: str

    def fetch(self, file: str, path: Path) -> bool:
        """Write a file to path; False where the source has no such file. Raises ModelSourceUnavailable."""
        ...


class Membership(Protocol):
    """A replica's place in its group at one moment, as the broker will check it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a partition is to be read from: `offset` is the next record's; its metadata is ours, up to 4 KB of text."""

    offset: int
    offset_metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What a client library says of its connections: bytes since its start, and the slowest broker's round trip."""

    received_bytes: int = 0
    sent_bytes: int = 0
    round_trip_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfPartition:
    """Everything before `offset` has been read, whether it was records or transaction markers."""

    topic_partition: TopicPartition
    offset: int


class RebalanceListener(Protocol):
    """What a source calls, from inside `poll` or `close`, when partitions come and go."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """These are ours from now on, to be read from their committed positions."""
        ...

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """These are to be given back: they are ours until this returns."""
        ...

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """These have been another's for a while."""
        ...


class Source(Protocol):
    """The consumer's end of Kafka. Used by one thread."""

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None: ...

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        """The next record of an assigned, unpaused partition. Raises Fatal."""
        ...

    def pause(self, partitions: Sequence[TopicPartition]) -> None: ...

    def resume(self, partitions: Sequence[TopicPartition]) -> None: ...

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        """Read the partition again from `offset`, None meaning its beginning. False if it is not assigned."""
        ...

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        """What the group has committed, transactions that are under way being waited for. From any thread.

        Raises BrokerUnavailable.
        """
        ...

    def end(self, partition: TopicPartition) -> int:
        """Where the partition's log ends now. Raises BrokerUnavailable."""
        ...

    def membership(self) -> Membership: ...

    def is_member(self) -> bool:
        """Whether the group has taken us in, with partitions or without."""
        ...

    @property
    def last_error(self) -> str:
        """What keeps us from reading, "" if nothing does."""
        ...

    @property
    def traffic(self) -> Traffic:
        """What went over its connections so far."""
        ...

    def close(self) -> None:
        """Leave the group: what is still assigned is revoked first."""
        ...


class ControlFeed(Protocol):
    """All that is said on the control topic, from some time before now on. Used by one thread."""

    @property
    def is_caught_up(self) -> bool:
        """Whether everything that was said before the first poll has been read. So it is where there is no topic."""
        ...

    def poll(self, timeout_s: float) -> Record | None:
        """The next record, None if there is none within timeout_s. Raises BrokerUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One partition's share of a transaction: what to publish, and where to go on reading."""

    partition: TopicPartition
    position: Position
    membership: Membership
    messages: tuple[Message, ...] = ()


class Outbox(Protocol):
    """The producer's end of Kafka. Used by one thread.

    calls: how often the client library was called; each of these calls is to return within seconds.
    waits_for: what keeps `publish` from returning, in the library's words; "" if nothing does.
    """

    calls: int
    waits_for: str

    def open(self, timeout_s: float) -> None:
        """Get ready to publish; whoever used this replica's name before can't any more.

        Raises BrokerUnavailable where that takes longer, Fatal where it is refused. Called again it goes on.
        """
        ...

    def publish(self, commits: Sequence[Commit]) -> None:
        """Publish and commit all of it in one transaction: a `read_committed` reader sees all or nothing.

        Raises OwnershipLost (nothing happened; one of the partitions is another's), BrokerUnavailable (nothing
        happened), Fatal (nothing happened; a topic takes no message as large as one of these), or ProducerFenced:
        whether it happened must be learnt from Source.committed, which by then knows; further calls go through a new
        producer.
        """
        ...

    def close(self) -> None: ...


class Notices(Protocol):
    """Where messages go that may be lost."""

    def send(self, message: Message) -> None:
        """Returns at once; what can't be sent is dropped."""
        ...

    def close(self) -> None: ...
