"""The folder in which a replica's tracks lie while they are worked on: its own, and empty when it begins."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consumer.core.errors import Fatal, ScratchUnavailable

MARGIN_BYTES = 64 << 20  # that stay free beside what is fetched


class Scratch:
    """`folder` follows from the group and the replica's name, so that what its predecessor left can be removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None
        self._reserving = threading.Lock()
        self._reserved_bytes = 0
        self._missed_bytes = 0  # of the last track that found no room

    def claim(self) -> None:
        """Make it, empty, and keep others from it until `release`, or our death.

        Raises Fatal where it can't be written to, or belongs to another replica that runs on this machine.
        """
        try:
            self._lock = self._locked()
            for path in self.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except BlockingIOError as error:
            raise Fatal("INSTANCE_ID: another replica runs on this machine under the same name") from error
        except OSError as error:
            raise Fatal(f"SCRATCH_DIR: can't be written to ({error.strerror})") from error

    def _locked(self) -> int:
        """A descriptor of the folder that holds its lock."""
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.fchmod(descriptor, 0o700)  # which fails where it is another user's
                if self.folder.exists() and os.path.samestat(os.fstat(descriptor), self.folder.stat()):
                    return descriptor
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last holder has just removed it

    @contextmanager
    def reserved(self, size_bytes: int) -> Iterator[None]:
        """Room for a file that is written within this block. Raises ScratchUnavailable."""
        with self._reserving:
            self._demand(self._reserved_bytes + size_bytes)
            self._reserved_bytes += size_bytes
        try:
            yield
        finally:
            with self._reserving:
                self._reserved_bytes -= size_bytes

    def check(self) -> None:
        """There is room for the track that found none, and a file can be made. Raises ScratchUnavailable."""
        with self._reserving:
            self._demand(self._missed_bytes)
            self._missed_bytes = 0
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                file.write(b"x")
        except OSError as error:
            raise ScratchUnavailable.of(error) from error

    def capacity_bytes(self) -> int:
        """What a track may need at most, were the whole disk free. Raises ScratchUnavailable."""
        return self._disk_usage().total - MARGIN_BYTES

    def _disk_usage(self) -> "shutil._ntuple_diskusage":
        try:
            return shutil.disk_usage(self.folder)
        except OSError as error:
            raise ScratchUnavailable.of(error) from error

    def _demand(self, size_bytes: int) -> None:
        free_bytes = self._disk_usage().free
        if free_bytes < size_bytes + MARGIN_BYTES:
            self._missed_bytes = max(self._missed_bytes, size_bytes)
            raise ScratchUnavailable(
                f"SCRATCH_DIR: {free_bytes} bytes are free, {size_bytes + MARGIN_BYTES} are needed"
            )

    def release(self) -> None:
        """Remove it, and let others have it. What was never claimed is left alone."""
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None
