"""The links of a chained file: Ogg streams, FLAC or AMR files, that were put one behind the other, each with headers.

ffmpeg follows such a file only where the links are of one kind, and then not to the sample: each link is decoded for
itself instead. RFC 3533, section 4 says what a chain of Ogg streams is. What damage leaves whole of a WavPack file is
taken for such links too.
"""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.wavpack_blocks import whole_parts

MOST_LINKS = 1000  # each takes two starts of ffmpeg
_MOST_CHECKS = 2000  # of pages' checksums; what is no page but looks like one may stand anywhere, any number of times
_CHUNK_BYTES = 1 << 20
_HEADER_BYTES, _MAX_PAGE_BYTES = 27, 27 + 255 + 255 * 255
# A page that begins a stream: its flags say so, and that it continues no packet.
_OGG_BEGIN = re.compile(rb"OggS\x00[\x02\x06]")
# The marker, and the head of the one block that has to come first (RFC 9639, 8.2).
_FLAC_BEGIN = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
# The magic numbers of AMR's two kinds: as the head of a frame '#' has padding that is not zero (RFC 4867, 5.1, 5.3).
_AMR_BEGIN = re.compile(rb"#!AMR(?:\n|-WB\n)")
_BEGIN_BYTES = 9  # the longest one


def find_links(path: Path) -> tuple[Section, ...]:
    """Where the file's links lie, in their order; none where it is of another kind, or is all one.

    Raises Rejected(AUDIO_UNDECODABLE) where there are more than MOST_LINKS.
    """
    with path.open("rb") as file:
        begin = file.read(_BEGIN_BYTES)
        if begin.startswith(b"OggS"):
            found = _ogg_starts(file)
        elif begin.startswith(b"fLaC"):
            found = _places(file, _FLAC_BEGIN)
        elif begin.startswith(b"#!AMR"):
            found = _places(file, _AMR_BEGIN)
        elif begin.startswith(b"wvpk"):
            found = whole_parts(file, path.stat().st_size)
        else:
            return ()
        starts: list[int] = []
        for start in found:
            starts.append(start)
            if len(starts) > MOST_LINKS:
                raise Rejected(Code.AUDIO_UNDECODABLE, f"the file is a chain of more than {MOST_LINKS} links")
    if len(starts) < 2:
        return ()
    ends = [*starts[1:], path.stat().st_size]
    return tuple(
        Section(first=first, end=end, continues=first > 0 and begin.startswith(b"wvpk"))
        for first, end in zip([0, *starts[1:]], ends, strict=True)
    )


def _places(file: BinaryIO, pattern: re.Pattern[bytes]) -> Iterator[int]:
    """Where the pattern stands, of at most _BEGIN_BYTES, in any file of any size."""
    position = 0
    while True:
        file.seek(position)
        chunk = file.read(_CHUNK_BYTES)
        # What lies across the border is seen in the next chunk.
        end = len(chunk) if len(chunk) < _CHUNK_BYTES else _CHUNK_BYTES - _BEGIN_BYTES + 1
        for match in pattern.finditer(chunk):
            if match.start() < end:
                yield position + match.start()
        if end == len(chunk):
            return
        position += end


def _ogg_starts(file: BinaryIO) -> Iterator[int]:
    end_of_last = -1
    for number, place in enumerate(_places(file, _OGG_BEGIN)):
        if number == _MOST_CHECKS:
            raise Rejected(Code.AUDIO_UNDECODABLE, f"more than {_MOST_CHECKS} places of it look like a stream's begin")
        if size := _size_of_whole_page(file, place):
            if place != end_of_last:  # streams side by side in one link begin page behind page
                yield place
            end_of_last = place + size


def _size_of_whole_page(file: BinaryIO, first: int) -> int:
    """Bytes of the page that begins here; 0 where its checksum says that it is none."""
    file.seek(first)
    page = file.read(_MAX_PAGE_BYTES)
    if len(page) < _HEADER_BYTES:
        return 0
    size = _HEADER_BYTES + page[26] + sum(page[_HEADER_BYTES : _HEADER_BYTES + page[26]])
    page = page[:size]
    checksum = struct.unpack_from("<I", page, 22)[0]
    return size if len(page) == size and _crc(page[:22] + bytes(4) + page[26:]) == checksum else 0


def _table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        entry = value << 24
        for _ in range(8):
            entry = (entry << 1) ^ (0x04C11DB7 if entry & 0x80000000 else 0)
        entries.append(entry & 0xFFFFFFFF)
    return tuple(entries)


_CRC = _table()


def _crc(data: bytes) -> int:
    """Ogg's checksum: CRC-32 of polynomial 04C11DB7, neither reflected nor inverted."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC[crc >> 24 ^ byte]
    return crc
