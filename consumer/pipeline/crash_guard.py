"""Has a track separated. A record may kill its separator, or us: starts are counted where the count survives that."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected, WorkerCrashed
from consumer.core.model import LocalTrack, Separation
from consumer.core.ports import Separator
from consumer.delivery.assignment import Attempt
from consumer.delivery.dispatcher import Dispatcher
from consumer.pipeline.fair_lock import FairLock
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.stages.validate import deadline_exceeded

MAX_STARTS = 3  # of a record that kills its separator, or its whole replica
FORGET_WITHIN_S = 0.3  # small stems are stored by then, and a transaction is saved


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashGuard:
    dispatcher: Dispatcher
    progress: ProgressReporter
    max_job_s: float
    fair_lock: FairLock = field(default_factory=FairLock)

    def separate(self, attempt: Attempt, track: LocalTrack, separator: Separator, log: Any) -> Separation:
        """Raises what the separator raises, OwnershipLost, and Rejected(WORKER_CRASHED) where it died too often."""
        while True:
            starts = self.dispatcher.starts(attempt)
            if starts >= MAX_STARTS:
                raise Rejected(Code.WORKER_CRASHED, f"the separator died over it {starts} times")
            attempt.cancellation.stop_clock()  # until it begins; loading models and waiting are not the job's time
            separator.prepare(attempt.cancellation)
            # If it dies again, and we with it, nobody else's record shall be charged for that.
            try:
                with self.fair_lock.entered(attempt.cancellation, is_alone=starts > 0):
                    return self._start(attempt, track, separator)
            except WorkerCrashed as crash:
                log.warning("separator.crashed", reason=str(crash), starts=starts + 1)

    def _start(self, attempt: Attempt, track: LocalTrack, separator: Separator) -> Separation:
        """One start, which is counted first. A crash leaves it counted; any other end takes it back."""
        cancel = attempt.cancellation
        self.dispatcher.note_start(attempt)
        cancel.start_clock(self.max_job_s)
        try:
            report = self.progress.reporter(track.job.request.request_id, attempt.retry_state.attempt)
            with _until(track.job.request.deadline, cancel):
                separation = separator.separate(track.job, track.path, cancel=cancel, on_progress=report)
        except WorkerCrashed:
            raise
        except BaseException:
            self.dispatcher.forget_start(attempt)
            raise
        self.dispatcher.forget_start(attempt, within_s=FORGET_WITHIN_S)
        return separation


@contextmanager
def _until(deadline: datetime | None, cancel: Cancellation) -> Iterator[None]:
    """What goes on within this is cancelled at the request's deadline."""
    if deadline is None:
        yield
        return
    left_s = (deadline - datetime.now(UTC)).total_seconds()
    reason = ("deadline", deadline_exceeded(deadline))
    timer = threading.Timer(min(left_s, threading.TIMEOUT_MAX), cancel.cancel, reason)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
