"""What is tried again, how often and how patiently. To change that, change RULES.

In place first: exponential waits with jitter, ended at once by the job's cancellation. What outlasts them while its
dependency answers others goes through the retry topics; while the dependency is away for everyone, work waits for it
and no attempt is used up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from consumer.core.cancellation import Cancellation
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import (
    ModelSourceUnavailable,
    RegistryUnavailable,
    ScannerUnavailable,
    StoreBusy,
    StoreUnavailable,
    Transient,
)
from consumer.core.log_events import LogEvent
from consumer.core.model import Stage
from consumer.core.ports import Check

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Tries in place: `attempts` in all, waiting first_wait_s, then twice as long each time up to max_wait_s."""

    attempts: int
    first_wait_s: float
    max_wait_s: float


RULES: Mapping[type[Transient], Rule] = {
    StoreBusy: Rule(attempts=6, first_wait_s=0.5, max_wait_s=5.0),  # its own requests may be what it is busy with
    StoreUnavailable: Rule(attempts=5, first_wait_s=0.2, max_wait_s=3.0),
    RegistryUnavailable: Rule(attempts=4, first_wait_s=0.2, max_wait_s=2.0),
    ScannerUnavailable: Rule(attempts=4, first_wait_s=0.2, max_wait_s=2.0),
    ModelSourceUnavailable: Rule(attempts=3, first_wait_s=1.0, max_wait_s=5.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """rules: how often each kind of error is met in place, the first that fits.

    outage_check_s: how often it is looked whether a dependency that is away for everyone is back.
    """

    rules: Mapping[type[Transient], Rule]
    outage_check_s: float = 1.0

    def rule_of(self, error: BaseException | None) -> Rule:
        """The rule for an error of one of these kinds."""
        return next(rule for kind, rule in self.rules.items() if isinstance(error, kind))


DEFAULT_POLICY = RetryPolicy(rules=RULES)


class Retrier:
    """Runs steps by the rules.

    checks: whether a dependency answers at all, by the error that tells that it does not.
    on_retry, on_outage_check: called with the stage before a step is tried again, and before each look whether what it
    needs is back.
    """

    def __init__(
        self,
        checks: Mapping[type[Transient], Check],
        policy: RetryPolicy = DEFAULT_POLICY,
        *,
        on_retry: Callable[[Stage], None] = lambda stage: None,
        on_outage_check: Callable[[Stage], None] = lambda stage: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._checks, self._policy = checks, policy
        self._on_retry, self._on_outage_check = on_retry, on_outage_check
        self._clock = clock
        self._log = structlog.get_logger()

    def run(self, stage: Stage, step: Callable[[], T], cancel: Cancellation) -> T:
        """The step's value. Raises what it raises; a Transient only after the rule's attempts, outages not counted."""
        while True:
            failed_at: list[float] = []
            try:
                return self._by_rule(stage, step, cancel, failed_at)
            except Transient as error:
                since = min(failed_at, default=self._clock.monotonic())
                if not self._waited_for_outage(stage, error, cancel, since=since):
                    raise

    def _by_rule(self, stage: Stage, step: Callable[[], T], cancel: Cancellation, failed_at: list[float]) -> T:
        """As `run`, of one outage or none; adds to `failed_at` when each try failed."""

        def before_sleep(state: RetryCallState) -> None:
            self._on_retry(stage)
            self._log.warning(
                LogEvent.STEP_RETRIED, stage=stage, error=str(_error(state)), attempt=state.attempt_number
            )

        def rule(state: RetryCallState) -> Rule:
            return self._policy.rule_of(_error(state))

        retrying = Retrying(
            retry=retry_if_exception_type(tuple(self._policy.rules)),
            stop=lambda state: stop_after_attempt(rule(state).attempts)(state),
            wait=lambda state: max(
                wait_exponential_jitter(
                    multiplier=rule(state).first_wait_s, max=rule(state).max_wait_s, jitter=rule(state).first_wait_s
                )(state),
                _asked_for_s(_error(state)),
            ),
            sleep=cancel.sleep,
            after=lambda state: failed_at.append(self._clock.monotonic()),
            before_sleep=before_sleep,
            reraise=True,
        )
        return retrying(step)

    def _waited_for_outage(self, stage: Stage, error: Transient, cancel: Cancellation, *, since: float) -> bool:
        """True if nobody could use the dependency, and now it is back. The job gets its time since `since` back."""
        check = next((check for kind, check in self._checks.items() if isinstance(error, kind)), None)
        if check is None or _answers(check):
            return False
        began, given_back_until = self._clock.monotonic(), since
        self._log.warning(LogEvent.DEPENDENCY_AWAY, stage=stage, error=str(error))
        while not _answers(check):
            self._on_outage_check(stage)  # so that a rate of them tells of an outage as long as it lasts
            wakes_at = self._clock.monotonic() + self._policy.outage_check_s
            cancel.extend(wakes_at - given_back_until)  # beforehand: who sleeps must not run out of time
            given_back_until = wakes_at
            cancel.sleep(self._policy.outage_check_s)
        cancel.extend(self._clock.monotonic() - given_back_until)
        self._log.info(LogEvent.DEPENDENCY_BACK, stage=stage, after_s=round(self._clock.monotonic() - began, 1))
        return True


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _asked_for_s(error: BaseException | None) -> float:
    """How long the dependency asks us to wait, in seconds."""
    return (error.retry_after_s or 0.0) if isinstance(error, StoreBusy) else 0.0


def _answers(check: Check) -> bool:
    try:
        check()
        return True
    except Transient:
        return False
