"""What each probe says, and when it says nothing."""

from dataclasses import replace

import pytest

from consumer.core.errors import RegistryUnavailable, StoreUnavailable
from consumer.core.limits import MAX_SILENCE_S
from consumer.core.ports import Check
from consumer.observability.probes import OVERDUE_S, Probes, ReplicaView
from harness.fakes import FakeRegistry, FakeSeparator
from harness.scanner import FakeScanner


class Harness:
    """A replica's vitals, and all that they look at."""

    def __init__(self) -> None:
        self.now, self.overdue_s, self.last_poll = 1000.0, 0.0, 1000.0
        self.state = self.store_error = self.source_error = self.publish_trouble = self.held = ""
        self.has_begun = self.has_joined = True
        self.store_checks = 0
        self.separators = [FakeSeparator(), FakeSeparator()]
        self.vitals = self.probes({"store": self._check_store})

    def view(self) -> ReplicaView:
        return ReplicaView(
            state=lambda: self.state,
            has_begun=lambda: self.has_begun,
            last_poll=lambda: self.last_poll,
            has_joined=lambda: self.has_joined,
            overdue_s=lambda: self.overdue_s,
            source_error=lambda: self.source_error,
            publish_trouble=lambda: self.publish_trouble,
            separators=lambda: [separator.status for separator in self.separators],
            held_by_senders=lambda: self.held,
        )

    def probes(self, dependencies: dict[str, Check]) -> Probes:
        return Probes(self.view(), dependencies, clock=lambda: self.now)

    def _check_store(self) -> None:
        self.store_checks += 1
        if self.store_error:
            raise StoreUnavailable(self.store_error)


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_a_replica_at_work_is_live_and_ready(harness: Harness) -> None:
    """Nothing is wrong with a replica that polls, whose separators are warm and whose store answers."""
    assert set(harness.vitals.health.live()) == {"poll_loop", "separator", "oldest_job"}
    assert set(harness.vitals.health.live().values()) == {""}
    assert harness.vitals.health.started() == {"replica": ""}
    assert set(harness.vitals.health.ready().values()) == {""}


def test_a_poll_loop_that_is_silent_is_not_live(harness: Harness) -> None:
    """Only a loop that should be polling can be silent: not one that is starting or stopping."""
    harness.now += MAX_SILENCE_S + 1
    assert harness.vitals.health.live()["poll_loop"].startswith("silent for 41 s")
    for state in ("starting", "stopping"):
        harness.state = state
        assert set(harness.vitals.health.live().values()) == {""}


def test_a_separator_without_a_heartbeat_is_not_live(harness: Harness) -> None:
    """A child that hangs, one of several, is told of; the poll loop goes on."""
    harness.now += MAX_SILENCE_S + 1
    harness.last_poll = harness.now
    harness.separators[0].report(last_heartbeat=harness.now)
    assert harness.vitals.health.live() == {"poll_loop": "", "separator": "silent for 41 s", "oldest_job": ""}
    harness.separators[1].report(ready=False)  # it died, and will be started again
    assert harness.vitals.health.live()["separator"] == ""


def test_a_job_that_does_not_stop_is_not_live(harness: Harness) -> None:
    """A job may use its time up, and a little more while it is stopped; one that goes on is stuck."""
    harness.overdue_s = OVERDUE_S - 1
    assert harness.vitals.health.live()["oldest_job"] == ""
    harness.overdue_s = OVERDUE_S + 1
    assert harness.vitals.health.live()["oldest_job"] == "301 s past MAX_JOB_S"


def test_started_is_told_once_for_all(harness: Harness) -> None:
    """Until work has begun /started gives the reason; afterwards nothing takes it back, not even the end."""
    harness.has_begun, harness.state = False, "separator: loading models"
    assert harness.vitals.health.started() == {"replica": "separator: loading models"}
    harness.has_begun, harness.state = True, "stopping"
    assert harness.vitals.health.started() == {"replica": ""}


