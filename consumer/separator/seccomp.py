"""System calls that what reads strangers' bytes is kept from: seccomp filters, made here, as classic BPF.

A filter binds the thread that installs it and all that this thread starts from then on, for good. It needs no
privilege. Made here and not by libseccomp, which is a library of the system: a wheel can't bring it along.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from consumer.separator import syscalls
from consumer.separator.libc import called, forbid_privileges, libc

# linux/seccomp.h, linux/filter.h and linux/audit.h.
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _ERROR, _KILL_PROCESS, _NOTIFY = 0x7FFF0000, 0x00050000, 0x80000000, 0x7FC00000
_LOAD, _EQUALS, _IS_GREATER, _AND, _RETURN = 0x20, 0x15, 0x25, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # where they stand in what a filter looks at
_REFUSED, _UNKNOWN = _ERROR | errno.EACCES, _ERROR | errno.ENOSYS

_NEW_NAMESPACES, _THREAD = 0x7E020000, 0x00010000  # flags of clone
_EXEC, _WRITE_AND_EXEC, _ANONYMOUS = 4, 6, 0x20  # of mmap and mprotect
_TERMINAL_CALLS = (0x5412, 0x541C, 0x541D, 0x5423)  # TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD
_OWNER_CALLS = (8, 15)  # of fcntl, F_SETOWN and F_SETOWN_EX: whom a file signals when there is something to read

_OF_ANYBODY = (
    *syscalls.SOCKETS,
    *syscalls.KERNEL,
    *syscalls.PROCESSES,
    *syscalls.NAMESPACES,
    *syscalls.SYSTEM,
    *syscalls.IPC,
    *syscalls.IDENTITY,
    *syscalls.FILES,
    "setsid",
    "execveat",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A kind of processor. architecture: as the kernel names it to filters. column: of syscalls.NUMBERS. seccomp: the
    number of that system call.
    """

    architecture: int
    column: int
    seccomp: int


MACHINES = {
    "x86_64": Machine(architecture=0xC000003E, column=0, seccomp=317),
    "aarch64": Machine(architecture=0xC00000B7, column=1, seccomp=277),
}


@dataclass(frozen=True, slots=True)
class _Step:
    """An instruction. matched, otherwise: how many of the next ones are skipped in either case."""

    code: int
    value: int
    matched: int = 0
    otherwise: int = 0

    def packed(self) -> bytes:
        return struct.pack("=HBBI", self.code, self.matched, self.otherwise, self.value)


