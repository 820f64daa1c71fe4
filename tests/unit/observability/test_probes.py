import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import Code, RegistryUnavailable, StoreUnavailable
from consumer.core.model import DeadLettered, Done, Message, Outcome, Retry
from consumer.core.ports import Commit, Position, Traffic
from consumer.delivery.assignment import Assignment, Completed, PendingCommit
from consumer.observability import probes as module
from consumer.observability.collectors import ReplicaCollector
from consumer.observability.metrics import Metrics
from consumer.observability.probes import OVERDUE_S, SILENCE_S, CommitObserver, Probes
from consumer.pipeline.scratch import Scratch
from harness.fakes import FakeRegistry, FakeSeparator, a_record, an_attempt
from harness.scanner import FakeScanner

MESSAGE = Message(topic="there", key=b"r1", value=b"secret payload")
OUTCOMES: list[tuple[Outcome, dict[str, str], str]] = [
    (Done(result=MESSAGE), {"outcome": "done", "code": ""}, "separation.published"),
    (Retry(message=MESSAGE, stage="fetch"), {"outcome": "retried", "code": ""}, "separation.retry_scheduled"),
    (
        DeadLettered(letter=MESSAGE, code=Code.AUDIO_EMPTY),
        {"outcome": "dead_lettered", "code": "AUDIO_EMPTY"},
        "separation.dead_lettered",
    ),
]  # fmt: skip
# Everything that may tell time series apart. An id, a key or a stranger's word would be without bounds.
LABELS = {"outcome", "code", "stage", "model", "topic", "partition", "process", "le"}


def observe(metrics: Metrics, *outcomes: Outcome, key: bytes | None = b"r1") -> list[Any]:
    attempt = an_attempt(a_record(key=key, offset=7))
    commit = Commit(partition=attempt.record.topic_partition, position=Position(offset=8), membership=object())
    pending = PendingCommit(
        Assignment(attempt.record.topic_partition), commit, tuple(Completed(attempt, o) for o in outcomes)
    )
    with capture_logs() as logs:
        CommitObserver(metrics)(pending)
    return logs


@pytest.mark.parametrize(("outcome", "labels", "event"), OUTCOMES, ids=lambda value: type(value).__name__)
def test_each_outcome_is_counted_and_logged_once(outcome: Outcome, labels: dict[str, str], event: str) -> None:
    """An outcome that was committed is one job in the metrics and one line in the log, without payloads."""
    metrics = Metrics()
    [line] = observe(metrics, outcome)
    assert metrics.registry.get_sample_value("separation_jobs_total", labels) == 1
    assert (line["event"], line["offset"]) == (event, 7)
    assert "payload" not in str(line)


def test_retries_and_dead_letters_have_their_own_counters() -> None:
    """Retries count by stage, dead letters by code."""
    metrics = Metrics()
    observe(metrics, *(outcome for outcome, _, _ in OUTCOMES))
    sample = metrics.registry.get_sample_value
    assert sample("separation_retries_total", {"stage": "fetch"}) == 1
    assert sample("separation_dead_letters_total", {"code": "AUDIO_EMPTY"}) == 1


@pytest.mark.parametrize(("key", "told"), [(None, None), (b"\xff" * 100, "\ufffd" * 64), (b"r1", "r1")])
def test_a_strange_key_can_be_logged(key: bytes | None, told: str | None) -> None:
    """The key in the log is text of bounded length, whatever the record's was."""
    assert observe(Metrics(), OUTCOMES[0][0], key=key)[0]["request_id"] == told


class Harness:
    """A replica's vitals, and all that they look at."""

    def __init__(self) -> None:
        self.now, self.overdue_s = 1000.0, 0.0
        self.store_checks = 0
        self.store_error = self.source_error = ""
        self.separators = [FakeSeparator(), FakeSeparator()]
        self.loop = SimpleNamespace(last_poll=1000.0, has_joined=True, rebalances=3)
        self.replica = SimpleNamespace(
            loop=self.loop,
            committer=SimpleNamespace(trouble=""),
            separators=self.separators,
            state="",
            has_begun=True,
            scratch=Scratch(Path(tempfile.gettempdir(), "x")),
            dispatcher=SimpleNamespace(in_flight=lambda: 2, overdue_s=lambda: self.overdue_s),
        )
        self.vitals = Probes(
            self.replica,  # type: ignore[arg-type]
            source_error=lambda: self.source_error,
            check_store=self._check_store,
        )
        traffic = Traffic(received_bytes=7, sent_bytes=5, round_trip_s=0.1)
        self.gauges = ReplicaCollector(self.replica, lambda: traffic)  # type: ignore[arg-type]

    def _check_store(self) -> None:
        self.store_checks += 1
        if self.store_error:
            raise StoreUnavailable(self.store_error)


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Harness:
    harness = Harness()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: harness.now))
    return harness


