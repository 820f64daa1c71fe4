"""One separator process as its parent holds it, from its start to its end: pipes, replies, and what is known of it."""

import contextlib
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import assert_never

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected, WorkerCrashed
from consumer.core.limits import MAX_SILENCE_S
from consumer.core.model import Usage
from consumer.core.ports import OnProgress
from consumer.separator.malloc import MALLOC_ENVIRONMENT
from consumer.separator.protocol import (
    Alive,
    Command,
    Configure,
    Confined,
    Failed,
    Finished,
    Loaded,
    Needs,
    NotAReply,
    Progress,
    Reply,
    Separate,
    SeparationReport,
    Stop,
    Stopped,
    encode,
)
from consumer.separator.reaper import bury, start_reaper
from consumer.separator.replies import ReplyReader
from consumer.separator.status import SeparatorStatus
from consumer.separator.stop_signals import stop_signals_blocked

STOP_GRACE_S = 1.0  # how long a job may take to stop before its process is killed
_LAST_WORDS_S = 1.0  # an ffmpeg that outlives it for a moment may keep its standard error open
_STDERR_LINES, _STDERR_CHARS = 20, 500  # of what it last wrote there, and of each line
_TICK_S = 1.0  # time is counted by ticks of our own: what was stopped as a whole was silent too, and is well
_SILENT_TICKS = 0.75 * MAX_SILENCE_S / _TICK_S  # before the replica would be taken for hanging
_MEASURED_EVERY_S = 0.5

OnNeeds = Callable[[float], None]  # called with the seconds that the stems will have; may raise

# What a process and all its children so far have used, by the process's id. Raises OSError where it has ended.
MeasureUsage = Callable[[int], tuple[Usage, Usage]]


class _Event(Enum):
    """What a job's thread may find in its queue beside replies."""

    ENDED = "the process has ended"
    CANCELLED = "a job was cancelled, this one or the one before"
    TICK = "some time has passed"


