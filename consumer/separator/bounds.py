"""How much of the machine a separator and what it starts may take: whoever has taken it over can't take all of it."""

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LEAST_DATA_BYTES = 4 << 30
# Libraries start some threads a processor, with stacks of which hardly anything is ever memory.
_THREADS_A_PROCESSOR, _STACK_BYTES = 8, 8 << 20
_TASKS_OF_A_USER = 8192  # of all replicas on this machine, in whatever containers, where it is the same user's
_TASKS, _TASKS_A_PROCESSOR = 1024, 32
_CGROUPS = "sys/fs/cgroup"
_LIMITS = {"": "memory.max", "memory": "memory/memory.limit_in_bytes"}  # of cgroup 2, and of 1, by its controller


def set_bounds(*, counts_threads: bool) -> str:
    """Bound this process and its children, besides what each ffmpeg is bound to; returns what to report of it.

    counts_threads: whether its threads are counted apart from those of its user's other processes.
    """
    processors = os.cpu_count() or 1
    most = {
        resource.RLIMIT_CORE: 0,  # a core file would hold someone's music
        resource.RLIMIT_NPROC: _TASKS + _TASKS_A_PROCESSOR * processors if counts_threads else _TASKS_OF_A_USER,
        resource.RLIMIT_NOFILE: 4096,
        resource.RLIMIT_FSIZE: 64 << 30,
        resource.RLIMIT_DATA: most_data_bytes(memory_bytes(), processors),
    }
    for kind, count in most.items():
        _, hard = resource.getrlimit(kind)
        least = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(kind, (least, least))
    return "limits"


def go_first() -> None:
    """Where memory runs out, the kernel ends this process or one that it has started, and nobody else's."""
    with suppress(OSError):  # no such thing on this system, or it is so already and may not be said again
        Path("/proc/self/oom_score_adj").write_text("1000")


def most_data_bytes(there_is: int, processors: int) -> int:
    """What one process may have, of so many bytes of memory: so one alone does not use them up."""
    return max(_LEAST_DATA_BYTES, there_is * 3 // 4) + _THREADS_A_PROCESSOR * processors * _STACK_BYTES


def memory_bytes(root: Path = Path("/")) -> int:
    """What the machine has, or what this process's control groups have of it. root: where /proc and /sys lie."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *_cgroup_limits(root)])


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Each on the way up. A container may not see where it lies; its own group is the topmost one that it sees."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for _, controllers, group in (line.split(":", 2) for line in lines):
        for controller in set(controllers.split(",")) & _LIMITS.keys():
            file = Path(_LIMITS[controller])
            below = Path(group.lstrip("/"))
            for folder in (below, *below.parents):
                with suppress(OSError, ValueError):  # none here, or "max"
                    yield int((root / _CGROUPS / file.parent / folder / file.name).read_text())
