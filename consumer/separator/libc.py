"""The C library's calls that Python has no function for, as what confines a process needs them."""

import ctypes
import os
from functools import cache

_NO_NEW_PRIVILEGES = 38  # linux/prctl.h


@cache  # each CDLL makes a class, which is work for the garbage collector
def libc() -> ctypes.CDLL:
    """The C library; its functions leave errno to `called`."""
    loaded = ctypes.CDLL(None, use_errno=True)
    loaded.syscall.restype = ctypes.c_long
    return loaded


def called(result: int) -> int:
    """The result of a call. Raises OSError where it is negative."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def forbid_privileges() -> None:
    """Neither this thread nor what it starts gets a right by running a program. Raises OSError."""
    called(libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
