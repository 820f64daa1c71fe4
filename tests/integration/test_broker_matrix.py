"""What happens to topics and groups in the world, while a replica runs: each record has exactly one outcome after it.

Compacted and missing topics, topics made anew, forgotten producers and forgotten offsets have modules of their own.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from consumer.core.events import DeadLetter, SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for

LARGE = random.Random(1).randbytes(900_000)  # which nothing packs any smaller


@dataclass(slots=True, kw_only=True)
class World:
    """A platform with one replica, and what was sent to it."""

    platform: Platform
    clip: str
    replica: ReplicaProcess
    sent: list[str]
    admin: AdminClient

    def send(self, count: int, partition: int | None = None, *, ahead_s: float = 0.0) -> None:
        """Requests; to that partition, or to any, by a sender whose clock is so far ahead."""
        producer = Producer({"bootstrap.servers": self.platform.bootstrap_servers})
        for _ in range(count):
            request = self.platform.a_request(self.clip)
            producer.produce(
                self.platform.topic("REQUESTS"),
                self.platform.codec.encode(request),
                request.request_id.encode(),
                -1 if partition is None else partition,
                timestamp=round((time.time() + ahead_s) * 1000),
            )
            self.sent.append(request.request_id)
        assert producer.flush(30) == 0

    def set_topic(self, kind: str, settings: Mapping[str, str]) -> None:
        entries = [ConfigEntry(n, v, incremental_operation=AlterConfigOpType.SET) for n, v in settings.items()]
        resource = ConfigResource(ResourceType.TOPIC, self.platform.topic(kind), incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def settled(self) -> bool:
        return len(self.platform.read_outcomes()) >= len(self.sent)

    def restart(self, **environment: str) -> None:
        """The replica ends in good order, and another one of its name begins."""
        self.replica.process.terminate()
        assert self.replica.process.wait(60) == 0
        self.replica = self.platform.start_replica(INSTANCE_ID="replica-0", **environment)


def add_partitions(world: World) -> None:
    """Of the requests and of their retry topics, with records in the new ones before the replica hears of them."""
    topic = world.platform.topic("REQUESTS")
    new = [NewPartitions(name, 9) for name in (topic, f"{topic}.retry-1", f"{topic}.retry-2")]
    for answer in world.admin.create_partitions(new).values():
        answer.result(30)
    wait_for(lambda: len(world.admin.list_topics(timeout=10).topics[topic].partitions) == 9)
    world.send(2, partition=8)


def delete_done_records(world: World) -> None:
    """All that is done, as an operator does who wants room: what begins behind it is read on."""
    wait_for(world.settled)
    topic = world.platform.topic("REQUESTS")
    places = [TopicPartition(topic, number, -1) for number in range(6)]  # up to the end
    for answer in world.admin.delete_records(places).values():
        answer.result(30)


def from_classic_to_consumer_and_back(world: World) -> None:
    """A group is of one protocol at a time, and what it has committed is valid in both."""
    for protocol in ("classic", "consumer", "classic"):
        world.restart(KAFKA_GROUP_PROTOCOL=protocol)
        world.send(2)
        wait_for(world.settled)


def forget_the_group_of_a_sender_whose_clock_is_ahead(world: World) -> None:
    """By days, as brokers before Kafka 4.0 take it; what it sent is done once, although its outcomes seem older."""
    world.set_topic("REQUESTS", {"message.timestamp.after.max.ms": str(7 * 86_400_000)})
    world.send(3, ahead_s=3 * 86_400)
    wait_for(world.settled)
    world.replica.process.terminate()
    assert world.replica.process.wait(60) == 0
    wait_for(lambda: is_forgotten(world))  # not before the member's session is over
    world.replica = world.platform.start_replica(INSTANCE_ID="replica-0")


def is_forgotten(world: World) -> bool:
    group = world.platform.environment["KAFKA_GROUP_ID"]
    try:
        world.admin.delete_consumer_groups([group])[group].result(30)
    except KafkaException:
        return False
    return True


def let_a_large_record_have_its_letter(world: World) -> None:
    """On topics as they are created a record of 900 KB is in its dead letter whole."""
    world.platform.send(LARGE, "large")
    world.sent.append("large")
    wait_for(world.settled)
    [letter] = [each for each in world.platform.read_outcomes() if isinstance(each, DeadLetter)]
    assert letter.original_value == LARGE


@pytest.mark.parametrize(
    "disturb",
    [
        add_partitions,
        delete_done_records,
        from_classic_to_consumer_and_back,
        forget_the_group_of_a_sender_whose_clock_is_ahead,
        let_a_large_record_have_its_letter,
    ],
)
def test_each_record_has_one_outcome(platform: Platform, tmp_path: Path, disturb: Callable[[World], None]) -> None:
    """Before, meanwhile and after it; the lag is 0 in the end, and the replica is ready."""
    clip = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica(INSTANCE_ID="replica-0")
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    world = World(platform=platform, clip=clip, replica=replica, sent=[], admin=admin)
    world.replica.wait_ready()
    world.send(6)
    disturb(world)
    world.send(3)
    outcomes = platform.outcomes(len(world.sent))
    ids = [outcome.request_id for outcome in outcomes if isinstance(outcome, SeparationResult)]
    ids += [(each.original_key or b"").decode() for each in outcomes if isinstance(each, DeadLetter)]
    assert Counter(ids) == Counter(world.sent)
    world.replica.wait_ready()
