"""The pages of an Ogg file (RFC 3533, 6), for what ffmpeg does not heed in them: where a stream begins and ends."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section

CONTINUES, BEGINS, ENDS = 0x01, 0x02, 0x04
_HEAD = struct.Struct("<4sBBqIIIB")  # magic, version, flags, position, serial, number, checksum, segments
_MOST_PAGES = 200  # before the first that has samples
_MOST_WALKED = 300_000  # pages, some seconds; a long file has a tenth of that
_TAIL_BYTES = 1 << 18
_MOST_JUNK_BYTES = 1 << 16  # in front of the first page


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """position: the samples up to its end; -1 where no packet ends on it. packets: that end on it. lacing: the sizes of
    what is on it, as far as 255 bytes at once.
    """

    flags: int
    position: int
    serial: int
    packets: int
    body: int  # where it begins in the file
    end: int
    lacing: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last page of a stream, which says that it is the last, and the position of the one before that has one; None
    where it lies too far in front to be looked for.
    """

    page: Page
    before: int | None


def place_of(file: BinaryIO, path: Path, section: Section | None) -> tuple[int, int]:
    """Where the pages of the file, or of this part of it, begin and end."""
    start, end = (section.first, section.end) if section else (0, path.stat().st_size)
    file.seek(start)
    return start + max(0, file.read(_MOST_JUNK_BYTES).find(b"OggS")), end


def first_pages(file: BinaryIO, first: int, end: int) -> Iterator[Page]:
    """The first pages, one behind the other, for as long as they are whole."""
    for _ in range(_MOST_PAGES):
        page = _page(file, first)
        if page is None or page.end > end:
            return
        yield page
        first = page.end


def end_of(file: BinaryIO, first: int, end: int, serial: int) -> End | None:
    """How the stream of this number ends; None where no page says that it is its last, as in a file that is cut off."""
    start = max(first, end - _TAIL_BYTES)
    file.seek(start)
    tail = file.read(end - start)
    place, last = len(tail), None
    while (place := tail.rfind(b"OggS", 0, place)) >= 0:
        page = _page(file, start + place)
        if page is None or page.serial != serial or page.end > end:
            continue
        if last is None and not page.flags & ENDS:
            return None
        if last is not None and page.position >= 0:
            return End(page=last, before=page.position)
        last = last or page
    return End(page=last, before=0 if start == first else None) if last else None


def last_pages(file: BinaryIO, first: int, end: int, serial: int) -> list[Page]:
    """The last pages of the stream of this number, one behind the other as far as they lie so."""
    start = max(first, end - _TAIL_BYTES)
    file.seek(start)
    tail = file.read(end - start)
    place, pages = tail.find(b"OggS"), list[Page]()
    while 0 <= place < len(tail):
        page = _page(file, start + place)
        if page is None or page.end > end:
            place = tail.find(b"OggS", place + 1)
            continue
        if page.serial == serial:
            pages.append(page)
        place = tail.find(b"OggS", page.end - start)
    return pages


def goes_back(file: BinaryIO, first: int, end: int, serial: int) -> bool:
    """Whether a page of this stream tells of an earlier time than one before it; also where there are too many pages to
    be sure. What lies behind damage is not looked at.
    """
    latest = -1
    for _ in range(_MOST_WALKED):
        page = _page(file, first)
        if page is None or page.end > end:
            return False
        if page.serial == serial and page.position >= 0:
            if page.position < latest:
                return True
            latest = page.position
        first = page.end
    return True


def _page(file: BinaryIO, first: int) -> Page | None:
    file.seek(first)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, _, flags, position, serial, _, _, segments = _HEAD.unpack(head)
    lacing = file.read(segments)
    if magic != b"OggS" or len(lacing) < segments:
        return None
    body = first + _HEAD.size + segments
    packets = sum(size < 255 for size in lacing)
    return Page(
        flags=flags, position=position, serial=serial, packets=packets, body=body, end=body + sum(lacing), lacing=lacing
    )
