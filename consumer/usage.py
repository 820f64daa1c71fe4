"""Processor time and memory of this process and of its children, as Linux tells them."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time since the start, memory now."""

    cpu_s: float
    memory_bytes: int


NO_USAGE = Usage(0.0, 0)


def own_usage() -> Usage:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(spent.ru_utime + spent.ru_stime, int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES)


def children_usage() -> Usage:
    """Of all children so far: those that were waited for, and those that are at work."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s, memory_bytes = spent.ru_utime + spent.ru_stime, 0
    for listed in Path("/proc/self/task").glob("*/children"):
        try:
            for pid in listed.read_text().split():
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
                cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
                memory_bytes += int(fields[21]) * _PAGE_BYTES
        except OSError:
            continue  # it has ended meanwhile
    return Usage(cpu_s, memory_bytes)
