"""What processes use, children that end at the wrong moment included."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from consumer.core.model import Usage
from consumer.observability import process_usage
from consumer.observability.process_usage import own_usage, usage_of

TICKS_S = 0.05  # the kernel counts in ticks
WORK = "sum(range(10_000_000)); input()"


def children() -> Usage:
    return usage_of(os.getpid())[1]


def test_own_usage_is_told() -> None:
    """A process's time and memory are what the system says, its children's too; of one that is gone none is told."""
    spent_s = time.process_time()
    assert spent_s - TICKS_S <= own_usage().cpu_s <= time.process_time() + TICKS_S
    assert own_usage().memory_bytes > 1 << 20
    own, children = usage_of(os.getpid())
    assert abs(own.cpu_s - own_usage().cpu_s) < 1
    assert own.memory_bytes > 1 << 20
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    assert children.cpu_s >= waited_for.ru_utime + waited_for.ru_stime - TICKS_S
    assert bool(children.memory_bytes) == bool(living)
    with pytest.raises(OSError, match="No such"):
        usage_of(1 << 30)


def test_children_s_memory_is_told_while_they_live() -> None:
    """A child at work counts with its memory, one that has ended with its processor time."""
    before = children()
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        deadline = time.monotonic() + 60
        while children().memory_bytes <= before.memory_bytes + (1 << 20):  # until it has become another program
            assert child.poll() is None
            assert time.monotonic() < deadline
        child.communicate(b"\n", timeout=120)
    assert children().cpu_s > before.cpu_s


def test_a_child_that_ends_meanwhile_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was listed, and has ended before it is looked at, is among those that were waited for."""
    listing = process_usage._children
    monkeypatch.setattr(process_usage, "_children", lambda _: [])  # other tests' servers are at work meanwhile
    before = children()
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:

        def listed(pid: int) -> Iterator[int]:
            found = list(listing(pid))
            assert (child.pid in found) == (child.returncode is None)
            child.communicate(b"\n" if child.returncode is None else None, timeout=120)
            yield from {child.pid} & set(found)

        monkeypatch.setattr(process_usage, "_children", listed)
        after = children()
    spent = usage_of(os.getpid())[1].cpu_s
    assert before.cpu_s < after.cpu_s == spent
