"""What happens once a record has its outcome, or has none here: the end of its way before the commit."""

from typing import assert_never

from consumer.core.errors import Cancelled, Rejected
from consumer.core.log_events import LogEvent
from consumer.core.model import Abandoned, DeadLettered, Done, Outcome, Retry
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.delivery.dispatcher import Dispatcher
from consumer.observability.tracing import handed_on
from consumer.pipeline.audit import AuditOutcomes
from consumer.pipeline.crash_guard import CrashGuard
from consumer.pipeline.failure_policy import Failure, FailurePolicy
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.stage_runner import StageRunner


class Completion:
    """Thread-safe."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        cancel_registry: CancelRegistry,
        crash_guard: CrashGuard,
        failure_policy: FailurePolicy,
        runner: StageRunner,
        audit: AuditOutcomes,
    ) -> None:
        self._dispatcher, self._cancel_registry, self._crash_guard = dispatcher, cancel_registry, crash_guard
        self._failure_policy, self._runner, self._audit = failure_policy, runner, audit

    def complete(self, run: JobRun, outcome: Outcome | Abandoned) -> None:
        """Nobody can cancel it any more, its scratch space is free, its span ends; then the outcome is handed over, to
        be committed; then comes what the outcome does not wait for.
        """
        if isinstance(outcome, Done) and not outcome.deduplicated:  # what was only looked up proves nothing
            self._failure_policy.record_success()
        self._cancel_registry.end(run.attempt.cancellation)
        run.scratch.close()
        run.span.end(outcome)
        match outcome:
            case Abandoned():
                self._dispatcher.abandon(run.attempt)
            case Done() | Retry() | DeadLettered():
                self._dispatcher.complete(run.attempt, handed_on(outcome, run.span.context), run.span)
            case _:
                assert_never(outcome)
        _do_afterwards(run)

    def fail(self, run: JobRun, error: Exception) -> None:
        """A stage raised: what that means for the record is its outcome. Raises Fatal where it is our fault."""
        self.complete(run, self._outcome_of(run, error))

    def _outcome_of(self, run: JobRun, error: Exception) -> Outcome | Abandoned:
        # A rejection's words quote the sender's, such as an object's key: they go into the dead letter alone.
        told = {"code": str(error.code)} if isinstance(error, Rejected) else {"error": str(error)}
        run.log.warning(LogEvent.STAGE_FAILED, stage=run.stage, kind=type(error).__name__, **told)
        failure = Failure(
            error=error,
            attempt=run.attempt,
            stage=run.stage,
            request_id=run.request_id,
            content=run.content,
            starts=max(self._crash_guard.starts(run.attempt), run.attempt.record.reader_deaths),
            trial=run.trial,
        )
        try:
            return self._runner.encode(run, lambda: self._audit.of_failure(run, self._failure_policy.on(failure)))
        except Cancelled:
            return Abandoned()


def _do_afterwards(run: JobRun) -> None:
    for task in run.afterwards:
        try:
            task()
        except Exception as error:  # noqa: BLE001 - the result stands without it
            run.log.warning(LogEvent.INDEX_NOT_WRITTEN, reason=str(error))
