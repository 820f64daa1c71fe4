"""The consumer's side of a separator process: starts it, keeps it warm, gives it one job at a time, ends it."""

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import msgspec
import structlog

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Code, Rejected, WorkerCrashed
from consumer.core.model import NO_USAGE, Job, Separation, Usage
from consumer.core.ports import OnProgress
from consumer.observability.process_usage import usage_of
from consumer.separator.malloc import ALLOCATION
from consumer.separator.protocol import (
    Alive,
    Configure,
    Confined,
    Failed,
    Finished,
    Loaded,
    Progress,
    Reply,
    Separate,
    Stop,
    Stopped,
    decode_reply,
    encode,
)

STOP_S = 1.0  # how long a job may take to stop before its process is killed
RESTART_DELAY_S = 5.0  # between two attempts to get a process ready that can't be
_DEAD, _CANCELLED = object(), object()  # what is found in the queue of replies beside replies


@dataclass(slots=True)
class SeparatorStatus:
    """What a probe or a metric may want to know. Written by the client alone."""

    ready: bool = False
    reason: str = "starting"
    sandbox: str = ""  # what it can't reach beyond, in a few words
    restarts: int = 0
    own: Usage = NO_USAGE  # of the present process
    ffmpeg: Usage = NO_USAGE
    last_heartbeat: float = 0.0  # time.monotonic()


