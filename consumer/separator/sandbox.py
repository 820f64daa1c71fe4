"""What a process that reads strangers' bytes may touch: Landlock, where the kernel has it.

Landlock binds the thread that asks for it and all that this thread starts from then on, for good. So a process is
confined before it has a second thread, and a program that is to be confined more closely is started by a thread of
its own.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from consumer.separator.libc import called, forbid_privileges, libc

# System calls, the same on every architecture; linux/landlock.h and linux/prctl.h have the rest.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_FILE, _TRUNCATE, _DEVICE_CONTROL = 1 << 7, 1 << 8, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _DEVICE_CONTROL | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_CONTROL
_BIND_AND_CONNECT_TCP, _ABSTRACT_SOCKETS_AND_SIGNALS = 3, 3
# Landlock's version → how many kinds of access to files it knows; from 4 on TCP, from 6 on what is outside the sandbox.
_FILE_KINDS = ((1, 13), (2, 14), (3, 15), (5, 16))
_TCP_SINCE, _SCOPES_SINCE = 4, 6

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/dev/urandom")
# Of /proc, what tells of the machine and of ourselves: other processes' environments lie there too.
_MACHINE = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu", "/sys/fs/cgroup")
_NULL = Path(os.devnull)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Files and folders, with all that is in them: those that may be read and run, and those that may be changed too.

    What does not exist is left out.
    """

    reads: tuple[Path, ...]
    writes: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Landlock:
    """The kernel's Landlock, as it is unless a test wants another.

    create_ruleset: the number of that system call. version: of the interface; None asks the kernel.
    """

    create_ruleset: int = _CREATE_RULESET
    version: int | None = None


_OF_THIS_KERNEL = Landlock()


def reach_of_programs() -> tuple[Path, ...]:
    """What any program of the system needs to be started."""
    return tuple(map(Path, _SYSTEM))


def reach_of_python() -> tuple[Path, ...]:
    """What Python, and whatever may be imported, needs; not the folder that Python happens to be started in."""
    searched = sys.path if sys.flags.safe_path else sys.path[1:]
    ours = Path(__file__).parents[1]
    places = [*_SYSTEM, *_MACHINE, sys.prefix, sys.base_prefix, sys.exec_prefix, ours, *filter(None, searched)]
    return tuple(dict.fromkeys(Path(place).resolve() for place in map(str, places)))


def reach_of_models(model_path: Path) -> tuple[Path, ...]:
    """The folder, and what links in it lead to."""
    found = [model_path, *model_path.glob("*"), *model_path.glob("*/*")]
    return (model_path, *(path.resolve() for path in found if path.is_symlink()))


def confine(reach: Reach, landlock: Landlock = _OF_THIS_KERNEL) -> str:
    """Confine this thread, and all that it starts; returns what holds, or why it does not, in a few words."""
    try:
        version = _version(landlock)
        kinds = (1 << max(count for since, count in _FILE_KINDS if version >= since)) - 1
        tcp = _BIND_AND_CONNECT_TCP if version >= _TCP_SINCE else 0
        scopes = _ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPES_SINCE else 0
        handled = struct.pack("=QQQ", kinds, tcp, scopes)
        rules = called(libc().syscall(landlock.create_ruleset, handled, ctypes.c_size_t(len(handled)), 0))
        try:
            _allow(rules, reach.reads, _READ & kinds)
            _allow(rules, (*reach.writes, _NULL), _WRITE & kinds)
            forbid_privileges()
            called(libc().syscall(_RESTRICT_SELF, rules, 0))
        finally:
            os.close(rules)
    except OSError as error:
        why = "not in this kernel" if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP) else error.strerror
        return f"no landlock ({why})"
    return "landlock" if tcp else "landlock (files only, for want of a newer kernel)"


def _version(landlock: Landlock) -> int:
    """What the kernel has of Landlock. Raises OSError(ENOSYS or EOPNOTSUPP) where it has none."""
    if landlock.version is not None:
        return landlock.version
    return called(libc().syscall(landlock.create_ruleset, None, ctypes.c_size_t(0), _ASK_VERSION))


def _allow(rules: int, paths: Iterable[Path], access: int) -> None:
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            rule = struct.pack("=Qi", access if path.is_dir() else access & _OF_FILES, place)
            called(libc().syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0))
        finally:
            os.close(place)
