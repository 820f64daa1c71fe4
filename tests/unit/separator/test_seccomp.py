"""What seccomp's filters answer, read by a small machine that is written from classic BPF's own rules."""

import errno
import platform
import re
import struct
from pathlib import Path

import pytest

from consumer.separator import syscalls
from consumer.separator.seccomp import MACHINES, Machine, filter_of_process, filter_of_program

KILL, ALLOW, NOTIFY = 0x80000000, 0x7FFF0000, 0x7FC00000
REFUSED, UNKNOWN = 0x00050000 | errno.EACCES, 0x00050000 | errno.ENOSYS
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003  # AUDIT_ARCH_*, linux/audit.h
HEADERS = {0: "x86_64-linux-gnu/asm/unistd_64.h", 1: "asm-generic/unistd.h"}


def answer(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """As the kernel's interpreter has it (networking/filter.rst), for what may stand in a seccomp filter."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    accumulator, at = 0, 0
    while True:
        code, matched, otherwise, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x20:  # BPF_LD | BPF_W | BPF_ABS
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:  # BPF_ALU | BPF_AND | BPF_K
                accumulator &= value
            case 0x15:  # BPF_JMP | BPF_JEQ | BPF_K
                at += matched if accumulator == value else otherwise
            case 0x25:  # BPF_JMP | BPF_JGT | BPF_K
                at += matched if accumulator > value else otherwise
            case 0x06:  # BPF_RET | BPF_K
                return int(value)
            case _:
                raise AssertionError(f"no instruction: {code:#x}")


def programs(machine: Machine) -> list[bytes]:
    return [filter_of_process(machine), filter_of_program(machine, notify=True)]


@pytest.mark.attack
@pytest.mark.parametrize("name", MACHINES)
def test_calls_of_another_architecture_end_the_process(name: str) -> None:
    """Under other numbers the same calls would pass: those of 32 bits, and of the other machine."""
    machine = MACHINES[name]
    assert machine.architecture == {"x86_64": X86, "aarch64": ARM}[name]
    for program in programs(machine):
        for other in {X86, ARM, I386} - {machine.architecture}:
            assert answer(program, other, 1) == KILL


@pytest.mark.attack
def test_calls_of_x32_and_new_calls_are_unknown() -> None:
    """They are other ways to the same calls, or ways to something that nobody has thought about."""
    for machine in MACHINES.values():
        for program in programs(machine):
            for number in (470, 1000, 0x40000000, 0x40000000 | 41, 0xFFFFFFFF):
                assert answer(program, machine.architecture, number) == UNKNOWN


@pytest.mark.attack
@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("call", [*syscalls.SOCKETS, *syscalls.KERNEL, *syscalls.NAMESPACES, *syscalls.FILES])
def test_a_call_is_refused_on_each_machine(name: str, call: str) -> None:
    """Also on the one that this test does not run on."""
    machine = MACHINES[name]
    number = syscalls.NUMBERS[call][machine.column]
    if number is not None:
        assert {answer(program, machine.architecture, number) for program in programs(machine)} == {REFUSED}


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_needed_is_allowed(name: str) -> None:
    """Reading, writing, memory and threads; and starts are asked about where they are ffmpeg's."""
    machine = MACHINES[name]
    process, program = programs(machine)
    needed = {"x86_64": (0, 1, 257, 202, 231), "aarch64": (63, 64, 56, 98, 94)}[
        name
    ]  # read write openat futex exit_group
    for number in needed:
        assert answer(process, machine.architecture, number) == answer(program, machine.architecture, number) == ALLOW
    clone = syscalls.NUMBERS["clone"][machine.column] or 0
    thread = 0x3D0F00  # what pthread_create asks for
    assert answer(process, machine.architecture, clone, thread) == ALLOW
    assert answer(program, machine.architecture, clone, thread) == ALLOW
    assert answer(process, machine.architecture, clone, 17) == ALLOW
    assert answer(program, machine.architecture, clone, 17) == NOTIFY
    for namespace in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert answer(program, machine.architecture, clone, thread | namespace) == REFUSED
        assert answer(process, machine.architecture, clone, 17 | namespace) == REFUSED


@pytest.mark.parametrize("column", HEADERS)
def test_the_numbers_are_the_kernels(column: int) -> None:
    """As its own headers have them, as far as those that are installed here go."""
    if platform.machine() != "x86_64":
        column = 1  # whose headers are the generic ones everywhere
    text = Path("/usr/include", HEADERS[column]).read_text()
    real = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)}
    ours = {name: numbers[column] for name, numbers in syscalls.NUMBERS.items()}
    assert len(real) > 250
    assert {name: number for name, number in ours.items() if name in real} == {
        name: number for name, number in real.items() if name in ours
    }
    newest = max(number for name, number in real.items() if name != "syscalls")
    assert all((number or newest) > newest for name, number in ours.items() if number and name not in real)
