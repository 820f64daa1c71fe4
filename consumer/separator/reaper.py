"""A process that ends what somebody may have taken over, with all that this has started, when we end, however we end.

A separator ends with its input; one that somebody has taken over need not, nor need what it started. None of that can
leave its process group. So somebody else is in that group too, and waits for the end of a pipe that we alone hold open:
where we are killed, the kernel closes it. What is in a group means no other group by it, whatever numbers are given
anew meanwhile.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

# Nothing is imported but what lies in the interpreter itself: it starts within 10 ms.
REAPER = (sys.executable, "-ISc", "import posix; posix.read(0, 1); posix.kill(0, 9)")
_LAST_BYTES, _CHUNK = 1 << 16, 1 << 16


def start_reaper(process: "subprocess.Popen[bytes]") -> None:
    """Start one for a process that leads a group and was started just now. Raises OSError; then that is ended."""
    try:
        reaper = _reaper(process.pid)
    except BaseException:
        process.kill()
        raise
    threading.Thread(target=_see_both_end, args=(reaper, process), daemon=True).start()


def bury(process: "subprocess.Popen[bytes]") -> None:
    """Once it has ended, end all that it started and left: none of that can leave its group. It is waited for last,
    since until then its number is nobody else's.
    """
    with suppress(ChildProcessError):  # somebody asked just now whether it lives
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class ReapedGroup:
    """A process group for what this process starts, which ends with us. number: to join it by.

    Nothing joins it but what is confined, and can leave no group. Raises OSError.
    """

    def __init__(self) -> None:
        self._leader = _reaper(0)
        self.number = self._leader.pid

    def close(self) -> None:
        """End it now, with all that is in it."""
        assert self._leader.stdin
        self._leader.stdin.close()
        self._leader.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended. code: negative for a signal. last_words: what it last wrote to standard error, 64 KiB at
    most. is_late: whether it was ended, its time being over.
    """

    code: int
    last_words: bytes
    is_late: bool


def run_to_its_end(
    command: Sequence[str], *, stdout: BinaryIO, environment: Mapping[str, str], within_s: float
) -> Ended:
    """Run a program that confines itself. Nothing that it starts outlives it, or this process. Raises OSError."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        process_group=0,
    )
    start_reaper(process)
    burier = threading.Thread(target=bury, args=(process,), daemon=True)
    burier.start()
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        process.kill()

    timer = threading.Timer(within_s, end)
    timer.daemon = True
    timer.start()
    try:
        assert process.stderr
        last_words = b""
        with process.stderr:
            while chunk := process.stderr.read1(_CHUNK):  # type: ignore[attr-defined]
                last_words = (last_words + chunk)[-_LAST_BYTES:]
        code = process.wait()  # who has closed it may go on until its time is over
    finally:
        timer.cancel()
        process.kill()
        burier.join()
    return Ended(code=code, last_words=last_words, is_late=is_late.is_set())


def _reaper(group: int) -> "subprocess.Popen[bytes]":
    """In this group; 0: in one of its own."""
    return subprocess.Popen(
        REAPER,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=group,
        env={},
    )


def _see_both_end(reaper: "subprocess.Popen[bytes]", process: "subprocess.Popen[bytes]") -> None:
    """The reaper ends with the group. Where somebody has ended it alone, nothing goes on without one."""
    reaper.wait()
    process.kill()
    assert reaper.stdin
    reaper.stdin.close()
