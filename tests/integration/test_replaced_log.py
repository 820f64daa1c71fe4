"""A request topic whose log is not the one that the group has read."""

import time
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import PATIENCE_S, wait_for


def test_requests_of_a_topic_that_was_made_anew_are_done(one_partition: Platform, tmp_path: Path) -> None:
    """Offsets begin at 0 again, below what the group has committed; the requests there are done all the same."""
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica()
    replica.wait_ready()
    before = [platform.request(key) for _ in range(3)]
    assert len(platform.outcomes(3)) == 3
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    topic = platform.topic("REQUESTS")
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics)
    created = platform.run("topics", "create", "--partitions", "1")
    assert created.returncode == 0, created.stderr
    after = [platform.request(key) for _ in range(2)]
    wait_for(lambda: len(platform.read_outcomes()) == 5)
    outcomes = platform.read_outcomes()
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    assert {outcome.request_id for outcome in outcomes} == {request.request_id for request in (*before, *after)}
    assert replica.process.poll() is None


@pytest.mark.parametrize(
    ("protocol", "missing_s", "count"),
    [("consumer", 0.0, 8), ("classic", 0.0, 8), ("classic", 0.0, 3), ("consumer", 2.5, 8), ("classic", 2.5, 8)],
)
def test_requests_of_a_topic_that_is_made_anew_are_done_once(
    one_partition: Platform, tmp_path: Path, protocol: str, missing_s: float, count: int
) -> None:
    """The new log is as long as what was read of the old one, or longer: its end tells nothing, but its id does.

    Also where the replica has seen that there was none in between: it looks once a second.
    """
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica(KAFKA_GROUP_PROTOCOL=protocol)
    replica.wait_ready()
    requests = [platform.request(key) for _ in range(3)]
    assert len(platform.outcomes(3)) == 3
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    topic = platform.topic("REQUESTS")
    admin.delete_topics([topic])[topic].result(30)
    time.sleep(missing_s)
    wait_for(lambda: _is_created(admin, topic))
    requests += [platform.request(key) for _ in range(count)]
    wait_for(lambda: len(platform.read_outcomes()) >= 3 + count and platform.lag() == 0)
    outcomes = platform.read_outcomes()
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    assert sorted(outcome.request_id or "" for outcome in outcomes) == sorted(each.request_id for each in requests)
    assert replica.process.poll() is None


def test_a_commit_of_the_old_log_passes_nothing_over_in_the_new_one(one_partition: Platform, tmp_path: Path) -> None:
    """Work that ends just after its topic was made anew is committed in the new one's name, behind what nobody read."""
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    group, topic = platform.environment["KAFKA_GROUP_ID"], platform.topic("REQUESTS")
    replica = platform.start_replica()
    requests = [platform.request(key) for _ in range(3)]
    assert len(platform.outcomes(3)) == 3
    replica.process.terminate()
    replica.process.wait(PATIENCE_S)
    question = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0)])
    [committed] = admin.list_consumer_group_offsets([question])[group].result(30).topic_partitions
    assert committed.offset == 3
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: _is_created(admin, topic))
    late = TopicPartition(topic, 0, committed.offset, committed.metadata)
    wait_for(lambda: _is_committed(admin, group, late))
    requests += [platform.request(key) for _ in range(5)]
    platform.start_replica()
    outcomes = platform.outcomes(8)
    assert sorted(outcome.request_id or "" for outcome in outcomes) == sorted(each.request_id for each in requests)
    wait_for(lambda: platform.lag() == 0)


def _is_created(admin: AdminClient, topic: str) -> bool:
    """At once: as soon as the broker takes the name again."""
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    except KafkaException:
        return False
    return True


def _is_committed(admin: AdminClient, group: str, position: TopicPartition) -> bool:
    """A new broker's coordinator has to load first."""
    asked = ConsumerGroupTopicPartitions(group, [position])
    [done] = admin.alter_consumer_group_offsets([asked])[group].result(30).topic_partitions
    return done.error is None


def test_requests_of_a_log_that_is_shorter_than_what_was_read_are_done(one_partition: Platform, tmp_path: Path) -> None:
    """Where the group's position lies behind the end of the log, its records are done, from the beginning."""
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    group, topic = platform.environment["KAFKA_GROUP_ID"], platform.topic("REQUESTS")

    wait_for(lambda: _is_committed(admin, group, TopicPartition(topic, 0, 100)))
    requests = [platform.request(key) for _ in range(2)]
    replica = platform.start_replica()
    outcomes = platform.outcomes(2)
    assert {outcome.request_id for outcome in outcomes} == {request.request_id for request in requests}
    [told] = replica.said("partition.log_was_replaced")
    assert (told["position"], told["begins_at"]) == (100, 0)


def test_an_offset_behind_the_end_of_the_log_has_nothing_done_again(one_partition: Platform, tmp_path: Path) -> None:
    """As an operator's mistake or a log that was cut leaves it: what is done is told by the outcomes."""
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica()
    requests = [platform.request(key) for _ in range(3)]
    assert len(platform.outcomes(3)) == 3
    replica.process.terminate()
    assert replica.process.wait(60) == 0
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    group, place = platform.environment["KAFKA_GROUP_ID"], TopicPartition(platform.topic("REQUESTS"), 0, 100)
    wait_for(lambda: _is_committed(admin, group, place))  # not before the member's session is over
    again = platform.start_replica()
    wait_for(lambda: platform.lag() == 0)
    requests += [platform.request(key) for _ in range(2)]
    outcomes = platform.outcomes(5)
    assert sorted(outcome.request_id or "" for outcome in outcomes) == sorted(each.request_id for each in requests)
    [told] = again.said("partition.log_was_replaced")
    assert told["position"] == 100
