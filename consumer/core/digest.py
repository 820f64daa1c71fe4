"""Digests and checksums of files."""

import hashlib
import zlib
from pathlib import Path

_PIECE_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, lower-case hex. Raises OSError where it can't be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums_of(path: Path) -> tuple[str, int]:
    """A file's sha256, lower-case hex, and its CRC-32, as zip files have it, by reading it once. Raises OSError."""
    sha256, crc32 = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE_BYTES):
            sha256.update(piece)
            crc32 = zlib.crc32(piece, crc32)
    return sha256.hexdigest(), crc32
