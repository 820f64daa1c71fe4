"""How much memory there is to be shared, as the kernel's documents of control groups say it is found."""

import os
from pathlib import Path

import pytest

from consumer.separator.bounds import memory_bytes, most_data_bytes

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
GIB = 1 << 30
V1 = "memory/memory.limit_in_bytes"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, MACHINE),
        ("0::/\n", {"memory.max": "67108864\n"}, 64 << 20),  # a container's, which sees its own group as the first
        ("0::/\n", {"memory.max": "max\n"}, MACHINE),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "33554432\n"}, 32 << 20),
        ("0::/a\n", {"a/memory.max": "16777216\n", "memory.max": "33554432\n"}, 16 << 20),
        # Version 1, where a group is named by a path that a container does not see.
        ("5:memory:/docker/1234\n0::/docker/1234\n", {V1: "50331648\n"}, 48 << 20),
        ("5:cpu,memory:/x\n1:name=systemd:/x\n", {"memory/x/memory.limit_in_bytes": "8388608\n"}, 8 << 20),
        ("5:memory:/x\n", {V1: "9223372036854771712\n"}, MACHINE),  # which means none
        ("5:cpu:/x\n", {V1: "8388608\n"}, MACHINE),
        (None, {"memory.max": "1\n"}, MACHINE),
    ],
)  # fmt: skip
def test_what_there_is(tmp_path: Path, groups: str | None, files: dict[str, str], expected: int) -> None:
    """The least that any group on the way up has, or the machine."""
    if groups is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory_bytes(tmp_path) == expected


@pytest.mark.parametrize(
    ("there_is", "processors", "expected"),
    [(32 * GIB, 0, 24 * GIB), (GIB, 0, 4 * GIB), (32 * GIB, 16, 25 * GIB)],
)
def test_what_one_process_may_have(there_is: int, processors: int, expected: int) -> None:
    """A part of it, but as much as the networks need, and room for stacks that are never used."""
    assert most_data_bytes(there_is, processors) == expected
