"""Records that kill what works on them, or never end, in real replicas, among good ones."""

import random
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumer.core.events import DeadLetter, SeparationResult
from consumer.pipeline.crash_guard import MAX_STARTS
from consumer.pipeline.failure_policy import MAX_UNEXPECTED_IN_A_ROW
from harness.chaos.oracle import undecided
from harness.chaos.separator import FAILS, KILLS_REPLICA, KILLS_SEPARATOR, WAITS
from harness.chaos.traffic import Traffic
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import LONG_PATIENCE_S, wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer

GOOD = 10


@pytest.fixture
def traffic(new_platform: NewPlatform, kafka: Kafka, minio: MinioServer) -> Traffic:
    traffic = Traffic(new_platform(kafka.bootstrap_servers, minio.endpoint), random.Random(5))
    traffic.add_sources(3)
    return traffic


def send_good(traffic: Traffic, partition: int | None = None) -> None:
    traffic.send_request(partition=partition, source=traffic.random.choice([f"song-{n}.wav" for n in range(3)]))


def outcomes_of(platform: Platform) -> tuple[list[DeadLetter], list[SeparationResult]]:
    wait_for(lambda: not undecided(platform))  # each partition hears of a commit in its own time
    found = platform.read_outcomes()
    letters = [outcome for outcome in found if isinstance(outcome, DeadLetter)]
    return letters, [outcome for outcome in found if isinstance(outcome, SeparationResult)]


