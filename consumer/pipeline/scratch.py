"""The folder in which a replica's tracks lie while they are worked on: its own, and empty when it begins."""

import fcntl
import os
import shutil
from pathlib import Path

from consumer.core.errors import Fatal


class Scratch:
    """`folder` follows from the group and the replica's name, so that what its predecessor left can be removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock: int | None = None

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

    def release(self) -> None:
        """Remove it, and let others have it. What was never claimed is left alone."""
        if self._lock is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)
            self._lock = None
