"""Runs one stage of a record: timed, logged, counted, with the retries that its errors deserve."""

import time
from collections.abc import Callable
from typing import TypeVar

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Fatal, Transient
from consumer.core.log_events import stage_passed
from consumer.core.model import Stage
from consumer.delivery.assignment import Attempt
from consumer.observability.metrics import Metrics
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.retry import Retrier

T = TypeVar("T")


class StageRunner:
    """Thread-safe."""

    def __init__(self, retrier: Retrier, metrics: Metrics) -> None:
        self._retrier, self._metrics = retrier, metrics

    def through(self, run: JobRun, stage: Stage, step: Callable[[], T]) -> T:
        """The step's value. Raises what it raises, after the attempts in place that its error deserves."""
        run.stage = stage
        run.attempt.cancellation.check()
        started = time.monotonic()
        with run.span.stage(stage):
            value = self._retrier.run(stage, step, run.attempt.cancellation)
        seconds = time.monotonic() - started
        run.timings_s[stage] = round(seconds, 4)
        self._metrics.passed(stage, seconds, run.span.context)
        run.log.info(stage_passed(stage), seconds=round(seconds, 4))
        return value

    def encode(self, run: JobRun, outcome: Callable[[], T]) -> T:
        """Encode an outcome, for which a registry may be needed; that it is away for all is waited for, that it answers
        and refuses our schema is our fault.

        Raises Fatal, and Cancelled if the record has no outcome here: the partition's next owner will see to it.
        """
        cancellation = run.attempt.cancellation
        try:
            try:
                return self._retrier.run(Stage.ENCODE, outcome, cancellation)
            except Cancelled as cancelled:
                if cancelled.rejection is None:
                    raise
                # It needs an outcome all the same, for as long as it is ours.
                return self._retrier.run(Stage.ENCODE, outcome, _WhileOurs(run.attempt))
        except Transient as error:
            if not run.attempt.is_ours:
                raise Cancelled("partition gone") from error
            raise Fatal(f"outcomes can't be encoded: {error}") from error


class _WhileOurs(Cancellation):
    """Of a job that was cancelled, but whose outcome is still to be told: it ends with the right to tell it."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._attempt = attempt

    def check(self) -> None:
        if not self._attempt.is_ours:
            raise Cancelled("partition gone")
        super().check()
