"""Replicas that come and go while there is work: what is finished is not done again, what is kept is not lost."""

import itertools
import random
import signal
import time
from collections.abc import Callable, Mapping

import pytest

from consumer.core.events import SeparationResult
from harness.chaos.oracle import judge
from harness.chaos.separator import WAITS
from harness.chaos.traffic import Traffic
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import LONG_PATIENCE_S, wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer

NewTraffic = Callable[[], Traffic]
MAX_POLL_S = 6.0  # the least that is taken


@pytest.fixture
def new_traffic(new_platform: NewPlatform, kafka: Kafka, minio: MinioServer) -> NewTraffic:
    def make() -> Traffic:
        traffic = Traffic(new_platform(kafka.bootstrap_servers, minio.endpoint), random.Random(3))
        traffic.add_sources(5)
        return traffic

    return make


def finish(traffic: Traffic) -> None:
    """All of it done, and right."""
    traffic.flush()
    wait_for(lambda: traffic.platform.lag() == 0, patience_s=LONG_PATIENCE_S)
    assert judge(traffic.platform, traffic.sent, traffic.sources) == []


def partitions_of(replica: ReplicaProcess) -> set[str]:
    """Of those requests that a replica holds now."""
    held: set[str] = set()
    for line in replica.lines():
        if line["event"] == "partitions.assigned":
            held |= set(map(str, line["partitions"]))  # type: ignore[call-overload]
        elif line["event"] in ("partitions.revoked", "partitions.lost"):
            held -= set(map(str, line["partitions"]))  # type: ignore[call-overload]
    return {name for name in held if ".retry-" not in name}


def begun_after_their_result(platform: Platform) -> list[object]:
    """Requests that a replica separated although, when it took them up, their result had been published."""
    lines = [line for replica in platform.replicas for line in replica.lines() if line.get("request_id")]
    published_at: dict[object, str] = {}  # the first time: a request may have been sent more than once
    for line in lines:
        if line["event"] == "separation.published":
            at = str(line["timestamp"])
            published_at[line["request_id"]] = min(at, published_at.get(line["request_id"], at))
    separated = {turn_of(line) for line in lines if line["event"] == "separation.separate"}
    return [
        line["request_id"]
        for line in lines
        if line["event"] == "separation.validate"
        and turn_of(line) in separated
        and str(line["timestamp"]) > published_at.get(line["request_id"], "9")
    ]


def turn_of(line: Mapping[str, object]) -> tuple[object, ...]:
    """Whose work on which record a line tells of."""
    return tuple(line[name] for name in ("instance_id", "topic", "partition", "offset"))


@pytest.mark.parametrize("events", [6, pytest.param(50, marks=pytest.mark.long)])
def test_scaling_repeats_nothing_that_is_finished(new_traffic: NewTraffic, events: int) -> None:
    """Replicas join and leave under load; no job is separated again after its result, and all is done once."""
    traffic = new_traffic()
    platform, alive = traffic.platform, [traffic.platform.start_replica()]
    alive[0].wait_ready()
    chance = random.Random(events)

    def goes_on(condition: Callable[[], object]) -> None:
        """Under load until then; a machine that takes long for it is not given ever more to do."""
        pauses_s = itertools.chain(itertools.repeat(0.1, 100), itertools.repeat(2.0))

        def send() -> None:
            traffic.send_mix(2)
            time.sleep(next(pauses_s))

        wait_for(lambda: send() or condition())  # type: ignore[func-returns-value]

    for _ in range(events):
        if len(alive) == 1 or (len(alive) < 3 and chance.random() < 0.5):
            new = platform.start_replica()
            goes_on(lambda new=new: partitions_of(new))  # type: ignore[misc]
            alive.append(new)
        else:
            leaving = alive.pop(chance.randrange(len(alive)))
            leaving.process.send_signal(signal.SIGTERM)
            goes_on(lambda leaving=leaving: leaving.process.poll() is not None)  # type: ignore[misc]
            assert leaving.process.returncode == 0, leaving.log.read_text()[-2000:]
    finish(traffic)
    assert begun_after_their_result(platform) == []


def test_a_rebalance_ends_the_work_on_what_moves_and_on_nothing_else(new_traffic: NewTraffic) -> None:
    """Of six jobs at work those whose partitions move are cancelled and done elsewhere, the others go on.

    They last longer than the poll interval, and that alone moves nothing.
    """
    traffic = new_traffic()
    platform, release = traffic.platform, traffic.platform.folder / "release"
    traffic.add_source("long.wav", WAITS + b"song")

    def start() -> ReplicaProcess:
        return platform.start_replica(
            SEPARATOR_PROCESSES="6", CHAOS_RELEASE=str(release), KAFKA_MAX_POLL_INTERVAL_MS=f"{1000 * MAX_POLL_S:.0f}"
        )

    first = start()
    wait_for(lambda: len(partitions_of(first)) == traffic.partitions)
    sent = {traffic.send_request(partition=n, source="long.wav").request_id: n for n in range(traffic.partitions)}
    traffic.flush()
    wait_for(lambda: started(first) == set(sent))
    assigned = len(first.said("partitions.assigned"))
    time.sleep(3 * MAX_POLL_S)
    assert len(first.said("partitions.assigned")) == assigned
    assert first.said("partitions.revoked") == first.said("partitions.lost") == []

    second = start()
    wait_for(lambda: partitions_of(second) and len(partitions_of(first)) + len(partitions_of(second)) == len(sent))
    moved = {
        request
        for request, number in sent.items()
        if f"{platform.topic('REQUESTS')}[{number}]" in partitions_of(second)
    }
    wait_for(lambda: started(second) == moved)
    wait_for(lambda: cancelled(first) == moved)
    assert 0 < len(moved) < len(sent)
    release.touch()
    finish(traffic)
    separated = [
        (str(line["request_id"]), replica is second)
        for replica in (first, second)
        for line in replica.said("separation.separate")
    ]
    assert sorted(separated) == sorted((request, request in moved) for request in sent)


def cancelled(replica: ReplicaProcess) -> set[str]:
    """Requests whose separation a replica has given up."""
    failures = replica.said("separation.failed")
    return {str(line["request_id"]) for line in failures if line["kind"] == "Cancelled"}


def started(replica: ReplicaProcess) -> set[str]:
    """Requests whose separation a replica has begun, or is about to."""
    return {str(line["request_id"]) for line in replica.said("separation.fetch")}


def test_two_replicas_at_one_request(new_traffic: NewTraffic) -> None:
    """The same request in two partitions, at work in two replicas at once: whole stems, and an outcome for each."""
    traffic = new_traffic()
    platform, release = traffic.platform, traffic.platform.folder / "release"
    traffic.add_source("song.wav", WAITS + b"song")
    pair = [platform.start_replica(CHAOS_RELEASE=str(release)) for _ in range(2)]
    wait_for(lambda: all(partitions_of(replica) for replica in pair) and sum(map(len, map(partitions_of, pair))) == 6)
    places = [int(min(partitions_of(replica)).rpartition("[")[2][:-1]) for replica in pair]
    request = traffic.send_request(partition=places[0], source="song.wav")
    traffic.send_request(request, partition=places[1])
    traffic.flush()
    wait_for(lambda: all(started(replica) == {request.request_id} for replica in pair))
    release.touch()
    finish(traffic)
    results = platform.read_outcomes()
    assert [type(result) for result in results] == [SeparationResult, SeparationResult]
    assert all(len(replica.said("separation.separate")) == 1 for replica in pair)
