"""A producer whose transactional id the broker has forgotten, as it is with a stand-by replica after a week."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.adapters.kafka.config import consumer_config, reader_config
from consumer.adapters.kafka.outbox import _DUEL_FENCES, KafkaOutbox
from consumer.core.errors import ProducerFenced
from consumer.core.model import Message, TopicPartition
from consumer.core.ports import Commit, Position
from consumer.settings import KafkaSettings
from devstack.kafka import kafka
from devstack.service import free_port
from harness.waiting import wait_for

EXPIRATION_S = 5  # enough for one publication on a busy machine


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that forgets a transactional id within seconds; it looks for such ids every half second."""
    port = free_port()
    further = {
        "transactional.id.expiration.ms": f"{1000 * EXPIRATION_S}",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
        "producer.id.expiration.ms": f"{1000 * EXPIRATION_S}",
    }
    running = kafka(tmp_path_factory.mktemp("forgetful"), port, further=further).start()
    yield f"127.0.0.1:{port}"
    running.stop()


class Member:
    """The only member of a group that reads one topic, and an outbox for what becomes of its records."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        self.settings = KafkaSettings(bootstrap_servers=bootstrap_servers, group_id=name)
        self.admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self.requests, self.results = f"{name}.requests", f"{name}.results"
        for future in self.admin.create_topics([NewTopic(t, 1, 1) for t in (self.requests, self.results)]).values():
            future.result(30)
        self.consumer = Consumer(consumer_config(self.settings, None))
        self.consumer.subscribe([self.requests])
        wait_for(lambda: self.consumer.poll(0.1) is None and bool(self.consumer.assignment()))
        self.outbox = KafkaOutbox(self.settings, instance_id="i")
        self.outbox.open(30)

    def publish(self, offset: int, *messages: Message) -> None:
        """One commit of the group's, as the committer makes it."""
        commit = Commit(
            partition=TopicPartition(self.requests, 0),
            position=Position(offset=offset),
            membership=self.consumer.consumer_group_metadata(),
            messages=messages,
        )
        self.outbox.publish([commit])

    def until_forgotten(self, offset: int, *messages: Message) -> str:
        """Idle for so long that the broker forgets the producer; returns what the commit after that is refused with."""
        for _ in range(5):
            until = time.monotonic() + EXPIRATION_S + 3.0
            while time.monotonic() < until:
                self.consumer.poll(0.1)
            try:
                self.publish(offset, *messages)
            except ProducerFenced as forgotten:
                return str(forgotten)
        pytest.fail("the broker forgets nobody")

    def committed(self) -> int:
        [found] = self.consumer.committed([KafkaPartition(self.requests, 0)], timeout=30)
        return int(found.offset)

    def published(self) -> list[bytes | None]:
        """The values of all committed records of the results."""
        reader = Consumer(reader_config(self.settings, properties={"enable.partition.eof": True}))
        reader.assign([KafkaPartition(self.results, 0, 0)])
        found: list[bytes | None] = []
        while (message := reader.poll(30)) is not None and message.error() is None:
            found.append(message.value())
        assert message is not None, "the end of the results was not reached"
        reader.close()
        return found


@pytest.mark.parametrize("has_message", [True, False], ids=["an outcome", "a start"])
@pytest.mark.parametrize("has_published", [True, False], ids=["after work", "never used"])
def test_a_producer_that_was_forgotten_is_replaced(forgetful: str, has_message: bool, has_published: bool) -> None:
    """After a time longer than `transactional.id.expiration.ms` the next outcome, or start, is published once."""
    member = Member(forgetful, f"idle-{has_message}-{has_published}".lower())
    message = Message(topic=member.results, key=b"k", value=b"after")
    if has_published:
        member.publish(1)
    following = (message,) if has_message else ()
    assert "producer id" in member.until_forgotten(2, *following)
    assert member.committed() != 2
    member.publish(2, *following)
    assert member.committed() == 2
    assert member.published() == ([b"after"] if has_message else [])
    member.consumer.close()


def test_being_forgotten_is_no_duel(forgetful: str) -> None:
    """However often that happens, it is not taken for another replica of the same name."""
    member = Member(forgetful, "often")
    for offset in range(1, _DUEL_FENCES + 1):
        member.until_forgotten(offset)
        member.publish(offset)
    assert member.committed() == _DUEL_FENCES
    member.consumer.close()
