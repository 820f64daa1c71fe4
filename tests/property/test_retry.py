from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, StoreUnavailable, Transient
from consumer.core.model import Stage
from consumer.core.ports import Check
from consumer.pipeline.retry import RULES, Retrier, RetryPolicy, Rule

RULE = st.builds(
    lambda attempts, first_s, factor: Rule(attempts=attempts, first_wait_s=first_s, max_wait_s=first_s * factor),
    st.integers(1, 12), st.floats(0.001, 5), st.floats(1, 30),
)  # fmt: skip


class Clock(Cancellation):
    """Never really sleeps; is cancelled after so many sleeps."""

    def __init__(self, cancelled_after: int | None = None) -> None:
        super().__init__()
        self.slept_s: list[float] = []
        self._cancelled_after = cancelled_after

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if len(self.slept_s) == self._cancelled_after:
            self.cancel("test")
        self.check()


def failing(times: int, error: type[Transient] = StoreUnavailable) -> tuple[Callable[[], str], list[int]]:
    calls: list[int] = []

    def step() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error("away")
        return "done"

    return step, calls


def retrier_by(rule: Rule, checks: Mapping[type[Transient], Check] | None = None) -> Retrier:
    """One that knows this rule alone."""
    return Retrier(checks or {}, RetryPolicy(rules={StoreUnavailable: rule}))


@given(rule=RULE)
def test_patience_is_bounded_and_grows(rule: Rule) -> None:
    """A step is tried as often as its rule says; waits double up to the rule's limit, within one jitter."""
    step, calls = failing(10**9)
    clock = Clock()
    with pytest.raises(StoreUnavailable):
        retrier_by(rule).run(Stage.FETCH, step, clock)
    assert len(calls) == rule.attempts
    assert len(clock.slept_s) == rule.attempts - 1
    for number, slept_s in enumerate(clock.slept_s):
        least_s = min(rule.first_wait_s * 2**number, rule.max_wait_s)
        assert least_s - 1e-9 <= slept_s <= min(least_s + rule.first_wait_s, rule.max_wait_s) + 1e-9


@given(rule=RULE, failures=st.integers(0, 12))
def test_a_step_that_recovers_in_time_succeeds(rule: Rule, failures: int) -> None:
    """The value comes through exactly if the step fails less often than its rule has attempts."""
    step, calls = failing(failures)
    if failures < rule.attempts:
        assert retrier_by(rule).run(Stage.FETCH, step, Clock()) == "done"
    else:
        with pytest.raises(StoreUnavailable):
            retrier_by(rule).run(Stage.FETCH, step, Clock())
    assert len(calls) == min(failures + 1, rule.attempts)


@given(rule=RULE, cancelled_after=st.integers(1, 12))
def test_a_cancelled_job_is_not_tried_again(rule: Rule, cancelled_after: int) -> None:
    """Once the job is cancelled, no further attempt is made."""
    step, calls = failing(10**9)
    with pytest.raises((Cancelled, StoreUnavailable)) as caught:
        retrier_by(rule).run(Stage.FETCH, step, Clock(cancelled_after))
    assert len(calls) == min(cancelled_after, rule.attempts)
    assert caught.type is (Cancelled if cancelled_after < rule.attempts else StoreUnavailable)


@given(away=st.integers(1, 20), failures=st.integers(5, 9))
def test_an_outage_uses_up_no_attempt(away: int, failures: int) -> None:
    """While nobody can use the dependency, work waits for it, and begins its rule anew once it is back."""
    step, calls = failing(failures)
    answers = iter([False] * away + [True])

    def check() -> None:
        if not next(answers):
            raise StoreUnavailable("away")

    clock = Clock()
    clock.start_clock(1000.0)
    assert Retrier({StoreUnavailable: check}).run(Stage.FETCH, step, clock) == "done"
    assert len(calls) == failures + 1
    # It never really slept: what is given back is what passed, not what was to be slept.
    assert 995 < (clock.remaining_s() or 0) <= 1000.1


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_the_real_rules_are_short(kind: type[Transient]) -> None:
    """Each rule gives up within half a minute: what lasts longer belongs into the retry topics."""
    rule = RULES[kind]
    assert rule.attempts >= 2
    assert 0 < rule.first_wait_s <= rule.max_wait_s
    assert rule.attempts * rule.max_wait_s <= 30
