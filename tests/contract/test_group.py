"""What the delivery rests on in Kafka: one contract, kept by the broker in memory and by a real one.

Where a real broker takes its time, the test polls on; nothing depends on how long.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from structlog.testing import capture_logs

from consumer.adapters.kafka.admin import KafkaAdmin
from consumer.adapters.kafka.outbox import KafkaOutbox
from consumer.adapters.kafka.retrying import retried
from consumer.adapters.kafka.source import KafkaSource
from consumer.core.errors import OwnershipLost, ProducerFenced
from consumer.core.model import Message, Record, TopicPartition
from consumer.core.ports import Commit, EndOfPartition, Membership, Outbox, Position, Source
from consumer.settings import KafkaSettings
from consumer.testing.broker import MemoryBroker
from consumer.testing.outbox import MemoryOutbox
from consumer.testing.source import MemorySource
from harness.platform import Platform
from harness.waiting import wait_for
from tests.conftest import Kafka

PARTITIONS = 2


class Broker(Protocol):
    """`topic` is read by the group, `results` and `audit` are written to; all have two partitions."""

    topic: str
    results: str
    audit: str

    def send(self, partition: int, *values: bytes) -> None: ...

    def source(self) -> Source: ...

    def outbox(self) -> Outbox: ...

    def published(self) -> list[bytes | None]:
        """What a reader of committed records sees of `results`."""
        ...

    def audited(self) -> list[bytes | None]:
        """The same, of `audit`."""
        ...


class InMemory:
    topic, results, audit = "requests", "results", "audit"

    def __init__(self) -> None:
        self._broker = MemoryBroker(self.topic, partitions=PARTITIONS)

    def send(self, partition: int, *values: bytes) -> None:
        for value in values:
            self._broker.send(self.topic, value, partition=partition)

    def source(self) -> Source:
        return MemorySource(self._broker)

    def outbox(self) -> Outbox:
        return MemoryOutbox(self._broker)

    def published(self) -> list[bytes | None]:
        return [message.value for message in self._broker.published]

    def audited(self) -> list[bytes | None]:
        return [message.value for message in self._broker.audited]


class Real:
    def __init__(self, kafka: Kafka) -> None:
        name = f"group-{uuid.uuid4().hex[:8]}"
        self.topic, self.results, self.audit = f"{name}.requests", f"{name}.results", f"{name}.audit"
        self._settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, group_id=name)
        self._number = 0
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        for topic in (self.topic, self.results, self.audit):
            retried(lambda topic=topic: admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(300), 60.0)  # type: ignore[misc]
        KafkaAdmin(self._settings).set_group_timing()

    def send(self, partition: int, *values: bytes) -> None:
        producer = Producer({"bootstrap.servers": self._settings.bootstrap_servers})
        for value in values:
            producer.produce(self.topic, value, partition=partition)
        assert producer.flush(30) == 0

    def source(self) -> Source:
        return KafkaSource(self._settings, instance_id="", is_static_member=False)

    def outbox(self) -> KafkaOutbox:
        self._number += 1
        return KafkaOutbox(self._settings, instance_id=f"i-{self._number}")

    def published(self) -> list[bytes | None]:
        return self._committed(self.results)

    def audited(self) -> list[bytes | None]:
        return self._committed(self.audit)

    def _committed(self, topic: str) -> list[bytes | None]:
        reading = Platform(
            bootstrap_servers=self._settings.bootstrap_servers, minio=None, environment={}, folder=None  # type: ignore[arg-type]
        )  # fmt: skip
        return [message.value() for message in reading.read_topic(topic)]


@pytest.fixture(params=["memory", "kafka"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with capture_logs():
        yield InMemory() if request.param == "memory" else Real(request.getfixturevalue("kafka"))


@dataclass
class Member:
    """One that polls, and takes note of what it is told. Implements ports.Assignments."""

    broker: Broker
    held: set[int] = field(default_factory=set)
    records: list[tuple[int, int, bytes | None]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    membership_of: dict[int, Membership] = field(default_factory=dict)  # as of the latest record of each partition

    def __post_init__(self) -> None:
        self.source = self.broker.source()
        self.source.subscribe([self.broker.topic], self)

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.held |= {place.partition for place in partitions}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.held -= {place.partition for place in partitions}

    lost = revoked

    def poll(self) -> None:
        match self.source.poll(0.05):
            case Record() as record:
                self.records.append((record.partition, record.offset, record.value))
                self.membership_of[record.partition] = self.source.membership()
            case EndOfPartition() as end:
                self.ends[end.topic_partition.partition] = end.offset

    def place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.broker.topic, partition)

    def commit(
        self, partition: int, offset: int, *values: bytes, offset_metadata: str = "", audit: Sequence[bytes] = ()
    ) -> Commit:
        return Commit(
            partition=self.place(partition),
            position=Position(offset=offset, offset_metadata=offset_metadata),
            membership=self.membership_of[partition],
            messages=tuple(Message(topic=self.broker.results, key=None, value=value) for value in values),
            audit=tuple(Message(topic=self.broker.audit, key=None, value=value) for value in audit),
        )


def until(condition: Callable[[], object], *members: Member) -> None:
    """Poll all of them until it is so."""

    def polled() -> object:
        for member in members:
            member.poll()
        return condition()

    wait_for(polled, every_s=0.0)


def test_records_come_in_order_and_then_the_end(broker: Broker) -> None:
    """A member alone gets all partitions, each in its order from the beginning, and is told where each ends."""
    broker.send(0, b"a", b"b", b"c")
    member = Member(broker)
    until(lambda: member.ends == {0: 3, 1: 0}, member)
    assert member.held == {0, 1}
    assert member.records == [(0, 0, b"a"), (0, 1, b"b"), (0, 2, b"c")]
    assert member.source.is_member()
    assert member.source.committed([member.place(0)]) == {member.place(0): None}
    member.source.close()


def test_outcome_and_position_are_one(broker: Broker) -> None:
    """What is published is read, its position is committed with its note, and the next owner goes on from there."""
    broker.send(0, b"a", b"b")
    member, outbox = Member(broker), broker.outbox()
    until(lambda: len(member.records) == 2, member)
    outbox.publish([member.commit(0, 1, b"A", offset_metadata="note")])
    assert broker.published() == [b"A"]
    assert member.source.committed([member.place(0)])[member.place(0)] == Position(offset=1, offset_metadata="note")
    member.source.close()
    assert member.held == set()
    following = Member(broker)
    until(lambda: following.records, following)
    assert following.records == [(0, 1, b"b")]
    following.source.close()


def test_audit_events_share_their_outcomes_fate(broker: Broker) -> None:
    """Of a transaction that is refused no event is seen; of one that goes through each is, once."""
    broker.send(0, b"a")
    broker.send(1, b"b")
    first, outbox = Member(broker), broker.outbox()
    until(lambda: len(first.membership_of) == PARTITIONS, first)
    second = Member(broker)
    until(lambda: len(first.held) == len(second.held) == 1, first, second)
    [kept], [moved] = first.held, second.held
    with pytest.raises(OwnershipLost):
        outbox.publish([first.commit(kept, 1, b"A", audit=[b"e1"]), first.commit(moved, 1, b"B", audit=[b"e2"])])
    assert (broker.published(), broker.audited()) == ([], [])
    outbox.publish([first.commit(kept, 1, b"A", audit=[b"e1", b"e3"])])
    assert broker.published() == [b"A"]
    assert sorted(broker.audited(), key=str) == [b"e1", b"e3"]
    for member in (first, second):
        member.source.close()


def test_a_lost_partition_can_not_be_committed(broker: Broker) -> None:
    """Once another member has the partition, the first one's transaction is refused and not seen."""
    for partition in range(PARTITIONS):
        broker.send(partition, b"x")
    first, outbox = Member(broker), broker.outbox()
    until(lambda: len(first.membership_of) == PARTITIONS, first)
    second = Member(broker)
    until(lambda: len(first.held) == len(second.held) == 1, first, second)
    [kept], [moved] = first.held, second.held
    with pytest.raises(OwnershipLost):
        outbox.publish([first.commit(kept, 1, b"kept"), first.commit(moved, 1, b"moved")])
    assert broker.published() == []
    outbox.publish([first.commit(kept, 1, b"kept")])
    assert broker.published() == [b"kept"], "what stayed is committed under the membership of before"
    until(lambda: moved in second.membership_of, second)
    broker.outbox().publish([second.commit(moved, 1, b"moved")])
    assert sorted(broker.published(), key=str) == [b"kept", b"moved"]
    for member in (first, second):
        member.source.close()


