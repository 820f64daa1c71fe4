import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.cancellation import Cancellation
from consumer.core.errors import (
    Cancelled,
    Code,
    RegistryUnavailable,
    Rejected,
    StoreBusy,
    StoreMisconfigured,
    StoreUnavailable,
    Transient,
)
from consumer.core.model import Stage
from consumer.core.ports import Check
from consumer.pipeline.retry import RULES, Retrier, RetryPolicy, Rule
from harness.clock import ManualClock

QUICK = RetryPolicy(
    rules=dict.fromkeys(RULES, Rule(attempts=3, first_wait_s=0.001, max_wait_s=0.002)), outage_check_s=0.001
)


def a_retrier(checks: Mapping[type[Transient], Check], policy: RetryPolicy = QUICK, **rest: Any) -> Retrier:
    return Retrier(checks, policy, **rest)


def raising(*errors: Exception) -> Callable[[], str]:
    """A step that raises these, one a call, and then returns."""
    left = list(errors)

    def step() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return step


def run(retrier: Retrier, step: Callable[[], str], cancel: Cancellation | None = None) -> str:
    with capture_logs():
        return retrier.run(Stage.FETCH, step, cancel or Cancellation())


def test_each_kind_of_transient_error_has_a_rule() -> None:
    """None is left to the retry topics alone because nobody thought of it."""
    kinds = [kind for kind in Transient.__subclasses__() if kind.__module__.startswith("consumer.")]
    assert kinds
    assert [kind.__name__ for kind in kinds if not issubclass(kind, tuple(RULES))] == []


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_each_transient_error_is_tried_again(kind: type[Transient]) -> None:
    """What the world did is tried again in place, each time is counted by stage, and the last error is raised."""
    counted: list[str] = []
    retrier = a_retrier({}, on_retry=counted.append)
    assert run(retrier, raising(kind("a"), kind("b"))) == "done"
    assert counted == ["fetch", "fetch"]
    with pytest.raises(kind, match="third"):
        run(retrier, raising(kind("a"), kind("b"), kind("third"), kind("d")))


@pytest.mark.parametrize(
    "error",
    [Rejected(Code.REQUEST_INVALID, "bad"), Cancelled("user"), ValueError("bug")],
    ids=lambda e: type(e).__name__,
)
def test_nothing_else_is(error: Exception) -> None:
    """An error that would only come again, or that says stop, is raised at once."""
    counted: list[str] = []
    with pytest.raises(type(error)):
        run(a_retrier({}, on_retry=counted.append), raising(error))
    assert counted == []


def test_a_wait_ends_with_the_job() -> None:
    """A job that is cancelled while it waits for its next try ends at once, however long the wait was to be."""
    rule = Rule(attempts=3, first_wait_s=3600, max_wait_s=3600)
    cancel, raised, failed = Cancellation(), [], threading.Event()

    def step() -> str:
        failed.set()
        raise StoreUnavailable("away")

    def work() -> None:
        with pytest.raises(Cancelled) as caught:
            a_retrier({}, RetryPolicy(rules={StoreUnavailable: rule})).run(Stage.FETCH, step, cancel)
        raised.append(caught.value.reason)

    with capture_logs():
        thread = threading.Thread(target=work)
        thread.start()
        assert failed.wait(60)
        cancel.cancel("user")
        thread.join(60)
    assert raised == ["user"]


def checks(*answers: bool) -> Callable[[], None]:
    left = list(answers)

    def check() -> None:
        if not left.pop(0):
            raise StoreUnavailable("away")

    return check


@pytest.mark.parametrize("kind", [StoreUnavailable, StoreMisconfigured])
def test_an_outage_is_waited_for(kind: type[StoreUnavailable]) -> None:
    """While nobody can use the dependency the job waits, and begins anew once it is back."""
    retrier = a_retrier({StoreUnavailable: checks(False, False, True)})
    assert run(retrier, raising(*[kind("away")] * 5)) == "done"


def test_checks_of_an_outage_are_no_retries() -> None:
    """Tries of the step are counted as retries, looks whether the dependency is back apart; the first look is none."""
    retried: list[str] = []
    checked: list[str] = []
    retrier = a_retrier(
        {StoreUnavailable: checks(False, False, False, True)},
        on_retry=retried.append,
        on_outage_check=checked.append,
    )
    assert run(retrier, raising(*[StoreUnavailable("away")] * 4)) == "done"
    assert (retried, checked) == (["fetch"] * 3, ["fetch"] * 2)


def test_an_error_of_this_job_alone_is_not_an_outage() -> None:
    """Where the dependency answers others, or nobody can tell, the job's patience ends by its rule."""
    with pytest.raises(StoreUnavailable):
        run(a_retrier({StoreUnavailable: checks(True)}), raising(*[StoreUnavailable("x")] * 3))
    with pytest.raises(RegistryUnavailable):
        run(a_retrier({StoreUnavailable: checks()}), raising(*[RegistryUnavailable("x")] * 3))


