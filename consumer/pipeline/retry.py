"""What is tried again, how often and how retried. To change that, change RULES.

In place first: exponential waits with jitter, ended at once by the job's cancellation. What outlasts them while its
dependency answers others goes through the retry topics; while the dependency is away for everyone, work waits for it
and no attempt is used up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from consumer.core.cancellation import Cancellation
from consumer.core.errors import (
    ModelSourceUnavailable,
    RegistryUnavailable,
    ScannerUnavailable,
    StoreUnavailable,
    Transient,
)
from consumer.core.ports import Check

OUTAGE_CHECK_S = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Tries in place: `attempts` in all, waiting first_wait_s, then twice as long each time up to max_wait_s."""

    attempts: int
    first_wait_s: float
    max_wait_s: float


RULES: Mapping[type[Transient], Rule] = {
    StoreUnavailable: Rule(attempts=5, first_wait_s=0.2, max_wait_s=3.0),
    RegistryUnavailable: Rule(attempts=4, first_wait_s=0.2, max_wait_s=2.0),
    ScannerUnavailable: Rule(attempts=4, first_wait_s=0.2, max_wait_s=2.0),
    ModelSourceUnavailable: Rule(attempts=3, first_wait_s=1.0, max_wait_s=5.0),
}


class Retrier:
    """Runs steps by the rules."""

    def __init__(
        self,
        checks: Mapping[type[Transient], Check],
        on_retry: Callable[[str], None] = lambda stage: None,
        on_outage_check: Callable[[str], None] = lambda stage: None,
    ) -> None:
        self._checks = checks
        self._on_retry, self._on_outage_check = on_retry, on_outage_check
        self._log = structlog.get_logger()

    def run(self, stage: str, step: Callable[[], T], cancel: Cancellation) -> T:
        """The step's value. Raises what it raises; a Transient only after the rule's attempts, outages not counted."""
        while True:
            failed_at: list[float] = []
            try:
                return self._by_rule(stage, step, cancel, failed_at)
            except Transient as error:
                if not self._waited_for_outage(stage, error, cancel, since=min(failed_at, default=monotonic())):
                    raise

    def _by_rule(self, stage: str, step: Callable[[], T], cancel: Cancellation, failed_at: list[float]) -> T:
        """As `run`, of one outage or none; adds to `failed_at` when each try failed."""

        def before_sleep(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self._on_retry(stage)
            self._log.warning("step.retried", stage=stage, error=str(error), attempt=state.attempt_number)

        def rule(state: RetryCallState) -> Rule:
            error = state.outcome.exception() if state.outcome else None
            return next(rule for kind, rule in RULES.items() if isinstance(error, kind))

        retrying = Retrying(
            retry=retry_if_exception_type(tuple(RULES)),
            stop=lambda state: stop_after_attempt(rule(state).attempts)(state),
            wait=lambda state: wait_exponential_jitter(
                multiplier=rule(state).first_wait_s, max=rule(state).max_wait_s, jitter=rule(state).first_wait_s
            )(state),
            sleep=cancel.sleep,
            after=lambda state: failed_at.append(monotonic()),
            before_sleep=before_sleep,
            reraise=True,
        )
        return retrying(step)

    def _waited_for_outage(self, stage: str, error: Transient, cancel: Cancellation, *, since: float) -> bool:
        """True if nobody could use the dependency, and now it is back. The job gets its time since `since` back."""
        check = next((check for kind, check in self._checks.items() if isinstance(error, kind)), None)
        if check is None or self._answers(check):
            return False
        began, given_back_until = monotonic(), since
        self._log.warning("dependency.away", stage=stage, error=str(error))
        while not self._answers(check):
            self._on_outage_check(stage)  # so that a rate of them tells of an outage as long as it lasts
            wakes_at = monotonic() + OUTAGE_CHECK_S
            cancel.extend(wakes_at - given_back_until)  # beforehand: who sleeps must not run out of time
            given_back_until = wakes_at
            cancel.sleep(OUTAGE_CHECK_S)
        cancel.extend(monotonic() - given_back_until)
        self._log.info("dependency.back", stage=stage, after_s=round(monotonic() - began, 1))
        return True

    @staticmethod
    def _answers(check: Check) -> bool:
        try:
            check()
            return True
        except Transient:
            return False
