"""Runs one contender and watches it: seconds as it tells them or as the whole process takes, memory of its tree."""

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from consumer.separator.malloc import MALLOC_ENVIRONMENT

_EVERY_S = 0.1  # a look takes a millisecond, which the contender would miss
_FORK_S = 0.2  # until a process that was just forked runs its own program, it looks as large as its parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """seconds: what the contender printed, by name, or its whole wall time as `process`. peak_bytes: resident, with
    all its children, pages that they share counted once a process."""

    seconds: Mapping[str, float]
    peak_bytes: int


def run(command: Sequence[str], environment: Mapping[str, str]) -> Run:
    """A contender to its end. Raises SystemExit with its words if it fails."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watcher = _Watcher(process.pid)
    output, errors = process.communicate(timeout=3600)
    wall_s = time.monotonic() - started
    peak_bytes = watcher.stop()
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} failed:\n{errors[-2000:]}")
    told = output.strip().splitlines()
    seconds = json.loads(told[-1]) if told and told[-1].startswith("{") else {}
    return Run(seconds={"process": wall_s, **seconds}, peak_bytes=peak_bytes)


class _Watcher:
    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._peak_bytes = 0
        self._seen: dict[int, float] = {}  # child's process number → when it was first seen
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            try:
                now = time.monotonic()
                children = self._root.children(recursive=True)
                grown = [child for child in children if now - self._seen.setdefault(child.pid, now) > _FORK_S]
                tree = [self._root, *grown]
                self._peak_bytes = max(self._peak_bytes, sum(p.memory_info().rss for p in tree))
            except psutil.Error:
                continue  # one of them has just ended

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join(60)
        return self._peak_bytes


def median(runs: Sequence[Run], name: str) -> float:
    return statistics.median(run.seconds[name] for run in runs)


def peak_gb(runs: Sequence[Run]) -> float:
    return max(run.peak_bytes for run in runs) / 1e9


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def engine(*arguments: str) -> list[str]:
    """A contender that is this engine without a process of its own around it, in such a process's environment."""
    return [
        "env",
        *(f"{name}={value}" for name, value in MALLOC_ENVIRONMENT.items()),
        *python("-m", "bench.contenders", *arguments),
    ]