class SeparatorClient:
    """One separator process. `separate` is called by one thread at a time; the rest is thread-safe."""

    def __init__(
        self,
        configuration: Configure,
        *,
        max_audio_s: float,
        environment: Mapping[str, str],
        command: Sequence[str] = (sys.executable, "-m", "consumer.separator.process"),
    ) -> None:
        self.status = SeparatorStatus()
        self._configuration = configuration
        self._max_audio_s = max_audio_s
        self._command = command
        self._environment = environment
        self._log = structlog.get_logger()
        self._child: _Child | None = None
        self._started_at = float("-inf")
        self._jobs = 0
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Start the process; it loads its models while we go on. `status` tells when it is ready."""
        with self._lock:
            if self._closed or (self._child and self._child.alive):
                return
            if self._child:
                self.status.restarts += 1
            self.status.ready, self.status.reason = False, "starting"
            self._started_at = time.monotonic()
            self._child = _Child(self._command, self._environment, self._configuration, self.status)

    def revive(self) -> None:
        """See ports.Separator."""
        if self._child and not self._child.alive and time.monotonic() - self._started_at > RESTART_DELAY_S:
            self.start()

    def prepare(self, cancel: Cancellation) -> None:
        """See ports.Separator."""
        while True:
            self.start()
            assert self._child
            if self._child.wait_loaded(cancel):
                return
            self._log.error("separator.not_ready", reason=self.status.reason, last_words=self._child.last_words)
            self._child.kill()
            cancel.sleep(RESTART_DELAY_S)

    def separate(self, job: Job, path: Path, *, cancel: Cancellation, on_progress: OnProgress) -> Separation:
        """See ports.Separator."""
        self.start()
        child = self._child
        assert child
        request = job.request
        self._jobs += 1
        order = Separate(
            job=self._jobs,
            model=request.model,
            path=path,
            folder=path.parent,
            format=job.format,
            bitrate=job.bitrate,
            start_s=request.start_s,
            duration_s=request.duration_s,
            high_frequencies=request.high_frequencies,
            max_audio_s=self._max_audio_s,
        )
        try:
            return child.run(order, cancel, on_progress)
        except WorkerCrashed:
            self._log.warning("separator.crashed", last_words=child.last_words)
            raise
        finally:
            if not child.alive:
                self.start()  # at once, so that the next job finds it warm

    def kill(self) -> None:
        """End the process now, for good."""
        with self._lock:
            self._closed = True
            if self._child:
                self._child.kill()


class _Child:
    """One incarnation of the process."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], configuration: Configure, status: SeparatorStatus
    ) -> None:
        self._status = status
        self._wanted = len(configuration.models)
        self._status.last_heartbeat = time.monotonic()
        self._words: deque[str] = deque(maxlen=20)
        self._replies: queue.SimpleQueue[Reply | object] = queue.SimpleQueue()
        self._loaded = threading.Condition()
        self._loads: list[Loaded | Failed] = []
        self._ended = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,  # a terminal's or an orchestrator's signal to the group must not reach ffmpeg
            env={**ALLOCATION, **environment},  # the operator's own word holds
        )
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._overhear, daemon=True).start()
        self._send(configuration)

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    @property
    def last_words(self) -> list[str]:
        return list(self._words)

    def _send(self, message: Configure | Separate | Stop) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(encode(message))
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it is dead; the listener says so

    def _listen(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with self._process.stdout:
            for line in self._process.stdout:
                try:
                    reply = decode_reply(line)
                except msgspec.DecodeError as error:
                    self._words.append(f"unreadable reply: {error}"[:500])
                    self._process.kill()  # whatever it is doing, nobody will hear of it
                    break
                match reply:
                    case Alive():
                        with contextlib.suppress(OSError):  # it has just died
                            self._status.own, self._status.ffmpeg = usage_of(self._process.pid)
                        self._status.last_heartbeat = time.monotonic()
                    case Confined():
                        self._status.sandbox = reply.holds
                    case Loaded() | Failed(job=None):
                        self._note_load(reply)
                    case Progress() | Finished() | Failed() | Stopped():
                        self._replies.put(reply)
                    case _:
                        assert_never(reply)
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):  # closing flushes
            self._process.stdin.close()
        self._ended = True
        self._status.ready = False
        self._status.reason = self._status.reason or "died"
        self._replies.put(_DEAD)
        with self._loaded:
            self._loaded.notify_all()

    def _note_load(self, reply: Loaded | Failed) -> None:
        with self._loaded:
            self._loads.append(reply)
            failures = [load.message for load in self._loads if isinstance(load, Failed)]
            self._status.ready = len(self._loads) == self._wanted and not failures
            self._status.reason = "; ".join(failures) or ("" if self._status.ready else "loading models")
            self._loaded.notify_all()

    def _overhear(self) -> None:
        assert self._process.stderr
        with self._process.stderr:
            for line in self._process.stderr:
                self._words.append(line.decode("utf-8", "replace").rstrip()[:500])

    def wait_loaded(self, cancel: Cancellation) -> bool:
        """Whether all models got loaded, once that is known. Raises Cancelled."""
        cancel.listen(self._wake)
        with self._loaded:
            while len(self._loads) < self._wanted and not self._ended:
                cancel.check()
                self._loaded.wait(1.0)
        return self._status.ready

    def _wake(self) -> None:
        with self._loaded:
            self._loaded.notify_all()

    def run(self, order: Separate, cancel: Cancellation, on_progress: OnProgress) -> Separation:
        cancel.check()
        cancel.listen(lambda: self._replies.put(_CANCELLED))
        self._send(order)
        while True:
            reply = self._next(cancel)
            if reply is _DEAD:
                raise WorkerCrashed(self._death())
            if reply is _CANCELLED:
                try:
                    cancel.check()
                except Cancelled:
                    self._stop(order)
                    raise
                continue  # left over from the job before this
            match reply:
                case Progress() if reply.job == order.job:
                    on_progress(reply.done, reply.total)
                case Finished() if reply.job == order.job:
                    return reply.separation
                case Failed() if reply.job == order.job:
                    raise Rejected(Code(reply.code), reply.message)
                case _:
                    continue  # late words about an earlier job

    def _next(self, cancel: Cancellation) -> Reply | object:
        try:
            return self._replies.get(timeout=cancel.remaining_s())
        except queue.Empty:
            return _CANCELLED

    def _stop(self, order: Separate) -> None:
        """Stop the job; where that does not help within STOP_S, the whole process."""
        self._send(Stop(order.job))
        deadline = time.monotonic() + STOP_S
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                reply = self._replies.get(timeout=left_s)
            except queue.Empty:
                break
            if reply is _DEAD or (isinstance(reply, Stopped | Finished | Failed) and reply.job == order.job):
                return
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _death(self) -> str:
        code = self._process.returncode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return f"the separator process died {how}"
