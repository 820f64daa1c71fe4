"""A group that was scaled to none for longer than its offsets are kept, on a broker that keeps them for a minute."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.retrying import retried
from consumer.core.events import DeadLetter, SeparationResult
from devstack.kafka import kafka as a_kafka
from devstack.service import free_port
from harness.clips import write_clip
from harness.platform import Platform, make_platform
from harness.waiting import PATIENCE_S, wait_for
from tests.conftest import MinioServer

FURTHER = {
    "offsets.retention.minutes": "1",
    "offsets.retention.check.interval.ms": "2000",
}


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    running = a_kafka(tmp_path_factory.mktemp("forgetful"), port, further=FURTHER).start()
    yield f"127.0.0.1:{port}"
    running.stop()


def committed(platform: Platform) -> list[int]:
    """Of the requests' only partition and of the first retry topic's."""
    reader = Consumer({
        "bootstrap.servers": platform.bootstrap_servers, "group.id": platform.environment["KAFKA_GROUP_ID"],
    })  # fmt: skip
    topic = platform.topic("REQUESTS")
    places = [KafkaPartition(topic, 0), KafkaPartition(f"{topic}.retry-1", 0)]
    found = retried(lambda: reader.committed(places, timeout=30), PATIENCE_S)
    reader.close()
    return [place.offset for place in found]


def until_forgotten(platform: Platform) -> None:
    wait_for(lambda: max(committed(platform)) < 0, every_s=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A platform whose replica did its work and went, and then its group was forgotten. outcomes: those by then."""

    platform: Platform
    done: list[str]
    outcomes: int


def leave(platform: Platform, *, requests: int, **environment: str) -> Left:
    """So many requests are done, a record that is none is a dead letter, and nobody is left."""
    key = platform.upload(write_clip(platform.folder / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica(**environment)
    replica.wait_ready()
    done = [platform.request(key).request_id for _ in range(requests)]
    platform.send(b"no request", "garbage")
    outcomes = platform.outcomes(requests + 1)
    replica.process.terminate()
    replica.process.wait(60)
    return Left(platform=platform, done=done, outcomes=len(outcomes))


@pytest.fixture(scope="module")
def forgotten(
    forgetful: str, minio: MinioServer, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Iterator[Mapping[str, Left]]:
    """Those of either protocol, and one that only had what is no request. They are forgotten in the same minute."""
    platforms = {
        name: make_platform(forgetful, minio.endpoint, tmp_path_factory.mktemp(name), model_path, partitions=1)
        for name in ("consumer", "classic", "nothing new")
    }
    left = {name: leave(platforms[name], requests=3, KAFKA_GROUP_PROTOCOL=name) for name in ("consumer", "classic")} | {
        "nothing new": leave(platforms["nothing new"], requests=0)
    }
    for platform in platforms.values():
        until_forgotten(platform)
    yield left
    for platform in platforms.values():
        platform.close()


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_no_record_has_a_second_outcome(forgotten: Mapping[str, Left], protocol: str) -> None:
    """Results, dead letters and retries tell what is done; what came in while nobody ran is done, once."""
    platform, done = forgotten[protocol].platform, forgotten[protocol].done
    waiting = [platform.request("song.wav").request_id for _ in range(2)]
    again = platform.start_replica(KAFKA_GROUP_PROTOCOL=protocol)
    outcomes = platform.outcomes(6)
    # Time for what is read again to be done again, if it were.
    until = time.monotonic() + 5.0
    wait_for(lambda: time.monotonic() > until)
    outcomes = platform.read_outcomes()
    results = [outcome.request_id for outcome in outcomes if isinstance(outcome, SeparationResult)]
    assert sorted(results) == sorted([*done, *waiting])
    assert [type(outcome) for outcome in outcomes].count(DeadLetter) == 1
    assert len(outcomes) == forgotten[protocol].outcomes + 2
    [line] = again.said("partition.position_recalled")
    assert (line["topic"], line["partition"], line["position"]) == (platform.topic("REQUESTS"), 0, 4)
    assert committed(platform)[0] == 6


def test_where_nothing_is_new_the_position_is_committed_again(forgotten: Mapping[str, Left]) -> None:
    """Also for an operator who looks at the lag: it is 0, and nothing is published."""
    platform = forgotten["nothing new"].platform
    assert forgotten["nothing new"].outcomes == 1
    assert platform.lag() > 0
    platform.start_replica()
    wait_for(lambda: platform.lag() == 0)
    assert len(platform.read_outcomes()) == 1


def test_doctor_and_the_log_tell_of_it(forgetful: str, minio: MinioServer, tmp_path: Path, model_path: Path) -> None:
    """A minute is less than requests are kept."""
    platform = make_platform(forgetful, minio.endpoint, tmp_path, model_path, partitions=1)
    told = platform.run("doctor", MAX_OBJECT_BYTES="1000000")
    assert told.returncode == 1
    assert "kafka: offsets.retention.minutes is 1 on the brokers, less than retention.ms of topic " in told.stdout
    replica = platform.start_replica()
    wait_for(lambda: bool(replica.said("kafka.setting")))
    assert "offsets.retention.minutes is 1" in str(replica.said("kafka.setting")[0]["finding"])
    platform.close()
