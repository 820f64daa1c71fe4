"""A stage of one record, run by itself."""

from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import Cancelled, Code, Fatal, RegistryUnavailable, Rejected
from consumer.core.model import Stage
from consumer.observability.metrics import Metrics
from consumer.observability.tracing import NoTracer
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.retry import RULES, Retrier, RetryPolicy, Rule
from consumer.pipeline.stage_runner import StageRunner
from harness.fakes import an_attempt

HASTY = RetryPolicy(
    rules=dict.fromkeys(RULES, Rule(attempts=2, first_wait_s=0.001, max_wait_s=0.001)), outage_check_s=0.001
)


@pytest.fixture
def run() -> Any:
    attempt = an_attempt()
    with capture_logs(), ExitStack() as stack:
        run = JobRun.begin(attempt, NoTracer().job(attempt.record, 1))
        stack.enter_context(run.scratch)
        yield run


def test_an_outcome_that_can_not_be_encoded_is_our_fault_or_anothers_work(run: JobRun) -> None:
    """While the record is ours an encoder that refuses ends this replica; once it is not, its next owner sees to it."""

    def refuse() -> None:
        raise RegistryUnavailable("refused")

    runner = StageRunner(Retrier({}, HASTY), Metrics())
    with pytest.raises(Fatal, match=r"^outcomes can't be encoded: refused$"):
        runner.encode(run, refuse)
    run.attempt.assignment.is_open = False
    with pytest.raises(Cancelled) as gone:
        runner.encode(run, refuse)
    assert gone.value.rejection is None


def test_a_cancelled_record_has_its_outcome_encoded_as_long_as_it_is_ours(run: JobRun) -> None:
    """A cancellation that is an outcome does not keep it from being told; one that is none ends the work."""
    runner = StageRunner(Retrier({}, HASTY), Metrics())
    asked: list[int] = []

    def away_once() -> str:
        asked.append(1)
        if len(asked) == 1:
            raise RegistryUnavailable("away")
        return "encoded"

    run.attempt.cancellation.cancel("user", Rejected(Code.CANCELLED, "unwanted"))
    assert runner.encode(run, away_once) == "encoded"

    def away() -> None:
        raise RegistryUnavailable("away")

    run.attempt.assignment.is_open = False
    with pytest.raises(Cancelled, match="partition gone"):
        runner.encode(run, away)


def test_a_stage_is_timed_and_named(run: JobRun) -> None:
    """Its seconds are kept under its name, which is where the record is; a cancelled record does not begin it."""
    runner = StageRunner(Retrier({}, HASTY), Metrics())
    assert runner.through(run, Stage.SCAN, lambda: "clean") == "clean"
    assert run.stage == Stage.SCAN
    assert list(run.timings_s) == [Stage.SCAN]
    assert 0 <= run.timings_s[Stage.SCAN] < 60
    run.attempt.cancellation.cancel("user")
    begun: list[str] = []
    with pytest.raises(Cancelled):
        runner.through(run, Stage.STORE, lambda: begun.append("store"))
    assert begun == []
    assert [str(run.stage), *run.timings_s] == ["store", "scan"]
