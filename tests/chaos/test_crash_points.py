"""A replica dies at each point of a record's way, once, and what was sent converges nevertheless.

The points are taken in turn, several lanes side by side: the replica that takes over at one point is the one that dies
at a later one.
"""

import random
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.chaos.oracle import Finding, judge
from harness.chaos.separator import SEGMENTS, STEMS
from harness.chaos.traffic import Traffic
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for
from tests.chaos.conftest import NewPlatform
from tests.conftest import Kafka, MinioServer

LANES = 4
DEATH_S = 120.0


class Case(NamedTuple):
    """`passing`: at which passing of the point. `takes_over`: who does what is left."""

    point: str
    passing: int
    sends: str
    takes_over: str

    def __str__(self) -> str:
        return f"{self.point}-{self.passing}-{self.sends}-{self.takes_over}"


_ON_THE_WAY = [
    *[(f"{step}.{side}", 1) for step in ("decode", "download", "start", "separate") for side in ("before", "after")],
    *[("segment.before", number + 1) for number in range(SEGMENTS)],
    *[(f"upload.{side}", number + 1) for side in ("before", "after") for number in range(len(STEMS))],
    *[(f"manifest.{side}", 1) for side in ("before", "after")],
    *[(f"note-{step}.{side}", 1) for step in ("offsets", "commit") for side in ("before", "after")],
]
_AT_THE_END = [
    (f"outcome-{step}.{side}", 1) for step in ("produce", "offsets", "commit") for side in ("before", "after")
]
CASES = [
    *[(point, passing, "requests") for point, passing in _ON_THE_WAY + _AT_THE_END],
    *[(point, passing, "garbage") for point, passing in _AT_THE_END],
]
# One of each kind; `make chaos` goes through all.
_SHORT = {
    *[(f"{step}.before", 1, "requests") for step in ("decode", "download", "upload", "manifest", "outcome-commit")],
    *[
        (f"{step}.after", 1, "requests")
        for step in ("manifest", "outcome-produce", "outcome-offsets", "outcome-commit")
    ],
    ("segment.before", 2, "requests"),
    ("upload.after", 2, "requests"),
    ("outcome-commit.before", 1, "garbage"),
}
RESTARTS = [
    pytest.param(
        Case(*case, "restart"), marks=() if case in _SHORT else pytest.mark.long, id=str(Case(*case, "restart"))
    )
    for case in CASES
]
REBALANCES = [Case(*case, "rebalance") for case in CASES]


@dataclass(slots=True)
class Lane:
    """One platform, and the cases that it goes through one after the other."""

    traffic: Traffic
    cases: Sequence[Case]
    _alive: list[tuple[ReplicaProcess, Path]] = field(default_factory=list)
    _started: int = 0

    def run(self, verdicts: Mapping[Case, "Future[list[Finding]]"]) -> None:
        for case in self.cases:
            try:
                verdicts[case].set_result(self._go_through(case))
            except BaseException as error:  # noqa: BLE001 - the case's test raises it
                verdicts[case].set_exception(error)

    def _go_through(self, case: Case) -> list[Finding]:
        while len(self._alive) < (2 if case.takes_over == "rebalance" else 1):
            self._start()
        victim, armed = self._alive.pop(0)
        armed.touch()
        self._send(case)
        assert victim.process.wait(DEATH_S) == -signal.SIGKILL, victim.log.read_text()[-2000:]
        if not self._alive:
            self._start()
        wait_for(lambda: self.traffic.platform.lag() == 0)
        return judge(self.traffic.platform, self.traffic.sent, self.traffic.sources)

    def _start(self) -> None:
        """The next replica, which will die at the next case's point once it is armed, and has its share by now."""
        platform, number = self.traffic.platform, self._started
        self._started += 1
        armed = platform.folder / f"armed-{number}"
        environment = {"CHAOS_ARMED": str(armed)}
        if number < len(self.cases):
            environment["CHAOS_CRASH"] = f"{self.cases[number].point}:{self.cases[number].passing}"
        # Restarted under its predecessor's name, as a StatefulSet does; a further replica has a name of its own.
        name = "replica" if self.cases[0].takes_over == "restart" else f"replica-{number}"
        replica = platform.start_replica(INSTANCE_ID=name, **environment)
        wait_for(lambda: any(line["partitions"] for line in replica.said("partitions.assigned")))
        self._alive.append((replica, armed))

    def _send(self, case: Case) -> None:
        for partition in range(self.traffic.partitions):
            if case.sends == "requests":
                self.traffic.send_request(partition=partition)
            else:
                self.traffic.send_garbage(partition=partition)
        self.traffic.flush()


def case_of(item: pytest.Item) -> Case:
    """The case that a test of this run is for."""
    assert isinstance(item, pytest.Function)
    case = item.callspec.params["case"]
    assert isinstance(case, Case)
    return case


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, new_platform: NewPlatform, kafka: Kafka, minio: MinioServer
) -> Iterator[Mapping[Case, "Future[list[Finding]]"]]:
    """What the oracle says of each case that was asked for; they are gone through while the tests wait."""
    asked = [case_of(item) for item in request.session.items if "verdicts" in getattr(item, "fixturenames", ())]
    found: dict[Case, Future[list[Finding]]] = {case: Future() for case in asked}
    groups = [[case for case in asked if case.takes_over == how] for how in ("restart", "rebalance")]
    with ThreadPoolExecutor(LANES) as pool:
        for group in groups:
            for number in range(LANES):
                if not group[number::LANES]:
                    continue
                traffic = Traffic(new_platform(kafka.bootstrap_servers, minio.endpoint), random.Random(number))
                traffic.add_sources(3)
                pool.submit(Lane(traffic, group[number::LANES]).run, found)
        yield found


@pytest.mark.parametrize("case", RESTARTS)
def test_death_and_restart(case: Case, verdicts: Mapping[Case, "Future[list[Finding]]"]) -> None:
    """SIGKILL at this point; one of the same name comes back: each record has its one outcome, nothing is left."""
    assert verdicts[case].result(1000) == []


@pytest.mark.long
@pytest.mark.parametrize("case", REBALANCES, ids=str)
def test_death_and_rebalance(case: Case, verdicts: Mapping[Case, "Future[list[Finding]]"]) -> None:
    """SIGKILL at this point; the replica that is left takes the partitions over, with the same outcome."""
    assert verdicts[case].result(1000) == []