def test_a_replica_at_work_is_live_and_ready(harness: Harness) -> None:
    """Nothing is wrong with a replica that polls, whose separators are warm and whose store answers."""
    assert set(harness.vitals.health.live()) == {"poll_loop", "separator", "oldest_job"}
    assert set(harness.vitals.health.live().values()) == {""}
    assert harness.vitals.health.started() == {"replica": ""}
    assert set(harness.vitals.health.ready().values()) == {""}


def test_a_poll_loop_that_is_silent_is_not_live(harness: Harness) -> None:
    """Only a loop that should be polling can be silent: not one that is starting or stopping."""
    harness.now += SILENCE_S + 1
    assert harness.vitals.health.live()["poll_loop"].startswith("silent for 41 s")
    for state in ("starting", "stopping"):
        harness.replica.state = state
        assert set(harness.vitals.health.live().values()) == {""}


def test_a_separator_without_a_heartbeat_is_not_live(harness: Harness) -> None:
    """A child that hangs, one of several, is told of; the poll loop goes on."""
    harness.now += SILENCE_S + 1
    harness.loop.last_poll = harness.now
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
    harness.replica.has_begun, harness.replica.state = False, "separator: loading models"
    assert harness.vitals.health.started() == {"replica": "separator: loading models"}
    harness.replica.has_begun, harness.replica.state = True, "stopping"
    assert harness.vitals.health.started() == {"replica": ""}


def test_each_thing_that_is_missing_has_its_words(harness: Harness) -> None:
    """/ready names what this replica waits for."""
    harness.replica.state = "starting"
    harness.loop.has_joined = False
    harness.separators[1].report(ready=False, reason="loading models")
    harness.store_error = "there is no bucket stems"
    assert harness.vitals.health.ready() == {
        "replica": "starting", "model": "loading models", "group": "no partitions were assigned yet",
        "store": "there is no bucket stems",
    }  # fmt: skip
    harness.replica.committer.trouble = "no coordinator"
    assert harness.vitals.health.ready()["group"] == "outcomes can't be published: no coordinator"
    harness.source_error = "broker is away"
    harness.separators[1].report(reason="")
    assert harness.vitals.health.ready()["group"] == "broker is away"
    assert harness.vitals.health.ready()["model"] == "not ready"


def test_a_scanner_is_told_of_where_there_is_one(harness: Harness) -> None:
    """/ready has its check only where a scanner is configured, and the scanner's own words while it is away."""
    assert "scanner" not in harness.vitals.health.ready()
    scanner = FakeScanner(away=1)
    vitals = Probes(
        harness.replica,  # type: ignore[arg-type]
        source_error=lambda: "",
        check_store=lambda: None,
        check_scanner=scanner.check,
    )
    assert vitals.health.ready()["scanner"] == "away"
    harness.now += 10
    assert vitals.health.ready()["scanner"] == ""


def test_a_registry_is_told_of_where_there_is_one(harness: Harness) -> None:
    """/ready has its check only where a registry is configured, and its own words while it is away."""
    assert "registry" not in harness.vitals.health.ready()
    registry = FakeRegistry()
    registry.away = RegistryUnavailable("the schema registry answered 503")
    vitals = Probes(
        harness.replica,  # type: ignore[arg-type]
        source_error=lambda: "",
        check_store=lambda: None,
        check_registry=registry.check,
    )
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


def test_probes_do_not_wear_out_the_store(harness: Harness) -> None:
    """However often the probe asks, the store is asked now and then, and its recovery is seen."""
    harness.store_error = "away"
    for _ in range(5):
        assert harness.vitals.health.ready()["store"] == "away"
    assert harness.store_checks == 1
    harness.store_error = ""
    harness.now += 10
    assert harness.vitals.health.ready()["store"] == ""


def test_every_metric_is_declared_well(harness: Harness) -> None:
    """Each metric has the service's prefix, a help text, a unit in its name where it has one, and known labels."""
    metrics = Metrics()
    metrics.add_collector(harness.gauges.collect)
    observe(metrics, *(outcome for outcome, _, _ in OUTCOMES))
    families = {family.name: family for family in metrics.registry.collect()}
    assert {
        "separation_jobs", "separation_stage_seconds", "separation_audio_seconds", "separation_in_flight",
        "separation_retries", "separation_dead_letters", "separation_rebalances", "separation_separator_restarts",
    } <= set(families)  # fmt: skip
    for name, family in families.items():
        assert name.startswith("separation_")
        assert family.documentation
        assert {label for sample in family.samples for label in sample.labels} <= LABELS
    assert metrics.registry.get_sample_value("separation_in_flight") == 2
    assert metrics.registry.get_sample_value("separation_rebalances_total") == 3
    assert metrics.registry.get_sample_value("separation_separator_restarts_total") == 0


def test_each_replica_has_metrics_of_its_own() -> None:
    """Two in one process, as in tests, do not meet in a global registry."""
    one, other = Metrics(), Metrics()
    one.jobs.labels("done", "").inc()
    assert other.registry.get_sample_value("separation_jobs_total", {"outcome": "done", "code": ""}) == 0
