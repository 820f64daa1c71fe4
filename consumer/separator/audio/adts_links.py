"""Where the rate, the kind or the channels of a stream of AAC frames (ADTS, ISO/IEC 14496-3, 1.A.2.2) become others.

Such a file has no times of its own: ffmpeg counts frames at the first one's rate, and so would put silence between all
that come at a higher one. Each part is decoded for itself instead.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.links import MOST_LINKS
from consumer.separator.audio.wave_header import id3_size

_HEAD_BYTES, _CHUNK_BYTES, _MOST_TAGS = 7, 1 << 20, 8


def adts_sections(path: Path) -> tuple[Section, ...]:
    """Its parts, in their order; none where it is all of one kind, as far as its frames lie one behind the other.

    Raises Rejected(AUDIO_UNDECODABLE) where there are more than MOST_LINKS.
    """
    with path.open("rb") as file:
        starts: list[int] = []
        last = None
        for place, kind in _frames(file):
            if kind != last:
                starts.append(place)
                last = kind
            if len(starts) > MOST_LINKS:
                raise Rejected(Code.AUDIO_UNDECODABLE, f"the file is a chain of more than {MOST_LINKS} links")
    if len(starts) < 2:
        return ()
    ends = [*starts[1:], path.stat().st_size]
    return tuple(Section(first=first, end=end) for first, end in zip([0, *starts[1:]], ends, strict=True))


def _frames(file: BinaryIO) -> Iterator[tuple[int, tuple[int, int]]]:
    """Where each frame begins, and what kind it is of: profile and rate, and channels."""
    place, begin, chunk = 0, 0, b""
    for _ in range(_MOST_TAGS):
        file.seek(place)
        place += id3_size(file.read(10))
    while True:
        if not begin <= place <= begin + len(chunk) - _HEAD_BYTES:
            file.seek(place)
            begin, chunk = place, file.read(_CHUNK_BYTES)
        head = chunk[place - begin : place - begin + _HEAD_BYTES]
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if len(head) == _HEAD_BYTES else 0
        if size < _HEAD_BYTES or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
            return
        yield place, (head[2] >> 2, (head[2] & 1) << 2 | head[3] >> 6)
        place += size
