"""Has a track separated: by a warm separator, within its time, and again where the separator died over it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from consumer.core.cancellation import Cancellation
from consumer.core.errors import WorkerCrashed
from consumer.core.log_events import LogEvent
from consumer.core.model import LocalTrack, Separation, Stage, Stems
from consumer.core.ports import Room, Separator
from consumer.observability.metrics import Metrics
from consumer.pipeline.crash_guard import CrashGuard
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.stage_runner import StageRunner
from consumer.pipeline.stages.validate import check_deadline, deadline_exceeded
from consumer.pipeline.trial import Trial


class SeparateTrack:
    """max_job_s: seconds that a job may take, waiting not counted."""

    def __init__(
        self,
        runner: StageRunner,
        crash_guard: CrashGuard,
        progress: ProgressReporter,
        metrics: Metrics,
        trial: Trial,
        *,
        max_job_s: float,
    ) -> None:
        self._runner, self._crash_guard, self._progress, self._metrics = runner, crash_guard, progress, metrics
        self._trial, self._max_job_s = trial, max_job_s

    def __call__(self, run: JobRun, track: LocalTrack, separator: Separator, room: Room | None = None) -> Stems:
        """room: for the stems. Raises what the separator raises, OwnershipLost, and Rejected(WORKER_CRASHED,
        DEADLINE_EXCEEDED).
        """
        run.stage, cancellation = Stage.SEPARATE, run.attempt.cancellation
        run.trial = lambda: self._trial(track.job, separator)
        while True:
            self._crash_guard.check(run.attempt)
            cancellation.stop_clock()  # until it begins; loading models and waiting are not the job's time
            separator.prepare(cancellation)
            check_deadline(track.job.request)
            try:
                separation = self._runner.through(run, Stage.SEPARATE, lambda: self._start(run, track, separator, room))
            except WorkerCrashed as crash:
                starts = self._crash_guard.starts(run.attempt)
                run.log.warning(LogEvent.SEPARATOR_CRASHED, reason=str(crash), starts=starts)
                continue
            audio_s, work_s = separation.audio.duration_s, run.timings_s[Stage.SEPARATE]
            self._metrics.separated(track.job.request.model, audio_s=audio_s, work_s=work_s)
            run.trial = None  # from now on the separator is another record's
            return Stems(track=track, separation=separation)

    def _start(self, run: JobRun, track: LocalTrack, separator: Separator, room: Room | None) -> Separation:
        request, cancellation = track.job.request, run.attempt.cancellation
        with self._crash_guard.start(run.attempt), _until(request.deadline, cancellation):
            cancellation.start_clock(self._max_job_s)
            report = self._progress.reporter(request.request_id, run.attempt.retry_state.attempt)
            return separator.separate(track.job, track.path, cancel=cancellation, on_progress=report, room=room)


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
