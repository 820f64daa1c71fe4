"""A local file on its way to the gateway."""

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from consumer.client.http.wires import Wire
from consumer.core.errors import Code, Rejected


class LocalFile:
    """A file as httpx2 reads it, which remembers why it could not be read: that is not the gateway's fault."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        """As a file's."""
        try:
            return self._file.read(size)
        except OSError as error:
            self.failure = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file's."""
        return self._file.tell()

    def fileno(self) -> int:
        """As a file's."""
        return self._file.fileno()


@asynccontextmanager
async def opened(path: Path | None, wire: Wire) -> AsyncIterator[LocalFile | None]:
    """Anew for each try. Raises Rejected(REQUEST_INVALID) for what has no length, such as a pipe; OSError."""
    if path is None:
        yield None
        return
    file = await wire.apart(lambda: _open(path))
    try:
        yield LocalFile(file)
    finally:
        await wire.apart(file.close)


def _open(path: Path) -> BinaryIO:
    if not stat.S_ISREG(path.stat().st_mode):
        raise Rejected(Code.REQUEST_INVALID, "source must be a file, and no folder, pipe or device")
    return path.open("rb")
