"""Unpacks a model's archive, a stranger's until its digest is known to be right: few names, plain files, bounded sizes.

The format is read strictly, by hand: Python's tarfile reads whatever a header asks for into memory, follows headers
that rename, and its `extractall(filter="data")` could be led outside (CVE-2025-4517).
"""

import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.core.checkpoints import CONVERSION_ENDING

MEBIBYTE = 1 << 20
_BLOCK = 512
_CHUNK = 1 << 18
_END = bytes(_BLOCK)

# What a checkpoint consists of, and how large each part may be; Spleeter's own are 4 x 10 MB of float32 a stem.
_STATE, _CONFIGURATION, _INDEX, _GRAPH, _DATA = 1 << 16, 1 << 16, 16 * MEBIBYTE, 64 * MEBIBYTE, 768 * MEBIBYTE
_CONVERSION = 768 * MEBIBYTE  # 131 MB a stem
_PREFIX = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
_MOST_BYTES = 1024 * MEBIBYTE
# Trained weights hardly shrink, so what grows by much is none; what is small may, such as a graph in text.
_MOST_GROWTH, _FREE_BYTES = 8, 64 * MEBIBYTE
_MOST_FILES, _MOST_ENTRIES = 32, 128
# A header of one file's further facts, such as its times: read within this size, and refused where it renames.
_PAX_BYTES = 1 << 16
_PAX_RENAMES = re.compile(rb"path|linkpath|size|hdrcharset|GNU\.sparse\..*")


class BadArchive(ValueError):
    """Why an archive is refused, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive of a given size may hold, in bytes; a test may want less."""

    total_bytes: int = _MOST_BYTES
    growth: int = _MOST_GROWTH
    free_bytes: int = _FREE_BYTES

    def of(self, archive_bytes: int) -> int:
        """What an archive of this size may unpack to."""
        return min(self.total_bytes, self.free_bytes + self.growth * archive_bytes)


LIMITS = Limits()


def unpack(archive: Path, folder: Path, *, model: str, limits: Limits = LIMITS) -> None:
    """Write the checkpoint in this archive (a tar file in gzip) into `folder`, which must not exist.

    model: whose it is; a `<model>.json` and a conversion are taken too. Other names are read past, unwritten.
    Raises BadArchive where anything but files of plain names is in it, FileExistsError, and OSError of the disk.
    """
    folder.mkdir()
    with archive.open("rb") as packed:
        stream = _Unzipped(packed, limits.of(archive.stat().st_size))
        wanted = _limits_by_name(model)
        seen: set[str] = set()
        for entries, entry in enumerate(_entries(stream)):
            if entries >= _MOST_ENTRIES:
                raise BadArchive(f"more than {_MOST_ENTRIES} entries")
            name = _plain_name(entry)
            if name is None:
                continue
            if name in seen:
                raise BadArchive(f"{name[:80]!r} is in it twice")
            seen.add(name)
            most = next((most for pattern, most in wanted if pattern.fullmatch(name)), None)
            if most is not None and entry.size > most:
                raise BadArchive(f"{name[:80]!r} has {entry.size} bytes, more than {most}")
            _copy(stream, entry.size, folder / name if most is not None else None)
            if sum(1 for _ in folder.iterdir()) > _MOST_FILES:
                raise BadArchive(f"more than {_MOST_FILES} files")
        stream.expect_zeros_alone()


def _limits_by_name(model: str) -> list[tuple[re.Pattern[str], int]]:
    return [
        (re.compile("checkpoint"), _STATE),
        (re.compile(rf"{re.escape(model)}(-16kHz)?\.json"), _CONFIGURATION),
        (re.compile(rf"{_PREFIX}\.index"), _INDEX),
        (re.compile(rf"{_PREFIX}\.meta"), _GRAPH),
        (re.compile(rf"{_PREFIX}\.data-[0-9]{{5}}-of-[0-9]{{5}}"), _DATA),
        (re.compile(rf"{_PREFIX}{re.escape(CONVERSION_ENDING)}"), _CONVERSION),
    ]


