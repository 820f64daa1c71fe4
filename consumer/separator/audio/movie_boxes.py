"""The boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2), as far as they are read without ffmpeg."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_MOST_BOXES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """first: where its content begins, behind its head."""

    name: bytes
    first: int
    end: int


def find_movie(file: BinaryIO) -> Box | None:
    """The box that describes the file; None where there is none."""
    return find(file, Box(name=b"", first=0, end=os.fstat(file.fileno()).st_size), b"moov")


def sound_tracks(file: BinaryIO, movie: Box) -> list[Box]:
    """Those of sound, in their order."""
    return [box for box in boxes(file, movie) if box.name == b"trak" and _is_sound(file, box)]


def _is_sound(file: BinaryIO, track: Box) -> bool:
    handler = find(file, track, b"mdia", b"hdlr")
    return handler is not None and read(file, handler, 12)[8:] == b"soun"


def find(file: BinaryIO, box: Box, *names: bytes) -> Box | None:
    """The first one of the first name within, in that the first one of the next, and so on; None without one."""
    found: Box | None = box
    for name in names:
        found = next((inner for inner in boxes(file, found) if inner.name == name), None) if found else None
    return found


def boxes(file: BinaryIO, box: Box) -> Iterator[Box]:
    """Those within, in their order, for as long as their sizes can be."""
    place = box.first
    if box.name == b"meta" and read(file, box, 8)[4:] != b"hdlr":
        place += 4  # ISO's has a version; QuickTime's has none
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8 or place + 8 > box.end:
            return
        size, head_bytes = int.from_bytes(head[:4], "big"), 8
        if size == 1 and len(head) == 16:
            size, head_bytes = int.from_bytes(head[8:], "big"), 16
        end = place + size if size else box.end
        if (size and size < head_bytes) or end > box.end:
            return
        yield Box(name=head[4:8], first=place + head_bytes, end=end)
        place = end


def read(file: BinaryIO, box: Box, most: int) -> bytes:
    """Its first bytes, so many at most."""
    file.seek(box.first)
    return file.read(min(most, box.end - box.first))
