"""A zip of all stems, stored and not compressed, so that its length and each of its bytes are known beforehand.

Layout as in PKWARE's APPNOTE 6.3.10, sections 4.3 to 4.5; ZIP64 only where a size or an offset needs it.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from consumer.core.events import Stem
from consumer.gateway.stems.segments import Segment

_LARGEST_32 = 0xFFFFFFFF
_UTF_8 = 0x0800
_PLAIN, _ZIP64 = 20, 45  # versions that a reader needs
_MADE_BY = (3 << 8) | _ZIP64  # Unix, for the permissions
_PERMISSIONS = 0o100644 << 16
_LAYOUT = b"1"  # of this module: another one makes other bytes of the same stems


def file_name(stem: Stem) -> str:
    """<stem>.<extension>, as in the store."""
    return f"{stem.name}{PurePosixPath(stem.key).suffix}"


def archive_etag(stems: Sequence[Stem], at: datetime) -> str:
    """A strong validator: the same bytes, the same tag."""
    told = "\n".join(f"{file_name(stem)} {stem.size_bytes} {stem.sha256}" for stem in stems)
    return f'"{hashlib.sha256(_LAYOUT + at.isoformat().encode() + told.encode()).hexdigest()[:32]}"'


def archive(stems: Sequence[Stem], crc32s: Mapping[str, int], at: datetime) -> list[Segment]:
    """The archive's segments, in their order. crc32s: by stem. at: what the files' times say."""
    segments: list[Segment] = []
    directory, offset = b"", 0
    for stem in stems:
        name = file_name(stem).encode()
        header = _local_header(name, stem.size_bytes, crc32s[stem.name], at)
        directory += _directory_entry(name, stem.size_bytes, crc32s[stem.name], at, offset)
        segments += [Segment(content=header), Segment(content=stem)]
        offset += len(header) + stem.size_bytes
    return [*segments, Segment(content=directory + _end(len(stems), len(directory), offset))]


def _local_header(name: bytes, size_bytes: int, crc32: int, at: datetime) -> bytes:
    is_large = size_bytes >= _LARGEST_32
    extra = struct.pack("<HHQQ", 1, 16, size_bytes, size_bytes) if is_large else b""
    shown = _LARGEST_32 if is_large else size_bytes
    fields = (0x04034B50, _ZIP64 if is_large else _PLAIN, _UTF_8, 0, *_dos(at), crc32, shown, shown)
    return struct.pack("<IHHHHHIIIHH", *fields, len(name), len(extra)) + name + extra


def _directory_entry(name: bytes, size_bytes: int, crc32: int, at: datetime, offset: int) -> bytes:
    large = [size_bytes, size_bytes] if size_bytes >= _LARGEST_32 else []
    shown = _LARGEST_32 if large else size_bytes
    if offset >= _LARGEST_32:
        large.append(offset)
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    fields = (0x02014B50, _MADE_BY, _ZIP64 if large else _PLAIN, _UTF_8, 0, *_dos(at), crc32, shown, shown)
    rest = (len(name), len(extra), 0, 0, 0, _PERMISSIONS, min(offset, _LARGEST_32))
    return struct.pack("<IHHHHHHIIIHHHHHII", *fields, *rest) + name + extra


def _end(count: int, size_bytes: int, offset: int) -> bytes:
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size_bytes, min(offset, _LARGEST_32), 0)
    if offset < _LARGEST_32:
        return end
    large = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, _MADE_BY, _ZIP64, 0, 0, count, count, size_bytes, offset)
    return large + struct.pack("<IIQI", 0x07064B50, 0, offset + size_bytes, 1) + end


def _dos(at: datetime) -> tuple[int, int]:
    """Time and date as MS-DOS had them: two seconds are the least."""
    time = at.hour << 11 | at.minute << 5 | at.second // 2
    return time, max(0, at.year - 1980) << 9 | at.month << 5 | at.day
