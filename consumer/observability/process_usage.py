"""Processor time and memory of this process and of others, by psutil."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from consumer.core.model import Usage


def own_usage() -> Usage:
    """This process's own, without its children."""
    return _own(psutil.Process())


def usage_of(pid: int) -> tuple[Usage, Usage]:
    """A process's own usage, and that of all its children so far: those it has waited for, and those at work.

    Raises ProcessLookupError where it has ended.
    """
    try:
        process = psutil.Process(pid)
        while True:
            waited_for_s = _waited_for_s(process)
            children = _at_work(pid)
            if _waited_for_s(process) == waited_for_s:  # else one ended meanwhile, and would count not at all or twice
                return _own(process), Usage(waited_for_s + children.cpu_s, children.memory_bytes)
    except psutil.NoSuchProcess as gone:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from gone


def _own(process: psutil.Process) -> Usage:
    spent = process.cpu_times()
    return Usage(spent.user + spent.system, process.memory_info().rss)


def _waited_for_s(process: psutil.Process) -> float:
    """Processor time of those of its children that it has waited for."""
    spent = process.cpu_times()
    return float(spent.children_user + spent.children_system)


def _at_work(pid: int) -> Usage:
    """That of its living children together."""
    cpu_s, memory_bytes = 0.0, 0
    for child in _children(pid):
        try:
            usage = _own(psutil.Process(child))
        except psutil.NoSuchProcess:
            continue  # it has ended meanwhile
        cpu_s += usage.cpu_s
        memory_bytes += usage.memory_bytes
    return Usage(cpu_s, memory_bytes)


def _children(pid: int) -> Iterator[int]:
    """By the kernel's own list: psutil would look at every process of the machine, once a second and separator."""
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            yield from map(int, listed.read_text().split())
        except OSError:
            continue  # that thread has ended meanwhile
