"""Lag on a real broker, beside the truth: what was sent, what the group has committed, when."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from consumer.adapters.kafka.lag import KafkaLagReader
from consumer.adapters.kafka.retrying import retried
from consumer.core.lag import READ_AHEAD, PartitionLag, ReadAhead
from consumer.core.model import TopicPartition
from consumer.observability.lag import RequestEstimator
from consumer.settings import KafkaSettings
from harness.clips import write_clip
from harness.fakes import a_request
from harness.platform import Platform
from harness.replica_process import ReplicaProcess, series
from harness.waiting import PATIENCE_S, wait_for

CLOSE_S = 1.0  # the issue's own bound for an age


class Group:
    """A group without members: its committed positions, what is sent to it, and how its lag is read."""

    def __init__(self, platform: Platform, read_ahead: ReadAhead = READ_AHEAD) -> None:
        self.platform, self.topic = platform, platform.topic("REQUESTS")
        settings = KafkaSettings(
            bootstrap_servers=platform.bootstrap_servers, group_id=platform.environment["KAFKA_GROUP_ID"]
        )
        self.kafka_lag = KafkaLagReader(
            settings, [self.topic, f"{self.topic}.retry-1"], RequestEstimator(platform.codec), read_ahead=read_ahead
        )
        self.value = platform.codec.encode(a_request(duration_s=30.0))
        self._consumer = Consumer({
            "bootstrap.servers": platform.bootstrap_servers, "group.id": settings.group_id, "enable.auto.commit": False,
        })  # fmt: skip

    def send(self, count: int, *, partition: int = 0, at_s: float | None = None, topic: str | None = None) -> None:
        producer = Producer({"bootstrap.servers": self.platform.bootstrap_servers})
        for _ in range(count):
            producer.produce(
                topic or self.topic, self.value, partition=partition, timestamp=round((at_s or time.time()) * 1000)
            )
        assert producer.flush(30) == 0

    def transact(self, *counts: int, ends: str = "commit", partition: int = 0) -> Producer:
        """One transaction for each count, all ended the same way."""
        producer = Producer({
            "bootstrap.servers": self.platform.bootstrap_servers, "transactional.id": f"{self.topic}-{ends}",
            "transaction.timeout.ms": 600_000,  # the brokers end none of them, however long a test takes
        })  # fmt: skip
        producer.init_transactions(30)
        for count in counts:
            producer.begin_transaction()
            for _ in range(count):
                producer.produce(self.topic, self.value, partition=partition)
            assert producer.flush(30) == 0
            if ends != "never":
                {"commit": producer.commit_transaction, "abort": producer.abort_transaction}[ends](30)
        return producer

    def commit(self, offset: int, *, partition: int = 0) -> None:
        position = KafkaPartition(self.topic, partition, offset)
        retried(lambda: self._consumer.commit(offsets=[position], asynchronous=False), PATIENCE_S)

    def lag(self, partition: int = 0, *, topic: str | None = None) -> PartitionLag:
        found = {lag.partition: lag for lag in self.kafka_lag.read(timeout_s=60.0).lags}
        return found[TopicPartition(topic or self.topic, partition)]

    def counts(self) -> list[int]:
        return [lag.messages for lag in self.kafka_lag.read(timeout_s=60.0).lags if lag.partition.topic == self.topic]

    def close(self) -> None:
        self.kafka_lag.stop()
        self._consumer.close()


@pytest.fixture
def group(platform: Platform) -> Iterator[Group]:
    group = Group(platform)
    yield group
    group.close()


def test_every_partition_counts_whoever_owns_it(group: Group) -> None:
    """Without any member, and before the first commit, each partition tells its records; an empty one tells 0."""
    assert group.counts() == [0] * 6
    group.send(3, partition=0)
    group.send(2, partition=5)
    assert group.counts() == [3, 0, 0, 0, 0, 2]
    group.commit(2, partition=0)
    assert group.counts() == [1, 0, 0, 0, 0, 2]
    group.send(4, topic=f"{group.topic}.retry-1", partition=3)
    assert group.lag(3, topic=f"{group.topic}.retry-1").messages == 4


def test_age_is_that_of_the_oldest_unfinished_record(group: Group) -> None:
    """The age follows the committed position from record to record, and is 0 behind the last."""
    now_s = time.time()
    for age_s in (300.0, 100.0, 20.0):
        group.send(1, at_s=now_s - age_s)
    for offset, age_s in enumerate((300.0, 100.0, 20.0)):
        group.commit(offset)
        assert group.lag().waited_s(now_s) == pytest.approx(age_s, abs=CLOSE_S)
    group.commit(3)
    assert group.lag().waited_s(now_s) == 0.0
    assert group.lag().messages == 0


def test_what_is_behind_an_open_transaction_is_told_apart(group: Group) -> None:
    """Nobody can read it, so it is no lag; it is told beside it, with the time, and is a lag once its sender ends."""
    group.send(2)
    group.lag()
    began_s = time.time()
    sender = group.transact(1, ends="never")
    group.send(4)  # committed, but behind the sender's
    wait_for(lambda: group.lag().held == 5)
    found = group.lag()
    assert (found.messages, group.lag(1).held) == (2, 0)
    assert began_s <= found.held_since_s <= time.time()
    assert group.lag().held_since_s == found.held_since_s  # as long as it stands
    told = group.platform.run("lag")
    assert told.stdout.splitlines()[0].split() == ["topic", "partition", "messages", "seconds", "held"]
    assert f"{group.topic} 0 2" in " ".join(told.stdout.split())
    sender.commit_transaction(30)
    wait_for(lambda: (group.lag().messages, group.lag().held) == (7, 0))


def test_markers_and_aborted_records_are_no_work(group: Group) -> None:
    """Records of committed transactions count; their markers, aborted records and open transactions don't."""
    group.transact(2, 3)
    # A commit is answered before its markers are written, and records are seen behind those.
    wait_for(lambda: group.lag().messages == 5)
    group.transact(4, ends="abort")
    wait_for(lambda: group.lag().messages == 5)
    group.commit(6)  # two records and a marker, and three records
    assert (group.lag().messages, group.lag().oldest_at_s) == (0, None)
    producer = group.transact(2, ends="never")
    assert group.lag().messages == 0
    producer.commit_transaction(30)
    wait_for(lambda: group.lag().messages == 2)


