"""The first frames of a stream of MPEG audio that ffmpeg passes over: it begins where two are alike in their heads.

Mode, copyright and emphasis count for that too, though an encoder may change the mode (stereo, joint stereo) from frame
to frame (ISO/IEC 11172-3, 2.4.2.3).
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

_LOOK_BYTES, _MOST_PLACES = 1 << 16, 2000  # of what may be a head
_ROW = 4  # frames, one behind the other, are no chance
_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff]")
_HEAD_BYTES = 4
_SAME_STREAM, _ALIKE = 0xFFFE0C00, 0xFFFE0CCF  # the bits that all frames share, and those that ffmpeg compares
_RATES_HZ = (44100, 48000, 32000)
_SHIFT = {3: 0, 2: 1, 0: 2}  # of the sample rate, by the version's bits
# kbit/s, by whether it is MPEG-1, and the layer.
_KBITS = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def passed_over(file: BinaryIO, begin: int, end: int) -> int | None:
    """Where the first frame lies behind `begin` that ffmpeg would leave out; None where it leaves out none."""
    file.seek(begin)
    data = file.read(max(0, min(_LOOK_BYTES, end - begin)))
    is_all = begin + len(data) == end
    for _, sync in zip(range(_MOST_PLACES), _SYNC.finditer(data), strict=False):
        row = [head for _, head in zip(range(_ROW), _row(data, sync.start(), is_all=is_all), strict=False)]
        if len(row) == _ROW or (row and row[-1] is None):
            first, second = [*row, None, None][:2]
            return begin + sync.start() if first and second and (first ^ second) & _ALIKE else None
    return None


def _row(data: bytes, place: int, *, is_all: bool) -> Iterator[int | None]:
    """The heads of frames, one behind the other; None behind one that ends with the file."""
    first = None
    while True:
        head = int.from_bytes(data[place : place + _HEAD_BYTES], "big")
        size = frame_bytes(head) if place + _HEAD_BYTES <= len(data) else 0
        if first is not None and is_all and place == len(data):
            yield None
            return
        first = head if first is None else first
        if not size or (head ^ first) & _SAME_STREAM:
            return
        yield head
        place += size


def frame_bytes(head: int) -> int:
    """The size of the frame with this head of any layer; 0 where it is none, or doesn't say how large it is."""
    version, layer, kbits, rate = head >> 19 & 3, 4 - (head >> 17 & 3), head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version not in _SHIFT or layer > 3 or not 0 < kbits < 15 or rate == 3:
        return 0
    bits = 1000 * _KBITS[version == 3, layer][kbits - 1]
    rate_hz, padding = _RATES_HZ[rate] >> _SHIFT[version], head >> 9 & 1
    if layer == 1:
        return 4 * (12 * bits // rate_hz + padding)
    return (72 if layer == 3 and version != 3 else 144) * bits // rate_hz + padding