def test_a_partition_can_be_read_again(broker: Broker) -> None:
    """`rewind` brings records once more, whatever was read or committed; only of partitions that are the member's."""
    broker.send(0, b"a", b"b")
    member = Member(broker)
    until(lambda: member.ends == {0: 2, 1: 0}, member)
    assert member.source.rewind(member.place(0), 1)
    until(lambda: len(member.records) == 3, member)
    assert member.source.rewind(member.place(0), None)
    until(lambda: len(member.records) == 5, member)
    assert [offset for _, offset, _ in member.records] == [0, 1, 1, 0, 1]
    assert not member.source.rewind(TopicPartition(broker.topic, 7), 0)
    member.source.close()


def test_a_pause_holds_one_partition(broker: Broker) -> None:
    """A paused partition is silent while others go on, and membership too; resumed, it brings what came meanwhile."""
    member = Member(broker)
    until(lambda: member.ends == {0: 0, 1: 0}, member)
    member.source.pause([member.place(0)])
    broker.send(0, b"a")
    broker.send(1, b"b")
    until(lambda: member.records, member)
    until(lambda: member.ends[1] == 1, member)
    assert member.records == [(1, 0, b"b")]
    member.source.resume([member.place(0)])
    until(lambda: len(member.records) == 2, member)
    assert member.records[-1] == (0, 0, b"a")
    assert member.source.end(member.place(0)) == 1
    member.source.close()


def test_a_producer_that_was_fenced_is_replaced(kafka: Kafka) -> None:
    """Whoever is fenced is told so, nothing of its transaction is seen, and what it publishes next goes through."""
    broker = Real(kafka)
    broker.send(0, b"a")
    with capture_logs():
        member, outbox = Member(broker), broker.outbox()
        until(lambda: member.records, member)
        outbox.open()
        KafkaOutbox(broker._settings, instance_id="i-1").open()
        with pytest.raises(ProducerFenced):
            outbox.publish([member.commit(0, 1, b"A")])
        assert broker.published() == []
        assert member.source.committed([member.place(0)]) == {member.place(0): None}
        outbox.publish([member.commit(0, 1, b"A")])
    assert broker.published() == [b"A"]
    member.source.close()