def test_each_thing_that_is_missing_has_its_words(harness: Harness) -> None:
    """/ready names what this replica waits for."""
    harness.state = "starting"
    harness.has_joined = False
    harness.separators[1].report(ready=False, reason="loading models")
    harness.store_error = "there is no bucket stems"
    assert harness.vitals.health.ready() == {
        "replica": "starting", "model": "loading models", "group": "no partitions were assigned yet",
        "store": "there is no bucket stems",
    }  # fmt: skip
    harness.publish_trouble = "no coordinator"
    assert harness.vitals.health.ready()["group"] == "outcomes can't be published: no coordinator"
    harness.source_error = "broker is away"
    harness.separators[1].report(reason="")
    assert harness.vitals.health.ready()["group"] == "broker is away"
    assert harness.vitals.health.ready()["model"] == "not ready"


def test_a_scanner_is_told_of_where_there_is_one(harness: Harness) -> None:
    """/ready has its check only where a scanner is configured, and the scanner's own words while it is away."""
    assert "scanner" not in harness.vitals.health.ready()
    scanner = FakeScanner(away=1)
    vitals = harness.probes({"store": lambda: None, "scanner": scanner.check})
    assert vitals.health.ready()["scanner"] == "away"
    harness.now += 10
    assert vitals.health.ready()["scanner"] == ""


def test_a_registry_is_told_of_where_there_is_one(harness: Harness) -> None:
    """/ready has its check only where a registry is configured, and its own words while it is away."""
    assert "registry" not in harness.vitals.health.ready()
    registry = FakeRegistry()
    registry.away = RegistryUnavailable("the schema registry answered 503")
    vitals = harness.probes({"store": lambda: None, "registry": registry.check})
    assert vitals.health.ready()["registry"] == "the schema registry answered 503"
    registry.away = None
    harness.now += 10
    assert vitals.health.ready()["registry"] == ""


def test_what_holds_the_separators_in_is_told(harness: Harness) -> None:
    """All that they say of their sandbox, each thing once; that there is little of it makes nobody unready."""
    assert harness.vitals.health.notes() == {"sandbox": "not known yet"}
    for separator in harness.separators:
        separator.report(sandbox="landlock, limits")
    assert harness.vitals.health.notes() == {"sandbox": "landlock, limits"}
    harness.separators[1].report(sandbox="no landlock (not in this kernel), limits")
    assert harness.vitals.health.notes()["sandbox"] == "landlock, limits; no landlock (not in this kernel), limits"
    assert "sandbox" not in harness.vitals.health.ready()


def test_namespaces_are_told_where_they_are_known(harness: Harness) -> None:
    """Each thing once; that there are none makes nobody unready."""
    assert "namespaces" not in harness.vitals.health.notes()
    for separator in harness.separators:
        separator.report(namespaces="network, ipc")
    assert harness.vitals.health.notes()["namespaces"] == "network, ipc"
    harness.separators[1].report(namespaces="none (Operation not permitted)")
    assert harness.vitals.health.notes()["namespaces"] == "network, ipc; none (Operation not permitted)"
    assert "namespaces" not in harness.vitals.health.ready()


def test_probes_do_not_wear_out_the_store(harness: Harness) -> None:
    """However often the probe asks, the store is asked now and then, and its recovery is seen."""
    harness.store_error = "away"
    for _ in range(5):
        assert harness.vitals.health.ready()["store"] == "away"
    assert harness.store_checks == 1
    harness.store_error = ""
    harness.now += 10
    assert harness.vitals.health.ready()["store"] == ""


def test_senders_that_keep_requests_back_are_noted(harness: Harness) -> None:
    """What nobody can read yet is told beside the checks, of which none fails for it."""
    harness.held = "waiting for a sender's transaction to end: requests [0] (5 offsets for 40 s)"
    assert harness.vitals.health.notes()["senders"] == harness.held
    assert set(harness.vitals.health.ready().values()) == {""}


def test_what_computes_is_told(harness: Harness) -> None:
    """Its name and why it was chosen; it keeps nobody from being ready."""
    view = harness.view()
    health = Probes(replace(view, runtime=lambda: "native (it fits)"), {}).health
    assert health.notes()["runtime"] == "native (it fits)"
    assert "runtime" not in health.ready()
