"""Settings of glibc's allocator for the process that separates."""

import contextlib
import ctypes
import gc

# Two arenas instead of eight a core: the threads of each job would fill them all by and by, with 80 MB after 1000 jobs.
# It is read when a process starts, from the environment.
MALLOC_ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"}


def give_back_memory() -> None:
    """Return freed memory to the system, such as building a network took; glibc would keep it."""
    gc.collect()
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
