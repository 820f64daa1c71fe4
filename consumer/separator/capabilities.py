"""What root may do beyond other users, given up: a separator that runs as root is one that runs as an ordinary user."""

import ctypes
import struct

from consumer.separator.libc import called, forbid_privileges, libc

_VERSION = 0x20080522  # linux/capability.h: two words of 32 bits each
# Root reads the songs and models of others, where their modes keep other users out. Where, Landlock says.
_KEPT = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def permitted_capabilities() -> int:
    """Those that this thread has or may take, a bit each; of the first 32. Raises OSError."""
    words = ctypes.create_string_buffer(24)
    called(libc().capget(_header(), words))
    _, permitted, *_ = struct.unpack("=6I", words.raw)
    return int(permitted)


def give_up_capabilities(kept: int = _KEPT) -> None:
    """This thread, and what it starts, has none but these from now on, if it had them. Raises OSError."""
    forbid_privileges()  # else root gets all of them again by running a program
    kept &= permitted_capabilities()
    called(libc().capset(_header(), struct.pack("=6I", kept, kept, 0, 0, 0, 0)))


def _header() -> bytes:
    return struct.pack("=Ii", _VERSION, 0)