def test_nobody_owns_it_and_only_markers_are_left(group: Group) -> None:
    """A partition without an owner whose last record is done is drained, exactly, however many markers follow."""
    group.transact(1)
    group.commit(1)
    group.transact(3, 3, ends="abort")
    lag = group.lag()
    assert (lag.messages, lag.oldest_at_s, lag.demand) == (0, None, {})


def test_positions_that_are_set_back_and_records_that_are_deleted(group: Group) -> None:
    """An operator who sets the group back gets its records counted again; records that are gone don't count."""
    group.send(5)
    group.commit(5)
    assert group.lag().messages == 0
    group.commit(1)
    assert group.lag().messages == 4
    admin = AdminClient({"bootstrap.servers": group.platform.bootstrap_servers})
    for future in admin.delete_records([KafkaPartition(group.topic, 0, 3)]).values():
        future.result(300)
    assert group.lag().messages == 2


def test_records_of_a_log_that_ends_before_the_position_count(group: Group) -> None:
    """Where a topic was made anew, or cut, while nobody ran, they have to bring a replica that does them."""
    group.commit(100)
    group.send(3)
    assert group.counts() == [3, 0, 0, 0, 0, 0]
    assert sum(lag.messages for lag in group.kafka_lag.read_offsets().lags) == 3
    group.commit(3)
    assert group.counts() == [0] * 6


