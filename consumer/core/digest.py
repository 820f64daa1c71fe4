"""Digests and checksums of files."""

import hashlib
import zlib
from pathlib import Path

_PIECE_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, lower-case hex. Raises OSError where it can't be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def crc32_of(path: Path) -> int:
    """The CRC-32 of a file's bytes, as zip files have it. Raises OSError where it can't be read."""
    found = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            found = zlib.crc32(piece, found)
    return found
