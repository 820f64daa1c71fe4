"""The ends of Kafka: what reads records, what publishes and commits, what hears of cancellations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.core.model import Message, Record, TopicPartition


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
        """These are ours from now on, to be read from their committed positions.

        What is paused before this returns is not read before it is resumed.
        """
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
        """Read the partition again from `offset`, None meaning its beginning. False if it is not assigned.

        Raises BrokerUnavailable where that can't be done yet.
        """
        ...

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        """What the group has committed, transactions that are under way being waited for. From any thread.

        Raises BrokerUnavailable.
        """
        ...

    def read_one(self, partition: TopicPartition, offset: int, timeout_s: float) -> Record | EndOfPartition | None:
        """The first record from `offset` on, or the partition's end, with no batch unpacked but that record's own.

        Apart from `poll`, and whether the partition is paused or not. None where there is none within timeout_s: call
        again with the same place, or with another one. Raises BrokerUnavailable where it can't be read.
        """
        ...

    def recalled(self, first: Record) -> int | None:
        """Where the group stood in a partition of which nothing is committed, as its outcomes tell it; None: nowhere.

        `first` is the first record of the partition that is read. Raises BrokerUnavailable, also where that is not
        known yet; it does not wait for it long.
        """
        ...

    def beginning(self, partition: TopicPartition) -> int:
        """Where the partition's log begins now. Raises BrokerUnavailable."""
        ...

    def end(self, partition: TopicPartition) -> int:
        """Where the partition's log ends now. Raises BrokerUnavailable."""
        ...

    def log_id(self, topic: str) -> str:
        """The id of the topic of that name, as a broker gives it now: another id is another log.

        "" where there is none. Raises BrokerUnavailable.
        """
        ...

    def log_ids(self) -> Mapping[str, str] | None:
        """The ids of the subscribed topics as they were last heard of, some seconds ago at most where brokers answer.

        Never waits. A topic that is missing is left out. None: nothing was heard yet.
        """
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
    """One partition's share of a transaction: what to publish, and where to go on reading.

    audit: the audit events of the messages, published with them.
    last: the last record whose outcome is among the messages; None where there are none.
    """

    partition: TopicPartition
    position: Position
    membership: Membership
    messages: tuple[Message, ...] = ()
    audit: tuple[Message, ...] = ()
    last: Record | None = None

    @property
    def published(self) -> tuple[Message, ...]:
        """All that is published with it."""
        return (*self.messages, *self.audit)


class Outbox(Protocol):
    """The producer's end of Kafka. Used by one thread.

    calls: how often the client library was called; each of these calls is to return within seconds.
    waits_for: what keeps `publish` from returning, in the library's words; "" if nothing does.
    """

    @property
    def calls(self) -> int: ...

    @property
    def waits_for(self) -> str: ...

    def open(self, timeout_s: float) -> None:
        """Get ready to publish; whoever used this replica's name before can't any more.

        Raises BrokerUnavailable where that takes longer, Fatal where it is refused. Called again it goes on.
        """
        ...

    def publish(self, commits: Sequence[Commit]) -> None:
        """Publish and commit all of it in one transaction: a `read_committed` reader sees all or nothing.

        Raises OwnershipLost (nothing happened; one of the partitions is another's), BrokerUnavailable (nothing
        happened), its kind TopicUnavailable (nothing happened; a topic takes none of these, or none as large),
        Fatal (nothing happened; Kafka refuses access), or ProducerFenced: whether it happened must be learnt from
        Source.committed, which by then knows; further calls go through a new producer.
        """
        ...

    def close(self) -> None: ...


class Notices(Protocol):
    """Where messages go that may be lost."""

    def send(self, message: Message) -> None:
        """Returns at once; what can't be sent is dropped."""
        ...

    def close(self) -> None: ...
