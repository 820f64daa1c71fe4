"""The consumer's side of a separator: keeps one process warm, gives it one job at a time, replaces it when it dies."""

import errno
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from consumer.core.cancellation import Cancellation
from consumer.core.catalog import STEM_MODELS
from consumer.core.errors import ConsumerError, Fatal, ScratchUnavailable, WorkerCrashed
from consumer.core.extras import missing_in
from consumer.core.log_events import LogEvent
from consumer.core.model import NO_USAGE, Job, Separation, Usage
from consumer.core.ports import OnProgress, Room
from consumer.core.stem_files import stem_bytes
from consumer.separator.child_process import ChildProcess, MeasureUsage
from consumer.separator.protocol import Configure, Separate
from consumer.separator.replies import checked_separation
from consumer.separator.status import SeparatorStatus
from consumer.separator.walls import require_walls

RESTART_DELAY_S = 5.0


def not_measured(_pid: int) -> tuple[Usage, Usage]:
    """For those who don't ask what a separator uses."""
    return NO_USAGE, NO_USAGE


class SeparatorClient:
    """One separator process. `separate` is called by one thread at a time; the rest is thread-safe.

    configuration: what each process is told first. max_audio_s: longer tracks are refused. environment: the process's
    own, whole. command: what starts it. measure_usage: asked at each heartbeat. restart_delay_s: seconds between two
    attempts to get a process ready that does not get ready.
    """

    def __init__(
        self,
        configuration: Configure,
        *,
        max_audio_s: float,
        environment: Mapping[str, str],
        command: Sequence[str] = (sys.executable, "-m", "consumer.separator.process"),
        measure_usage: MeasureUsage = not_measured,
        restart_delay_s: float = RESTART_DELAY_S,
    ) -> None:
        self._configuration = configuration
        self._max_audio_s = max_audio_s
        self._command, self._environment = command, environment
        self._measure_usage = measure_usage
        self._restart_delay_s = restart_delay_s
        self._log = structlog.get_logger()
        self._child: ChildProcess | None = None
        self._started_at = float("-inf")
        self._jobs = 0
        self._lock = threading.Lock()
        self._closed = False

    @property
    def folder(self) -> Path:
        """See ports.Separator: all that the process can write to, made where it is started."""
        return self._configuration.scratch

    @property
    def status(self) -> SeparatorStatus:
        """What is known of the present process, or of the last one."""
        return self._child.status if self._child else SeparatorStatus()

    def start(self) -> None:
        """Start the process unless it runs; it loads its models while we go on. `status` tells when it is ready.

        Raises Fatal where there is nothing that could be run, ScratchUnavailable where this machine can't just now.
        """
        with self._lock:
            if self._closed or (self._child and self._child.alive):
                return
            status = self.status
            if self._child:
                status = replace(status, ready=False, reason="starting", restarts=status.restarts + 1)
            self._started_at = time.monotonic()
            self._make_folder()
            try:
                self._child = ChildProcess(
                    self._command, self._environment, self._configuration, status, self._measure_usage
                )
            except OSError as error:
                raise _not_started(self._command[0], error) from error

    def _make_folder(self) -> None:
        """What is not there when a process confines itself stays out of its reach."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ScratchUnavailable.of(error) from error

    def revive(self) -> None:
        """See ports.Separator."""
        if self._child and not self._child.alive and time.monotonic() - self._started_at > self._restart_delay_s:
            self.start()

    def prepare(self, cancel: Cancellation) -> None:
        """See ports.Separator."""
        while True:
            self.start()
            child = self._child
            assert child
            if child.wait_loaded(cancel):
                return
            reason = child.status.reason
            child.kill()
            if self._configuration.sandbox_required:
                require_walls(child.status.sandbox)
            self._log.error(LogEvent.SEPARATOR_NOT_READY, reason=reason, stderr_tail=child.stderr_tail)
            if missing := missing_in(child.stderr_tail):
                raise missing
            cancel.sleep(self._restart_delay_s)

    def separate(
        self, job: Job, path: Path, *, cancel: Cancellation, on_progress: OnProgress, room: Room | None = None
    ) -> Separation:
        """See ports.Separator."""
        self.start()
        child = self._child
        assert child
        self._jobs += 1
        order = self._order(self._jobs, job, path, room)

        def on_needs(audio_s: float) -> None:
            if room:
                room.reserve(_stems_bytes(job, audio_s))

        try:
            return checked_separation(child.run(order, cancel, on_progress, on_needs), order)
        except WorkerCrashed as crash:
            child.kill()  # which may live on, where it told what can't be
            self._log.warning(LogEvent.SEPARATOR_CRASHED, reason=str(crash), stderr_tail=child.stderr_tail)
            raise
        finally:
            if not child.alive:
                self.start()  # at once, so that the next job finds it warm

    def _order(self, number: int, job: Job, path: Path, room: Room | None) -> Separate:
        request = job.request
        return Separate(
            job=number,
            model=request.model,
            path=path,
            folder=path.parent,
            format=job.format,
            bitrate=job.bitrate,
            start_s=request.start_s,
            duration_s=request.duration_s,
            high_frequencies=request.high_frequencies,
            max_audio_s=self._max_audio_s,
            track=request.track,
            room_s=room.most_bytes / _stems_bytes(job, 1.0) if room else None,
        )

    def kill(self) -> None:
        """End the process now, for good."""
        with self._lock:
            self._closed = True
            if self._child:
                self._child.kill()


def _stems_bytes(job: Job, audio_s: float) -> int:
    """What all stems of so many seconds take."""
    return len(STEM_MODELS[job.request.model].stems) * stem_bytes(job.format, job.bitrate, audio_s)


def _not_started(program: str, error: OSError) -> ConsumerError:
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ScratchUnavailable.of(error)
    return Fatal(f"the separator's Python {program} can't be run ({error.strerror})")
