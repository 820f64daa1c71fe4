"""A program that was started confined, while it runs: its pipes and its end."""

import fcntl
import os
import signal
import threading
import time
from contextlib import ExitStack, suppress
from io import FileIO

from consumer.separator.sandbox import Reach
from consumer.separator.spawn import Program, spawn

_LOOKS_S = 0.005  # between two looks whether it has ended, where the wait has a bound


class RunningProgram:
    """Has what subprocess.Popen has for a process at work; its pipes hold nothing back. Thread-safe, but for the pipes.

    stdin, stdout: None unless asked for. returncode: None until it was waited for; negative for a signal.
    """

    def __init__(self, pid: int, stdin: FileIO | None, stdout: FileIO | None, stderr: FileIO) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None
        self._lock = threading.Lock()  # so that no signal goes to a number that is another process's by now

    def poll(self) -> int | None:
        """Its exit code where it has ended."""
        with self._lock:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code, once it has ended. Raises TimeoutError."""
        ends_at = None if timeout_s is None else time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if ends_at is None:
                with suppress(ChildProcessError):  # waited for meanwhile
                    os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            elif time.monotonic() > ends_at:
                raise TimeoutError(f"it still runs after {timeout_s:g} s")
            else:
                time.sleep(_LOOKS_S)
        return code

    def kill(self) -> None:
        """End it now, unless it has ended."""
        if self.poll() is None:
            with self._lock:
                if self.returncode is None:
                    os.kill(self.pid, signal.SIGKILL)


def run_confined(program: Program, reach: Reach | None, *, feeds: bool, reads: bool) -> RunningProgram:
    """Start it. feeds, reads: whether its standard input and output are pipes; its standard error is one.

    What is no pipe is nothing. Raises OSError where it can't be started.
    """
    with ExitStack() as theirs, ExitStack() as ours:
        null = _above_standard(os.open(os.devnull, os.O_RDWR))
        theirs.callback(os.close, null)
        stdin = stdout = None
        streams = [null, null, null]
        if feeds:
            streams[0], stdin = _ends(theirs, ours, "wb")
        if reads:
            streams[1], stdout = _ends(theirs, ours, "rb")
        streams[2], stderr = _ends(theirs, ours, "rb")
        pid = spawn(program, (streams[0], streams[1], streams[2]), reach)
        ours.pop_all()
        return RunningProgram(pid, stdin, stdout, stderr)


def _ends(theirs: ExitStack, ours: ExitStack, mode: str) -> tuple[int, FileIO]:
    """The program's end of a new pipe, and ours as a file of this mode; each is closed with its stack."""
    reading, writing = map(_above_standard, os.pipe())
    own, other = (writing, reading) if mode == "wb" else (reading, writing)
    theirs.callback(os.close, other)
    return other, ours.enter_context(FileIO(own, mode))


def _above_standard(descriptor: int) -> int:
    """The same, under a number that no standard stream has, where this process lacks one of those."""
    if descriptor > 2:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(descriptor)