def test_a_job_that_is_cancelled_does_not_wait_for_the_outage() -> None:
    """An outage does not keep a job that is no longer wanted."""
    cancel, asked = Cancellation(), []

    def check() -> None:
        asked.append(1)
        if len(asked) == 3:
            cancel.cancel("user")
        raise StoreUnavailable("away")

    with pytest.raises(Cancelled):
        run(a_retrier({StoreUnavailable: check}), raising(*[StoreUnavailable("x")] * 9), cancel)
    assert len(asked) == 3


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def takes(self, seconds: float, call: Callable[[], str | None]) -> Callable[[], str | None]:
        def slow() -> str | None:
            self.now_s += seconds
            return call()

        return slow


class Sleeper(Cancellation):
    """Sleeps by the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock.monotonic)
        self._sleeps_by = clock

    def sleep(self, seconds: float) -> None:
        self.check()
        self._sleeps_by.now_s += seconds
        self.check()


def test_a_busy_store_is_not_asked_before_its_time() -> None:
    """Where it says when to come back, that is how long is waited at least; where it does not, the rule has its way."""
    for asked_s, at_least_s, at_most_s in ((7.0, 7.0, 7.0), (None, 0.0, 0.01)):
        clock = Clock()
        sleeper: Any = Sleeper(clock)
        before_s = clock.now_s
        assert run(a_retrier({}), raising(StoreBusy("busy", retry_after_s=asked_s)), sleeper) == "done"
        assert at_least_s <= clock.now_s - before_s <= at_most_s


def test_an_outage_costs_a_job_no_time() -> None:
    """Of all that passes from the first try that fails to the return, however slow checks are, a job loses nothing."""
    clock = Clock()
    rule = Rule(attempts=3, first_wait_s=0.5, max_wait_s=0.5)
    policy = RetryPolicy(rules={StoreUnavailable: rule}, outage_check_s=1.0)
    cancel = Sleeper(clock)
    cancel.start_clock(30.0)
    away = clock.takes(3.0, checks(*[False] * 100, True))
    step = clock.takes(2.0, raising(*[StoreUnavailable("away")] * 3))
    retrier = a_retrier({StoreUnavailable: away}, policy, clock=clock)  # type: ignore[dict-item]
    assert run(retrier, step, cancel) == "done"  # type: ignore[arg-type]
    assert clock.now_s > 1000.0 + 400.0
    assert cancel.remaining_s() == pytest.approx(30.0 - 2.0 - 2.0)  # the first try and the last one


def test_a_failure_of_this_job_alone_takes_its_time() -> None:
    """Where the dependency answers others nothing is given back."""
    clock = Clock()
    cancel = Sleeper(clock)
    cancel.start_clock(30.0)
    step = clock.takes(2.0, raising(*[StoreUnavailable("x")] * 3))
    with pytest.raises(StoreUnavailable):
        run(a_retrier({StoreUnavailable: checks(True)}, clock=clock), step, cancel)  # type: ignore[arg-type]
    assert cancel.remaining_s() == pytest.approx(24.0, abs=0.1)


def test_each_kind_of_error_has_its_own_rule() -> None:
    """An error is met by the first rule that fits it, and not by another kind's."""
    patient, short = (Rule(attempts=attempts, first_wait_s=0.001, max_wait_s=0.001) for attempts in (4, 2))
    policy = RetryPolicy(rules={StoreUnavailable: patient, RegistryUnavailable: short})
    assert policy.rule_of(StoreUnavailable("away")) is patient
    assert policy.rule_of(RegistryUnavailable("away")) is short
    for kind, attempts in ((StoreUnavailable, 4), (RegistryUnavailable, 2)):
        tries: list[Exception] = [kind("away") for _ in range(10)]
        with pytest.raises(kind):
            run(a_retrier({}, policy), partial(raise_first, tries))
        assert 10 - len(tries) == attempts


def raise_first(errors: list[Exception]) -> str:
    raise errors.pop(0)


def test_who_waits_for_an_outage_never_runs_out_of_time() -> None:
    """Time is given back before it is slept: a job with less left than one look takes outlives any outage."""
    clock = ManualClock()
    cancel, left = Cancellation(clock=clock.monotonic), []
    cancel.start_clock(0.5)

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        cancel.check()
        left.append(cancel.remaining_s())

    cancel.sleep = sleep  # type: ignore[method-assign]
    answers = iter([False] * 4 + [True])

    def check() -> None:
        if not next(answers):
            raise StoreUnavailable("away")

    rules: dict[type[Transient], Rule] = {StoreUnavailable: Rule(attempts=1, first_wait_s=0.001, max_wait_s=0.001)}
    retrier = Retrier({StoreUnavailable: check}, RetryPolicy(rules=rules, outage_check_s=10.0), clock=clock)
    assert run(retrier, raising(StoreUnavailable("away")), cancel) == "done"
    assert left == pytest.approx([0.5] * 3)
    assert cancel.remaining_s() == pytest.approx(0.5)
