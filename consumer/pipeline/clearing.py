"""Removes folders that a separator could write to, whatever it has left there: of any depth, of any mode, with links.

The standard library's own follows folders down by a call and an open file for each, and gives up at a thousand. Here
folders are brought up to the top one by one, by descriptors: so no name that was exchanged leads elsewhere.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ITSELF = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_folder(folder: Path) -> None:
    """With all that is in it. Raises OSError."""
    clear(folder)
    folder.rmdir()


def clear(folder: Path) -> None:
    """Remove all that is in it. Raises OSError."""
    with _opened(folder, None) as top:
        while names := os.listdir(top):  # noqa: PTH208 - of a descriptor
            for name in names:
                with suppress(FileNotFoundError):  # others remove it too
                    _remove(name, top)


def _remove(name: str, top: int) -> None:
    """What has this name; folders in it get names of their own at the top."""
    if _is_unlinked(name, top):
        return
    with _opened(name, top) as folder:
        for inner in os.listdir(folder):  # noqa: PTH208 - of a descriptor
            if not _is_unlinked(inner, folder):
                with _opened(inner, folder):  # so that its mode lets it be moved
                    os.rename(inner, uuid.uuid4().hex, src_dir_fd=folder, dst_dir_fd=top)
    os.rmdir(name, dir_fd=top)


def _is_unlinked(name: str, folder: int) -> bool:
    """Whether it is gone: False for a folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    return True


@contextmanager
def _opened(name: str | Path, top: int | None) -> Iterator[int]:
    """A descriptor of a folder, which may be read and changed from now on."""
    itself = os.open(name, _ITSELF, dir_fd=top)
    try:
        path = Path(f"/proc/self/fd/{itself}")
        path.chmod(0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(itself)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