class ChildProcess:
    """One separator process, started at once. `run` is called by one thread at a time; the rest is thread-safe."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        configuration: Configure,
        status: SeparatorStatus,
        measure_usage: MeasureUsage,
    ) -> None:
        """status: what is known before it has said anything. Raises OSError where it can't be started."""
        self.status = replace(status, last_heartbeat=time.monotonic())  # from here on written by _read_replies alone
        self._models = len(configuration.models)
        self._measure_usage = measure_usage
        self._measured_at = float("-inf")
        self._stderr_tail: deque[str] = deque(maxlen=_STDERR_LINES)
        self._events: queue.SimpleQueue[Reply | _Event] = queue.SimpleQueue()
        self._loads: list[Loaded | Failed] = []
        self._ended = self._has_told = False
        self._is_given_up = False
        self._changed = threading.Condition()  # notified when _loads or _ended change
        with stop_signals_blocked():  # from its first moment on, also those that are sent to each process by itself
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,  # nor is it stopped, or hung up on, with its parent's terminal; see bury
                env={**MALLOC_ENVIRONMENT, **environment},  # what the operator sets wins
            )
            start_reaper(self._process)
        assert self._process.stdout
        self._replies = ReplyReader(self._process.stdout, configuration.models)
        threading.Thread(target=self._read_replies, daemon=True).start()
        self._stderr_reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._stderr_reader.start()
        self._burier = threading.Thread(target=bury, args=(self._process,), daemon=True)
        self._burier.start()
        self._send(configuration)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._ended and not self._is_given_up and self._process.poll() is None

    @property
    def stderr_tail(self) -> list[str]:
        """The last lines that it wrote to standard error, the last one last."""
        return list(self._stderr_tail)

    def wait_loaded(self, cancel: Cancellation) -> bool:
        """Whether all its models got loaded, once that is known. Raises Cancelled."""
        with cancel.listen(self._notify), self._changed:
            while len(self._loads) < self._models and not self._ended:
                cancel.check()
                self._changed.wait(1.0)
        return self.status.ready

    def run(
        self, order: Separate, cancel: Cancellation, on_progress: OnProgress, on_needs: OnNeeds
    ) -> SeparationReport:
        """Have one file separated. Raises Rejected, WorkerCrashed, Cancelled (within STOP_GRACE_S), and what the
        callbacks raise; then the job was stopped.
        """
        cancel.check()
        with cancel.listen(lambda: self._events.put(_Event.CANCELLED)):
            self._replies.expect(order.job)
            self._send(order)
            try:
                return self._follow(order, cancel, on_progress, on_needs)
            except BaseException:
                if not self._replies.is_answered:
                    self._stop(order)
                raise

    def _follow(
        self, order: Separate, cancel: Cancellation, on_progress: OnProgress, on_needs: OnNeeds
    ) -> SeparationReport:
        silent_ticks, heard_at = 0, self.status.last_heartbeat
        while True:
            event = self._next_event(cancel)
            match event:
                case _Event.ENDED:
                    raise WorkerCrashed(self._cause_of_death())
                case _Event.CANCELLED:  # or left over from the job before, and this one goes on
                    cancel.check()
                case _Event.TICK:
                    cancel.check()
                    silent_ticks = silent_ticks + 1 if self.status.last_heartbeat == heard_at else 0
                    heard_at = self.status.last_heartbeat
                    if silent_ticks >= _SILENT_TICKS:
                        self.kill()
                        raise WorkerCrashed(f"the separator process was silent for {silent_ticks * _TICK_S:g} s")
                case Progress() if event.job == order.job:
                    on_progress(event.done, event.total)
                case Needs() if event.job == order.job:
                    on_needs(event.audio_s)
                case Finished() if event.job == order.job:
                    return event.separation
                case Failed() if event.job == order.job:
                    raise Rejected(Code(event.code), event.message)
                case _:
                    pass  # about an earlier job

    def kill(self) -> None:
        """End it now, and wait until it has ended, and its last words were read."""
        self._process.kill()
        self._burier.join()
        self._stderr_reader.join(_LAST_WORDS_S)

    def _send(self, command: Command) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(encode(command))
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it has ended, which _read_replies reports

    def _next_event(self, cancel: Cancellation) -> Reply | _Event:
        left_s = cancel.remaining_s()
        try:
            return self._events.get(timeout=_TICK_S if left_s is None else min(left_s, _TICK_S))
        except queue.Empty:
            return _Event.TICK  # or its time is used up

    def _stop(self, order: Separate) -> None:
        """Stop the job; where that does not help within STOP_GRACE_S, end the process."""
        self._send(Stop(order.job))
        deadline = time.monotonic() + STOP_GRACE_S
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left_s)
            except queue.Empty:
                break
            if event is _Event.ENDED or (isinstance(event, Stopped | Finished | Failed) and event.job == order.job):
                return
        self.kill()

    def _read_replies(self) -> None:
        """Until its output ends, in a thread of its own."""
        assert self._process.stdin
        assert self._process.stdout
        with self._process.stdout:
            try:
                for reply in self._replies:
                    self._take(reply)
            except NotAReply as error:
                self._stderr_tail.append(str(error)[:_STDERR_CHARS])
                self._is_given_up = True
                self._process.kill()  # whatever it is doing, nobody will hear of it
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):  # closing flushes
            self._process.stdin.close()
        self._ended = True
        self.status = replace(self.status, ready=False, reason=self.status.reason or "died")
        self._events.put(_Event.ENDED)
        self._notify()

    def _take(self, reply: Reply) -> None:
        match reply:
            case Alive():
                self._take_heartbeat()
            case Confined():
                if not self._has_told:  # before it read anything of strangers; later it may say what they want
                    self.status = replace(self.status, sandbox=reply.holds, namespaces=reply.namespaces)
                self._has_told = True
            case Loaded() | Failed(job=None):
                self._take_load(reply)
            case Needs() | Progress() | Finished() | Failed() | Stopped():
                self._events.put(reply)
            case _:
                assert_never(reply)

    def _take_heartbeat(self) -> None:
        now = time.monotonic()
        if now - self._measured_at < _MEASURED_EVERY_S:
            self.status = replace(self.status, last_heartbeat=now)
            return
        self._measured_at = now
        try:
            own, ffmpeg = self._measure_usage(self._process.pid)
        except OSError:  # it has just ended
            self.status = replace(self.status, last_heartbeat=now)
        else:
            self.status = replace(self.status, own=own, ffmpeg=ffmpeg, last_heartbeat=now)

    def _take_load(self, reply: Loaded | Failed) -> None:
        with self._changed:
            self._loads.append(reply)
            failures = [load.message for load in self._loads if isinstance(load, Failed)]
            ready = len(self._loads) == self._models and not failures
            reason = "; ".join(failures) or ("" if ready else "loading models")
            self.status = replace(self.status, ready=ready, reason=reason)
            self._changed.notify_all()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _read_stderr(self) -> None:
        """Until it ends, in a thread of its own: a full pipe would stop the process."""
        assert self._process.stderr
        with self._process.stderr:
            for line in self._process.stderr:
                self._stderr_tail.append(line.decode("utf-8", "replace").rstrip()[:_STDERR_CHARS])

    def _cause_of_death(self) -> str:
        code = self._process.returncode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return f"the separator process died {how}"
