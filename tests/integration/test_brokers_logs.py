"""What an operator does to the brokers' logs and groups while there is work: each request has exactly one outcome."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.core.events import SeparationRequest, SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.waiting import wait_for


def ids_of(platform: Platform, count: int) -> list[str]:
    """Whose the results are, once there are so many outcomes; all are results, and none is there twice."""
    outcomes = platform.outcomes(count)
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)
    ids = [outcome.request_id or "" for outcome in outcomes]
    assert len(ids) == len(set(ids)) == count
    return ids


def ids(requests: Sequence[SeparationRequest]) -> set[str]:
    return {request.request_id for request in requests}


@pytest.fixture
def key(platform: Platform, tmp_path: Path) -> str:
    """A song in the store."""
    return platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))


def test_a_group_goes_from_one_protocol_to_the_other_and_back(platform: Platform, key: str) -> None:
    """What is committed under one rebalance protocol holds under the other: nothing is done again, nothing left out."""
    requests: list[SeparationRequest] = []
    for protocol in ("classic", "consumer", "classic"):
        replica = platform.start_replica(KAFKA_GROUP_PROTOCOL=protocol)
        replica.wait_ready()
        requests += [platform.request(key) for _ in range(3)]
        assert set(ids_of(platform, len(requests))) == ids(requests)
        replica.process.terminate()
        assert replica.process.wait(60) == 0
    assert platform.lag() == 0


def test_a_rolling_change_of_the_protocol_loses_nothing(platform: Platform, key: str) -> None:
    """Members of both protocols share the group while its replicas are replaced one by one."""
    first = platform.start_replica(KAFKA_GROUP_PROTOCOL="classic")
    first.wait_ready()
    requests = [platform.request(key) for _ in range(4)]
    second = platform.start_replica(KAFKA_GROUP_PROTOCOL="consumer")
    requests += [platform.request(key) for _ in range(4)]
    second.wait_ready()
    requests += [platform.request(key) for _ in range(4)]
    first.process.terminate()
    assert first.process.wait(60) == 0
    requests += [platform.request(key) for _ in range(2)]
    assert set(ids_of(platform, len(requests))) == ids(requests)
    wait_for(lambda: platform.lag() == 0)


@pytest.mark.parametrize("kept", [1, 0], ids=["all but the last", "all"])
def test_records_that_were_deleted_hold_nobody_up(one_partition: Platform, tmp_path: Path, kept: int) -> None:
    """Where the log begins behind the group's position, what is left there is done, and what comes later too."""
    platform = one_partition
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=6))
    replica = platform.start_replica()
    replica.wait_ready()
    requests = [platform.request(key) for _ in range(2)]
    assert set(ids_of(platform, 2)) == ids(requests)
    replica.process.terminate()
    assert replica.process.wait(60) == 0
    waiting = [platform.request(key) for _ in range(4)]
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    place = TopicPartition(platform.topic("REQUESTS"), 0, len(requests) + len(waiting) - kept)
    admin.delete_records([place])[place].result(30)
    again = platform.start_replica()
    again.wait_ready()
    requests += waiting[len(waiting) - kept :]
    requests += [platform.request(key) for _ in range(2)]
    assert set(ids_of(platform, len(requests))) == ids(requests)
    wait_for(lambda: platform.lag() == 0)
    assert again.process.poll() is None


def test_records_that_are_deleted_under_a_running_replica_hold_nobody_up(platform: Platform, key: str) -> None:
    """As retention does it, up to the end: work that is begun ends with its outcome, and the next is done."""
    replica = platform.start_replica()
    replica.wait_ready()
    requests = [platform.request(key) for _ in range(6)]
    wait_for(lambda: len(platform.read_outcomes()) > 0)
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    places = [TopicPartition(platform.topic("REQUESTS"), number, -1) for number in range(6)]  # -1: all there is
    for deleted in admin.delete_records(places).values():
        deleted.result(30)
    wait_for(lambda: platform.lag() == 0)
    later = [platform.request(key) for _ in range(3)]
    wait_for(lambda: ids(later) <= {outcome.request_id for outcome in platform.read_outcomes()})
    done = [outcome.request_id for outcome in platform.read_outcomes()]
    assert len(done) == len(set(done))
    assert set(done) <= ids(requests) | ids(later)
    assert replica.process.poll() is None
