"""The control topic as a replica reads it, on a real broker."""

import uuid
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]

from consumer.adapters.kafka.control_feed import KafkaControlFeed
from consumer.adapters.kafka.retrying import retried
from consumer.core.errors import BrokerUnavailable
from consumer.core.model import Record
from consumer.settings import KafkaSettings
from harness.waiting import PATIENCE_S, wait_for
from tests.conftest import Kafka

DAY_S = 86400.0


class Topic:
    def __init__(self, servers: str) -> None:
        self.name = f"control-{uuid.uuid4().hex[:8]}"
        self.servers = servers
        self.admin = AdminClient({"bootstrap.servers": servers})

    def create(self, partitions: int) -> None:
        wanted = [NewTopic(self.name, partitions, 1)]
        retried(lambda: self.admin.create_topics(wanted)[self.name].result(30), PATIENCE_S)

    def send(self, *values: bytes, partition: int = 0, age_s: float = 0.0) -> None:
        producer = Producer({"bootstrap.servers": self.servers})
        at_ms = round((datetime.now(UTC).timestamp() - age_s) * 1000)
        for value in values:
            producer.produce(self.name, value, partition=partition, timestamp=at_ms)
        assert producer.flush(30) == 0

    def feed(self, *, max_records: int = 100, **looks: float) -> KafkaControlFeed:
        settings = KafkaSettings(bootstrap_servers=self.servers)
        return KafkaControlFeed(settings, self.name, max_age_s=DAY_S, max_records=max_records, **looks)


@pytest.fixture
def topic(kafka: Kafka) -> Topic:
    return Topic(kafka.bootstrap_servers)


def poll(feed: KafkaControlFeed) -> Record | None:
    """As its follower does: a topic that is new may have no leader yet."""
    try:
        return feed.poll(0.1)
    except BrokerUnavailable:
        return None


def read(feed: KafkaControlFeed) -> list[bytes]:
    """All that was sent before."""
    found: list[Record] = []

    def has_come_to_the_end() -> bool:
        if record := poll(feed):
            found.append(record)
        return record is None and feed.is_caught_up

    wait_for(has_come_to_the_end)
    return sorted(record.value or b"" for record in found)


def test_what_was_said_lately_is_read_and_what_is_said_next(topic: Topic) -> None:
    """Of all partitions everything of the last day is read, nothing older, and then what is new."""
    topic.create(2)
    topic.send(b"old", age_s=2 * DAY_S)
    topic.send(b"a", age_s=DAY_S / 2)
    topic.send(b"b", partition=1)
    feed = topic.feed()
    assert not feed.is_caught_up
    assert read(feed) == [b"a", b"b"]
    topic.send(b"c")
    found: list[Record] = []

    def has_come() -> bool:
        if record := poll(feed):
            found.append(record)
        return bool(found)

    wait_for(has_come)
    assert [record.value for record in found] == [b"c"]


def test_only_so_much_is_read_of_a_full_topic(topic: Topic) -> None:
    """Of more than max_records the last ones are read."""
    topic.create(1)
    topic.send(*(b"%d" % number for number in range(9)))
    assert read(topic.feed(max_records=3)) == [b"6", b"7", b"8"]


def test_a_topic_that_comes_later_is_read_from_its_beginning(topic: Topic) -> None:
    """Where there is no topic there is nothing to read; once there is one, or more partitions of it, they are read."""
    feed = topic.feed(look_for_topic_s=0.0, look_for_partitions_s=0.0)
    assert read(feed) == []
    assert feed.is_caught_up
    topic.create(1)
    topic.send(b"a")
    wait_for(lambda: poll(feed))
    topic.admin.create_partitions([NewPartitions(topic.name, 2)])[topic.name].result(30)
    wait_for(lambda: len(topic.admin.list_topics(topic.name, timeout=10).topics[topic.name].partitions) == 2)
    topic.send(b"b", partition=1)
    wait_for(lambda: poll(feed))
