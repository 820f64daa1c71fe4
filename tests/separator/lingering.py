"""Somebody who has taken over a program, and means to be there when all else has ended: by each way of getting away.

A program of its own, of the standard library alone: `lingering.py ... TARGETS` is started in place of ffmpeg, and
becomes what a separator was. Each process that stays writes the way that it took into LEFT, beside the file TARGETS.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

LEFT = "left"
_CLONE_PARENT = 0x8000
_libc = ctypes.CDLL(None, use_errno=True)


def _stay(report: Path, way: str) -> None:
    """Heeds nothing and nobody, and holds nothing by whose end it would be noticed, nor ends with its parent."""
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    _libc.prctl(1, 0, 0, 0, 0)
    with report.open("a") as file:
        file.write(f"{way}\n")
    os.closerange(0, 256)
    while True:
        time.sleep(600)


def _in_a_child(act: Callable[[], None]) -> None:
    if not os.fork():
        try:
            act()
        finally:
            os._exit(0)


def _of_a_parent_that_ended(act: Callable[[], None]) -> None:
    _in_a_child(lambda: _in_a_child(act))


def _as_a_sibling(act: Callable[[], None], clone: int) -> None:
    """A child of who started us."""
    child = _libc.syscall(ctypes.c_long(clone), ctypes.c_long(_CLONE_PARENT | signal.SIGCHLD), *[ctypes.c_long(0)] * 4)
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)


def _alone(stay: Callable[[], None], leave: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        leave()
    stay()


def _as_another_program(report: Path) -> None:
    with report.open("a") as file:
        file.write("another program\n")
    os.execv(sys.executable, [sys.executable, "-ISc", "import time; time.sleep(600)", str(report)])


def _from_one_to_the_next(report: Path) -> None:
    """Never the same process for long."""
    with report.open("a") as file:
        file.write("never the same\n")
    while not os.fork():
        time.sleep(0.005)


def _end_those_beside_us(ours: int) -> None:
    """Whoever was started after us, and is none of our own."""
    for pid in range(ours + 1, ours + 30):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


WAYS = {
    "child", "of a parent that ended", "session", "group", "session of a parent that ended", "sibling",
    "another program", "never the same",
}  # fmt: skip


def leave_all(report: Path, clone: int) -> None:
    """One process each way, as far as processes can be started here."""

    def stays(way: str) -> Callable[[], None]:
        return lambda: _stay(report, way)

    session, group = os.setsid, lambda: os.setpgid(0, 0)
    _in_a_child(stays("child"))
    _of_a_parent_that_ended(stays("of a parent that ended"))
    _in_a_child(lambda: _alone(stays("session"), session))
    _in_a_child(lambda: _alone(stays("group"), group))
    _of_a_parent_that_ended(lambda: _alone(stays("session of a parent that ended"), session))
    _as_a_sibling(stays("sibling"), clone)
    _in_a_child(lambda: _as_another_program(report))
    _in_a_child(lambda: _from_one_to_the_next(report))


def linger(targets: Path) -> None:
    """Leave all that can be left, and then stay for good in our own place, deaf to all pipes."""
    report = targets.with_name(LEFT)
    _end_those_beside_us(os.getpid())
    with contextlib.suppress(OSError):
        leave_all(report, json.loads(targets.read_text())["calls"]["clone"])
    _stay(report, "itself")


if __name__ == "__main__":
    linger(Path(sys.argv[-1]))
