"""Processor time and memory of this process and of others, as Linux tells them."""

import os
import resource
from pathlib import Path

from consumer.core.model import Usage

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def own_usage() -> Usage:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(spent.ru_utime + spent.ru_stime, int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES)


def usage_of(pid: int) -> tuple[Usage, Usage]:
    """A process's, and that of all its children so far: those that it has waited for, and those that are at work.

    Raises OSError where it has ended.
    """
    while True:
        own, waited_for_s = _told(pid)
        children = _at_work(pid)
        if _told(pid)[1] == waited_for_s:  # else a child ended meanwhile, and would count not at all or twice
            return own, Usage(waited_for_s + children.cpu_s, children.memory_bytes)


def _at_work(pid: int) -> Usage:
    """That of its living children together."""
    cpu_s, memory_bytes = 0.0, 0
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in listed.read_text().split():
                at_work, _ = _told(int(child))
                cpu_s += at_work.cpu_s
                memory_bytes += at_work.memory_bytes
        except OSError:
            continue  # it has ended meanwhile
    return Usage(cpu_s, memory_bytes)


def _told(pid: int) -> tuple[Usage, float]:
    """A process's usage, and the processor time of those of its children that it has waited for."""
    fields = [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1:]]
    own_ticks, waited_for_ticks = sum(fields[10:12]), sum(fields[12:14])
    return Usage(own_ticks / _TICKS_A_SECOND, fields[20] * _PAGE_BYTES), waited_for_ticks / _TICKS_A_SECOND
