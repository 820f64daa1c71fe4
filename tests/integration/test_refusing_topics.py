"""A topic that does not take what is for it: the partition whose outcome that is waits, and all others go on."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from consumer.core.events import DeadLetter, SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


def set_topic(platform: Platform, name: str, value: str) -> None:
    """Change one setting of the dead-letter topic."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, platform.topic("DEAD_LETTER"), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result(30)


def compact(platform: Platform) -> None:
    set_topic(platform, "cleanup.policy", "compact")


def keep_all(platform: Platform) -> None:
    set_topic(platform, "cleanup.policy", "delete")


def take_little(platform: Platform) -> None:
    """Less than a dead letter has without the record that it is about."""
    set_topic(platform, "max.message.bytes", "100")


def take_much(platform: Platform) -> None:
    set_topic(platform, "max.message.bytes", str(2 << 20))


def delete(platform: Platform) -> None:
    topic = platform.topic("DEAD_LETTER")
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics)


def create(platform: Platform) -> None:
    created = platform.run("topics", "create", "--partitions", "6")
    assert created.returncode == 0, created.stderr


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [(compact, keep_all), (delete, create), (take_little, take_much)],
    ids=["compacted", "missing", "too small"],
)
def test_what_one_topic_refuses_keeps_no_other_partition_waiting(
    platform: Platform, tmp_path: Path, spoil: Callable[[Platform], None], mend: Callable[[Platform], None]
) -> None:
    """A record without a key that is no request: its dead letter waits, and the results of others do not."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    letters = platform.topic("DEAD_LETTER")
    spoil(platform)
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    requests = [platform.a_request(key) for _ in range(4)]
    # All of them wait before the replica starts, so that their outcomes may well share transactions.
    producer.produce(platform.topic("REQUESTS"), b"no request", partition=0)
    for number, request in enumerate(requests):
        producer.produce(
            platform.topic("REQUESTS"),
            platform.codec.encode(request),
            request.request_id.encode(),
            partition=1 + number,
        )
    assert producer.flush(30) == 0
    replica = platform.start_replica()
    wait_for(lambda: len(platform.read_outcomes()) == 4)
    results = platform.read_outcomes()
    assert all(isinstance(outcome, SeparationResult) for outcome in results)
    assert {outcome.request_id for outcome in results} == {request.request_id for request in requests}
    wait_for(lambda: bool(replica.said("publish.blocked")))
    assert all(f"topic {letters}: " in str(line["reason"]) for line in replica.said("publish.blocked"))
    wait_for(lambda: (page := replica.get("/ready")) is not None and f"topic {letters}: " in page.text)
    assert letters not in _topics(platform) or spoil is not delete  # nobody but an operator makes it
    mend(platform)
    outcomes = platform.outcomes(5)
    assert [type(outcome) for outcome in outcomes].count(DeadLetter) == 1
    replica.wait_ready()


def _topics(platform: Platform) -> set[str]:
    return set(AdminClient({"bootstrap.servers": platform.bootstrap_servers}).list_topics(timeout=10).topics)


def test_records_too_large_for_the_dead_letter_topic_stop_nobody(platform: Platform, tmp_path: Path) -> None:
    """Each of them has its letter, without the record; results go on meanwhile, and no replica takes it for a rival."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    set_topic(platform, "max.message.bytes", "20000")
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    noise = random.Random(6)
    for number in range(8):  # what no codec makes smaller
        producer.produce(platform.topic("REQUESTS"), noise.randbytes(900_000), partition=number % 6)
    assert producer.flush(30) == 0
    requests = [platform.request(key) for _ in range(4)]
    replica = platform.start_replica()
    outcomes = platform.outcomes(12)
    results = [outcome for outcome in outcomes if isinstance(outcome, SeparationResult)]
    letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
    assert sorted(each.request_id for each in results) == sorted(request.request_id for request in requests)
    assert len({(letter.partition, letter.offset) for letter in letters}) == len(letters) == 8
    assert all(letter.original_value is None for letter in letters)
    assert replica.process.poll() is None