class Filter:
    """What is refused on one kind of machine; everything else is allowed.

    Refused too: calls as another architecture makes them, which ends the process, and calls that are newer than our
    list, which are answered as an older kernel would.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._steps = [
            _Step(_LOAD, _ARCHITECTURE),
            _Step(_EQUALS, machine.architecture, 1, 0),
            _Step(_RETURN, _KILL_PROCESS),
            _Step(_LOAD, _NUMBER),
            _Step(_IS_GREATER, syscalls.NEWEST, 0, 1),  # so are those of x32
            _Step(_RETURN, _UNKNOWN),
        ]

    def packed(self) -> bytes:
        """The program, as the kernel takes it."""
        return b"".join(step.packed() for step in (*self._steps, _Step(_RETURN, _ALLOW)))

    def answer(self, names: Iterable[str], action: int) -> None:
        """Each of these calls is answered so, whatever its arguments."""
        for number in self._numbers(names):
            self._steps += [_Step(_EQUALS, number, 0, 1), _Step(_RETURN, action)]

    def answer_where(self, names: Iterable[str], tests: Sequence[tuple[int, int, int, int]]) -> None:
        """A call is answered by the first test that it meets: (argument, mask, masked value, action)."""
        body = []
        for argument, mask, value, action in tests:
            body += [
                _Step(_LOAD, _FIRST_ARGUMENT + 8 * argument),
                _Step(_AND, mask),
                _Step(_EQUALS, value, 0, 1),
                _Step(_RETURN, action),
            ]
        body.append(_Step(_RETURN, _ALLOW))
        for number in self._numbers(names):
            self._steps += [_Step(_EQUALS, number, 0, len(body)), *body]

    def _numbers(self, names: Iterable[str]) -> list[int]:
        numbers = (syscalls.NUMBERS[name][self._machine.column] for name in names)
        return [number for number in numbers if number is not None]


def filter_of_process(machine: Machine) -> bytes:
    """For a separator, which starts threads and ffmpeg, and makes code for its networks. All that it starts stays in
    its process group.
    """
    made = Filter(machine)
    made.answer((*_OF_ANYBODY, "setpgid", "setpriority", "ioprio_set"), _REFUSED)
    made.answer(("clone3",), _UNKNOWN)  # whose flags can't be looked at: the C library takes clone instead
    made.answer_where(("clone",), [*_namespace_tests()])
    made.answer_where(("ioctl",), _command_tests(_TERMINAL_CALLS))
    made.answer_where(("fcntl",), _command_tests(_OWNER_CALLS))
    return made.packed()


def filter_of_program(machine: Machine, *, notify: bool, group: int | None = 0) -> bytes:
    """For ffmpeg, which starts threads alone. notify: its starts of processes and programs are asked about. group: the
    only process group that it may join, as its start does; 0: one of its own.
    """
    made = Filter(machine)
    made.answer((*_OF_ANYBODY, *syscalls.SCHEDULING), _REFUSED)
    made.answer(("kill", "tgkill", "pidfd_open", "memfd_create", "seccomp", "landlock_create_ruleset"), _REFUSED)
    made.answer(("clone3",), _UNKNOWN)
    made.answer_where(("setpgid",), [(1, 0xFFFFFFFF, group or 0, _ALLOW), (1, 0, 0, _REFUSED)])
    asked = _NOTIFY if notify else _ALLOW
    made.answer(("fork", "vfork", "execve"), asked)
    made.answer_where(("clone",), [*_namespace_tests(), (0, _THREAD, 0, asked)])
    made.answer_where(("ioctl",), _command_tests(_TERMINAL_CALLS))
    made.answer_where(("fcntl",), _command_tests(_OWNER_CALLS))
    made.answer_where(("prlimit64",), [(0, 0xFFFFFFFF, 0, _ALLOW), (0, 0, 0, _REFUSED)])  # but its own
    # A program's code is mapped from its file, and never written to.
    anonymous = [(3, _ANONYMOUS, 0, _ALLOW), (2, _EXEC, _EXEC, _REFUSED)]
    made.answer_where(("mmap",), [(2, _WRITE_AND_EXEC, _WRITE_AND_EXEC, _REFUSED), *anonymous])
    made.answer_where(("mprotect", "pkey_mprotect"), [(2, _EXEC, _EXEC, _REFUSED)])
    return made.packed()


def _namespace_tests() -> list[tuple[int, int, int, int]]:
    flags = [1 << bit for bit in range(32) if _NEW_NAMESPACES >> bit & 1]
    return [(0, flag, flag, _REFUSED) for flag in flags]


def _command_tests(commands: Iterable[int]) -> list[tuple[int, int, int, int]]:
    """Of a call that does what its second argument says."""
    return [(1, 0xFFFFFFFF, command, _REFUSED) for command in commands]


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def machine() -> Machine:
    """The one that this runs on. Raises OSError(ENOSYS) where no filter is known for it."""
    found = MACHINES.get(platform.machine())
    if found is None or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, "not for this processor")
    return found


def number_of(name: str) -> int | None:
    """A call's number on this machine, None where there is none."""
    return syscalls.NUMBERS[name][machine().column]


def install(program: bytes, *, flags: int = 0) -> int:
    """Bind this thread to a filter. Raises OSError where the kernel takes none."""
    given = _Program(len(program) // 8, program)
    forbid_privileges()
    return called(libc().syscall(machine().seccomp, _SET_MODE_FILTER, flags, ctypes.byref(given)))


def confine_calls() -> str:
    """Bind this thread, and all that it starts, to a separator's filter; returns what holds, or why it does not."""
    try:
        _try_listener()
        install(_filter_of_this_process())
    except OSError as error:
        why = "not in this kernel" if error.errno in (errno.ENOSYS, errno.EINVAL) else os.strerror(error.errno or 0)
        return f"no seccomp ({why})"
    return "seccomp"


def install_with_listener(group: int | None = 0) -> int:
    """Bind this thread to ffmpeg's filter; returns the descriptor that is asked about starts. Raises OSError.

    group: see filter_of_program.
    """
    return install(_filter_of_this_program(notify=True, group=group), flags=_NEW_LISTENER)


def install_without_listener(group: int | None = 0) -> None:
    """The same, where the kernel asks nobody: starts are not refused. Raises OSError."""
    install(_filter_of_this_program(notify=False, group=group))


def _try_listener() -> None:
    """In a thread that is lost with it. Raises OSError where ffmpeg's filter couldn't be installed later."""
    nothing = struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)

    def attempt() -> None:
        os.close(install(nothing, flags=_NEW_LISTENER))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(attempt).result()


@cache
def _filter_of_this_process() -> bytes:
    return filter_of_process(machine())


@cache
def _filter_of_this_program(*, notify: bool, group: int | None) -> bytes:
    return filter_of_program(machine(), notify=notify, group=group)
