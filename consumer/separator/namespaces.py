"""A network and an IPC namespace of a separator's own, with nothing in them, where the kernel lets it have them.

Seccomp keeps it from what it could reach by others; these hold in another way, and hide what /proc tells of the
network: who is connected with whom. Who has no right to them gets it in a user namespace of its own, in which it is who
it was, and in which the kernel (from Linux 5.14 on) counts its threads by themselves. Containers often forbid that.

It is tried by a child first: who had a user namespace, but not what goes with it, could not go back.
"""

import errno
import os
import resource
from dataclasses import dataclass
from pathlib import Path

from consumer.separator.capabilities import give_up_capabilities, permitted_capabilities
from consumer.separator.libc import called, libc

_IPC, _USER, _NETWORK = 0x08000000, 0x10000000, 0x40000000  # linux/sched.h
_COUNTED_ALONE = 255  # the child's exit code; any other one is 0 or an error's number


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """What came of it. held: in a few words. counts_threads: whether its threads are counted apart from those of its
    user's other processes.
    """

    held: str
    counts_threads: bool


def leave_namespaces() -> Namespaces:
    """Leave those of the consumer for empty ones; this process has no second thread yet."""
    try:
        # Rights over the files of others, which root needs, are none in a user namespace.
        flags = _NETWORK | _IPC | (0 if permitted_capabilities() else _USER)
        counts_threads = _try_in_a_child(flags)
        _leave(flags)
    except OSError as error:
        return Namespaces(held=f"none ({error.strerror})", counts_threads=False)
    return Namespaces(held="network, ipc", counts_threads=counts_threads)


def _try_in_a_child(flags: int) -> bool:
    """Whether threads are counted apart there. Raises OSError where it can't be left."""
    child = os.fork()
    if not child:
        code = errno.EINVAL
        try:
            _leave(flags)
            code = _COUNTED_ALONE if flags & _USER and _is_counted_alone() else 0
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, _COUNTED_ALONE):
        number = code if code > 0 else errno.EPERM  # a filter that ends whoever asks
        raise OSError(number, os.strerror(number))
    return code == _COUNTED_ALONE


def _leave(flags: int) -> None:
    user, group = os.geteuid(), os.getegid()
    called(libc().unshare(flags))
    if flags & _USER:
        own = Path("/proc/self")
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "setgroups").write_text("deny")  # or the groups may not be written
        (own / "gid_map").write_text(f"{group} {group} 1")
        give_up_capabilities(kept=0)


def _is_counted_alone() -> bool:
    """Its user has three processes at least: the consumer, the separator and this one. A limit of two is met only where
    just this one, and a child, count.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (2, hard))
    try:
        child = os.fork()
    except BlockingIOError:
        return False
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return True
