"""What an error means for the record that met it: a dead letter, a retry, nothing, or the end of this replica."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from consumer.core.errors import UNEXPECTED, Cancelled, Code, Fatal, OwnershipLost, Rejected, Transient
from consumer.core.log_events import LogEvent
from consumer.core.model import Abandoned, DeadLettered, Outcome, Stage
from consumer.delivery.assignment import Attempt
from consumer.pipeline.stages.encode_outcome import EncodeOutcome

# So many dead letters in a row that say more about this deployment than about their messages stop the consumer: each
# about another content, or one file that is sent again and again would stop it. Where a separator failed at them, it is
# tried first with a harmless sound, or whoever has so many files that kill one would stop it.
MAX_UNEXPECTED_IN_A_ROW = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error, and where it met which record. `starts` counts separators that died over it; `content` is what the
    record is about, as in JobRun, and hashable; `trial` as in JobRun.
    """

    error: BaseException
    attempt: Attempt
    stage: Stage
    request_id: str | None
    content: object
    starts: int = 0
    trial: Callable[[], None] | None = None


class FailurePolicy:
    """Thread-safe."""

    def __init__(self, publish: EncodeOutcome) -> None:
        self._publish = publish
        self._unexpected_in_a_row: set[object] = set()  # their contents; never more than one above the limit
        self._lock = threading.Lock()
        self._log = structlog.get_logger()

    def on(self, failure: Failure) -> Outcome | Abandoned:
        """The record's outcome, or that it has none here. Raises Fatal, RegistryUnavailable."""
        match failure.error:
            case Cancelled(rejection=None) | OwnershipLost():
                return Abandoned()
            case Cancelled(rejection=Rejected() as rejected) | (Rejected() as rejected):
                return self._dead_letter(failure, rejected)
            case Transient() as error:
                attempt = failure.attempt
                again = self._publish.retry(attempt.record, attempt.retry_state, str(error), failure.stage)
                return again or self._dead_letter(
                    failure, self._publish.exhausted(attempt.retry_state, str(error), failure.stage)
                )
            case Fatal() as fatal:
                raise fatal
            case error:
                self._log.error(LogEvent.UNEXPECTED, stage=failure.stage, exc_info=error)
                message = f"{type(error).__name__}: {error}"
                return self._dead_letter(failure, Rejected(Code.SEPARATION_FAILED, message))

    def record_success(self) -> None:
        """A job went through: the deployment is not what is wrong."""
        with self._lock:
            self._unexpected_in_a_row.clear()

    def _dead_letter(self, failure: Failure, rejected: Rejected) -> DeadLettered:
        attempt = failure.attempt
        letter = self._publish.dead_letter(
            attempt.record,
            attempt.retry_state,
            rejected,
            stage=failure.stage,
            attempts=max(failure.starts, attempt.retry_state.attempt),
            request_id=failure.request_id,
        )
        self._count(failure, rejected)  # last: while the registry is away, the same failure comes here again
        return letter

    def _count(self, failure: Failure, rejected: Rejected) -> None:
        """Raises Fatal before one dead letter too many."""
        if rejected.code not in UNEXPECTED:
            return
        with self._lock:
            self._unexpected_in_a_row.add(failure.content)
            count = len(self._unexpected_in_a_row)
        if count >= MAX_UNEXPECTED_IN_A_ROW and failure.trial:
            self._try_harmless(failure.trial, rejected)
        elif count > MAX_UNEXPECTED_IN_A_ROW:
            raise _too_many(rejected)

    def _try_harmless(self, trial: Callable[[], None], rejected: Rejected) -> None:
        """Raises Fatal where a separator fails at what is harmless too."""
        try:
            trial()
        except Exception as error:
            raise _too_many(rejected, f", and the separator fails at a plain tone too: {error}") from error
        self._log.warning(LogEvent.TRIAL_PASSED, code=str(rejected.code))
        self.record_success()


def _too_many(rejected: Rejected, tried: str = "") -> Fatal:
    return Fatal(
        f"{MAX_UNEXPECTED_IN_A_ROW} unexpected dead letters in a row, each about another content, the next"
        f" would be {rejected.code}: {rejected.message}{tried}"
    )