@pytest.mark.parametrize("poison", [KILLS_SEPARATOR, KILLS_REPLICA], ids=["separator", "replica"])
def test_a_record_that_kills_gets_three_starts(traffic: Traffic, poison: bytes) -> None:
    """A record that kills its separator, or the whole replica, is given up after three starts; the others are done."""
    platform = traffic.platform
    traffic.add_source("poison.wav", poison)
    for _ in range(GOOD // 2):
        send_good(traffic, partition=0)
    killer = traffic.send_request(partition=0, source="poison.wav")
    for _ in range(GOOD - GOOD // 2):
        send_good(traffic, partition=0)
    traffic.flush()
    replicas = [platform.start_replica()]

    def is_done() -> bool:
        """As an orchestrator would: what died is started again."""
        if replicas[-1].process.poll() is not None:
            replicas.append(platform.start_replica(INSTANCE_ID=f"next-{len(replicas)}"))
        return platform.lag() == 0

    wait_for(is_done)
    [letter], results = outcomes_of(platform)
    assert (letter.request_id, letter.code, letter.attempts) == (killer.request_id, "WORKER_CRASHED", MAX_STARTS)
    assert len(results) == GOOD
    deaths = [replica for replica in replicas if replica.process.poll() is not None]
    crashes = [line for replica in replicas for line in replica.said("separator.crashed") if "starts" in line]
    if poison == KILLS_REPLICA:
        assert [replica.process.returncode for replica in deaths] == [-signal.SIGKILL] * MAX_STARTS
    else:
        assert deaths == []
        assert [line["starts"] for line in crashes] == [1, 2, 3]
    assert not platform.objects(f"stems/{killer.request_id}/")


def test_a_bad_deployment_stops_instead_of_emptying_the_topic(traffic: Traffic) -> None:
    """When nothing but unexpected errors comes of it, the replica ends in one line, and the records stay."""
    platform = traffic.platform
    send_different(traffic, b"a song\n")
    replica = platform.start_replica(CHAOS_BROKEN="yes")
    wait_for(lambda: replica.process.poll() is not None)
    letters, results = outcomes_of(platform)
    assert (replica.process.returncode, results) == (1, [])
    last = replica.log.read_text().splitlines()[-1]
    assert last.endswith("the separator fails at a plain tone too: RuntimeError: nothing can be separated here")
    assert len(letters) < MAX_UNEXPECTED_IN_A_ROW
    assert {letter.code for letter in letters} <= {"SEPARATION_FAILED"}
    assert platform.lag() == 2 * MAX_UNEXPECTED_IN_A_ROW - len(letters)


@pytest.mark.parametrize("poison", [FAILS, KILLS_SEPARATOR], ids=["failing", "killing"])
def test_no_number_of_poisonous_files_stops_a_replica(traffic: Traffic, poison: bytes) -> None:
    """Each of another content, from one sender: the separator shows with a plain tone that it is not to blame."""
    platform, replica = traffic.platform, traffic.platform.start_replica()
    send_different(traffic, poison)
    wait_for(lambda: platform.lag() == 0, patience_s=LONG_PATIENCE_S)  # a separator starts sixty times
    letters, results = outcomes_of(platform)
    assert (len(letters), results) == (2 * MAX_UNEXPECTED_IN_A_ROW, [])
    assert len(replica.said("separator.trial_passed")) == 2
    assert replica.process.poll() is None


def send_different(traffic: Traffic, beginning: bytes) -> None:
    """So many files, no two alike, that their failures would stop a replica twice."""
    for number in range(2 * MAX_UNEXPECTED_IN_A_ROW):
        traffic.add_source(f"poison-{number}.wav", beginning + b"%d" % number)
        traffic.send_request(partition=0, source=f"poison-{number}.wav")
    traffic.flush()


def held(traffic: Traffic, *, due_in: timedelta | None = None, **environment: str) -> ReplicaProcess:
    """A replica at work on a job that does not end by itself, and whose deadline, if it has one, is that far off."""
    traffic.add_source("endless.wav", WAITS)
    replica = traffic.platform.start_replica(CHAOS_RELEASE=str(traffic.platform.folder / "never"), **environment)
    replica.wait_ready()
    traffic.send_request(partition=0, source="endless.wav", deadline=datetime.now(UTC) + due_in if due_in else None)
    traffic.flush()
    wait_for(lambda: replica.said("separation.fetch"))
    return replica


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ({"MAX_JOB_S": "10s"}, "MAX_JOB_S"),
        ({"due_in": timedelta(seconds=20)}, "its deadline was"),  # by far enough for it to begin
    ],
    ids=["overtime", "deadline"],
)
def test_a_job_that_takes_too_long_is_stopped(traffic: Traffic, limit: dict[str, Any], why: str) -> None:
    """MAX_JOB_S, and its request's own deadline, end it as DEADLINE_EXCEEDED; what comes behind it is done."""
    held(traffic, **limit)
    send_good(traffic, partition=0)
    traffic.flush()
    wait_for(lambda: traffic.platform.lag() == 0)
    [letter], results = outcomes_of(traffic.platform)
    assert (letter.code, letter.stage) == ("DEADLINE_EXCEEDED", "separate")
    assert why in letter.message
    assert len(results) == 1


def test_a_second_signal_ends_the_patience(traffic: Traffic) -> None:
    """SIGTERM waits for the job at work, SIGTERM again does not: no outcome, no stem, no temporary file is left."""
    replica = held(traffic, SHUTDOWN_GRACE_S="1h")
    replica.process.send_signal(signal.SIGTERM)
    wait_for(lambda: told_to_stop(replica))

    def signalled_again() -> bool:
        replica.process.send_signal(signal.SIGTERM)  # one that comes too soon after the first counts as the same
        return replica.process.poll() is not None

    wait_for(signalled_again)
    assert replica.process.returncode == 0, replica.log.read_text()[-2000:]
    assert traffic.platform.read_outcomes() == []
    assert traffic.platform.objects("") == set()
    assert traffic.platform.lag() == 1
    assert [path for path in scratch(replica, traffic.platform.folder) if path.exists()] == []


def told_to_stop(replica: ReplicaProcess) -> bool:
    page = replica.get("/ready")
    return page is not None and page.json()["checks"]["replica"] == "stopping"


def scratch(replica: ReplicaProcess, folder: Path) -> list[Path]:
    """Where a replica keeps what it works on."""
    return [path for path in folder.iterdir() if path.is_dir() and path.name.endswith(replica.log.stem)]