class _Unzipped:
    """What one gzip member unpacks to, of which no more than `most_bytes` are given out."""

    def __init__(self, packed: BinaryIO, most_bytes: int) -> None:
        self._packed, self._most, self._left = packed, most_bytes, most_bytes
        self._unzip = zlib.decompressobj(wbits=31)  # gzip, its checksum and length compared at its end
        self._rest = b""  # not yet unpacked

    def read(self, count: int) -> bytes:
        """Exactly so many bytes, at most a chunk. Raises BadArchive where there are fewer."""
        parts, missing = [], count
        while missing:
            part = self._some(missing)
            if not part:
                raise BadArchive("it is cut short")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def expect_zeros_alone(self) -> None:
        """To the end. Raises BadArchive where something else follows, or the end is missing."""
        while part := self._some(_CHUNK):
            if part.count(0) != len(part):
                raise BadArchive("something follows its end")
        behind = self._rest + self._unzip.unused_data
        while behind or (behind := self._packed.read(_CHUNK)):
            if behind.count(0) != len(behind):
                raise BadArchive("something follows its end")
            behind = b""

    def _some(self, most: int) -> bytes:
        """At least a byte, unless the end has come."""
        while not self._unzip.eof:
            packed = self._rest or self._packed.read(_CHUNK)
            try:
                part = self._unzip.decompress(packed, min(most, self._left + 1))
            except zlib.error as error:
                raise BadArchive(f"no gzip file, or damaged ({error})") from error
            self._rest = self._unzip.unconsumed_tail
            self._left -= len(part)
            if self._left < 0:
                raise BadArchive(f"it unpacks to more than {self._most} bytes")
            if part:
                return part
            if not packed and not self._unzip.eof:
                raise BadArchive("it is cut short")
        return b""


def _entries(stream: _Unzipped) -> Iterator[tarfile.TarInfo]:
    """The headers of files and folders up to the end; whoever takes one reads its content before the next."""
    while (block := stream.read(_BLOCK)) != _END:
        try:
            entry = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise BadArchive(f"no tar file, or damaged ({error})") from error
        if entry.size < 0:
            raise BadArchive("an entry has a negative size")
        if entry.type in (tarfile.XHDTYPE, tarfile.XGLTYPE):
            _refuse_renaming(stream, entry.size)
        else:
            yield entry


def _refuse_renaming(stream: _Unzipped, size: int) -> None:
    """Read past a PAX header: records of '<length> <key>=<value>\\n'."""
    if size > _PAX_BYTES:
        raise BadArchive(f"a header of {size} bytes")
    data = stream.read(_padded(size))[:size]
    while data:
        length = re.match(rb"([1-9][0-9]{0,5}) ", data)
        record = data[: int(length[1])] if length else b""
        key, equals, _ = record.partition(b" ")[2].partition(b"=")
        if length is None or len(record) != int(length[1]) or not equals or not record.endswith(b"\n"):
            raise BadArchive("a damaged header")
        if _PAX_RENAMES.fullmatch(key):
            raise BadArchive(f"a header that changes an entry's {key.decode('ascii', 'replace')[:40]}")
        data = data[len(record) :]


def _plain_name(entry: tarfile.TarInfo) -> str | None:
    """The name of a file in the archive's own folder; None for that folder. Raises BadArchive for all else."""
    name = entry.name.removeprefix("./")
    if entry.type == tarfile.DIRTYPE and name in (".", "") and entry.size == 0:
        return None
    # By its type alone: tarfile takes an old-style entry whose name ends in a slash for a folder, and has that cut off.
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.sparse is not None or entry.linkname:
        raise BadArchive(f"{entry.name[:80]!r} is no plain file in it")
    if not name or "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        raise BadArchive(f"{entry.name[:80]!r} is no plain file in it")
    return name


def _copy(stream: _Unzipped, size: int, path: Path | None) -> None:
    """Write the content that comes next to a new file, or read past it."""
    content = _Content(stream, size)
    if path is None:
        while content.read(_CHUNK):
            pass
    else:
        with path.open("xb") as out:  # never through a link, or over what is there
            shutil.copyfileobj(content, out, _CHUNK)
            out.flush()
            os.fsync(out.fileno())  # whole before its folder gets its name, whatever becomes of the machine
    stream.read(_padded(size) - size)


class _Content:
    """The content of one entry, to be read as a file."""

    def __init__(self, stream: _Unzipped, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, most: int = _CHUNK, /) -> bytes:
        """At most so many bytes; nothing at its end."""
        part = self._stream.read(min(most, self._left))
        self._left -= len(part)
        return part


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
