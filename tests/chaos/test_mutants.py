"""The oracle proves itself: replicas that do one thing wrong, in the circumstances where it matters, are caught."""

import random
import signal
from collections.abc import Callable

import pytest

from harness.chaos.oracle import Finding, Kind, Objects, judge, whole_manifests
from harness.chaos.traffic import Traffic
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer

NewTraffic = Callable[[], Traffic]


@pytest.fixture
def new_traffic(new_platform: NewPlatform, kafka: Kafka, minio: MinioServer) -> NewTraffic:
    def make() -> Traffic:
        traffic = Traffic(new_platform(kafka.bootstrap_servers, minio.endpoint), random.Random(7))
        traffic.add_sources(3)
        return traffic

    return make


def send(traffic: Traffic) -> None:
    """A request and garbage in each partition."""
    for partition in range(traffic.partitions):
        traffic.send_request(partition=partition)
        traffic.send_garbage(partition=partition)
    traffic.flush()


def await_end(traffic: Traffic) -> list[Finding]:
    wait_for(lambda: traffic.platform.lag() == 0)
    traffic.platform.close()
    return judge(traffic.platform, traffic.sent, traffic.sources)


def await_death(replica: ReplicaProcess) -> None:
    assert replica.process.wait(120) == -signal.SIGKILL, replica.log.read_text()[-2000:]


def kinds(findings: list[Finding]) -> set[Kind]:
    return {finding.kind for finding in findings}


def test_no_mutant(new_traffic: NewTraffic) -> None:
    """A replica that does everything right is found to: the oracle finds nothing where there is nothing."""
    traffic = new_traffic()
    traffic.platform.start_replica()
    send(traffic)
    assert await_end(traffic) == []


def test_commit_before_publish(new_traffic: NewTraffic) -> None:
    """The offset is committed first, and the replica dies in between: a record is lost."""
    traffic = new_traffic()
    mutant = traffic.platform.start_replica(CHAOS_MUTANT="commit_before_publish", CHAOS_CRASH="between:1")
    send(traffic)
    await_death(mutant)
    traffic.platform.start_replica()
    assert kinds(await_end(traffic)) == {Kind.LOST}


def test_manifest_before_stems(new_traffic: NewTraffic) -> None:
    """The manifest is stored first, and the replica dies in between: it stands without its stems."""
    traffic = new_traffic()
    mutant = traffic.platform.start_replica(CHAOS_MUTANT="manifest_before_stems", CHAOS_CRASH="manifest.after:1")
    send(traffic)
    await_death(mutant)
    assert kinds(whole_manifests(Objects(traffic.platform))) == {Kind.MANIFEST}


def test_dropped_dead_letter(new_traffic: NewTraffic) -> None:
    """Dead letters are dropped: garbage is lost."""
    traffic = new_traffic()
    traffic.platform.start_replica(CHAOS_MUTANT="dropped_dead_letter")
    send(traffic)
    assert kinds(await_end(traffic)) == {Kind.LOST}


def test_dropped_audit(new_traffic: NewTraffic) -> None:
    """Audit events are left out: outcomes are all there, and their events are missed."""
    traffic = new_traffic()
    traffic.platform.start_replica(CHAOS_MUTANT="dropped_audit")
    send(traffic)
    assert kinds(await_end(traffic)) == {Kind.AUDIT}


@pytest.mark.parametrize(
    ("mutant", "found"),
    [({"CHAOS_MUTANT": "fresh_membership"}, {Kind.TWICE}), ({}, set())],
    ids=["fresh", "captured"],
)
def test_fresh_membership(new_traffic: NewTraffic, mutant: dict[str, str], found: set[Kind]) -> None:
    """A slow committer whose partitions have moved on publishes for their new owner, unless membership is captured."""
    traffic = new_traffic()
    platform = traffic.platform
    held, release = platform.folder / "held", platform.folder / "release"
    first = platform.start_replica(
        CHAOS_GATHER=str(traffic.partitions), CHAOS_HOLD="publish.before:1",
        CHAOS_HELD=str(held), CHAOS_RELEASE=str(release), **mutant,
    )  # fmt: skip
    wait_for(lambda: first.said("partitions.assigned"))
    for partition in range(traffic.partitions):
        traffic.send_garbage(partition=partition)
    traffic.flush()
    wait_for(held.exists)
    second = platform.start_replica()
    wait_for(lambda: second.said("separation.dead_lettered"))
    release.touch()
    assert kinds(await_end(traffic)) == found