@pytest.fixture
def shallow_group(platform: Platform) -> Iterator[Group]:
    """One whose partitions are read only a little way ahead."""
    group = Group(platform, ReadAhead(records=20))
    yield group
    group.close()


def test_a_deep_backlog_is_not_read_to_its_end(shallow_group: Group) -> None:
    """Beyond the bound the count comes from offsets; once the group is near the end it is exact again."""
    group = shallow_group
    group.send(100)
    assert group.lag().messages == 100
    group.commit(15)  # roomy again: read on
    assert group.lag().messages == 85
    group.commit(70)  # past all that was read
    assert group.lag().messages == 30
    group.commit(95)
    assert group.lag().messages == 5
    group.commit(100)
    assert group.lag().messages == 0


def test_work_is_told_by_the_requests_themselves(group: Group) -> None:
    """The demand holds each request's own duration, under its model."""
    group.send(2)
    assert group.lag().demand["2stems"].audio_ms == 60_000


def told_page(replica: ReplicaProcess) -> str:
    """One page of its metrics that has the lag: on a busy machine what was read may be too old to be told just now."""
    pages: list[str] = []

    def is_there() -> bool:
        page = replica.get("/metrics")
        pages[:] = [page.text] if page is not None and series(page.text, "lag_messages") else []
        return bool(pages)

    wait_for(is_there)
    return pages[0]


def told_at_most(replica: ReplicaProcess, most: int) -> float:
    """The sum of what it tells, once that is no more than `most`."""
    told: list[float] = []

    def is_there() -> bool:
        told[:] = list(replica.gauges("lag_messages").values())
        return bool(told) and sum(told) <= most

    wait_for(is_there)
    return sum(told)


def table(platform: Platform) -> dict[tuple[str, int], dict[str, float]]:
    """What `spleeter-consumer lag --json` says."""
    ran = platform.run("lag", "--json")
    assert ran.returncode == 0, ran.stderr
    return {(row["topic"], row["partition"]): row for row in json.loads(ran.stdout)}


def test_a_replica_tells_the_group_s_lag_through_load_and_drain(platform: Platform, tmp_path: Path) -> None:
    """Before, under and after load: all partitions of requests and retry topics, in the end exactly 0."""
    requests, retries = platform.topic("REQUESTS"), [f"{platform.topic('REQUESTS')}.retry-{n}" for n in (1, 2)]
    everywhere = {(topic, number) for topic in (requests, *retries) for number in range(6)}
    drained = dict.fromkeys(everywhere, 0.0)
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=20.0, seed=1))
    sent_at = time.time()
    for _ in range(12):
        platform.request(key, duration_s=15.0)
    before = table(platform)
    assert before.keys() == everywhere
    assert sum(row["messages"] for row in before.values()) == 12
    assert max(row["seconds"] for row in before.values()) <= time.time() - sent_at + CLOSE_S

    first = platform.start_replica(TARGET_WAIT_S="1ms")
    page = told_page(first)
    assert series(page, "lag_messages").keys() == everywhere
    if sum(series(page, "lag_messages").values()) == 12:  # it has not begun yet
        assert series(page, "backlog_work_seconds")["", -1] > 0
        assert series(page, "desired_replicas")["", -1] == 6
    first.wait_ready()
    deadline = time.monotonic() + PATIENCE_S
    while (left := platform.lag()) > 0:  # here every offset is a record
        assert time.monotonic() < deadline
        told = told_at_most(first, left)
        assert platform.lag() <= told, "it tells less than there is"
    wait_for(lambda: first.gauges("lag_messages") == drained)
    page = told_page(first)
    for name in ("lag_messages", "lag_seconds"):
        assert series(page, name) == drained
    for name in ("backlog_work_seconds", "desired_replicas"):
        assert series(page, name) == {("", -1): 0.0}
    assert 'separation_realtime_factor{model="2stems"}' in page
    assert all(row["messages"] == 0 for row in table(platform).values())
