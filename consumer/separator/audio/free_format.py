"""MPEG audio of free format, which ffmpeg has no decoder for: its frames don't say how long they are.

Their heads have 0 in place of a bit rate (ISO/IEC 11172-3, 2.4.2.3), and lie at equal distances, but for a byte of
padding, or four in layer I.
"""

import re
from pathlib import Path

from consumer.separator.audio.wave_header import id3_size

# The syncword, any layer, and a third byte without a bit rate, but with a sample rate.
_HEAD = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff][\x00-\x0b].", re.DOTALL)
_LOOK_BYTES, _LONGEST_FRAME_BYTES, _MOST_TAGS = 1 << 16, 1 << 13, 8
_MOST_HEADS, _PADDING_BYTES = 50, 4
_RATE_MASK = 0x0C


def is_of_free_format(path: Path) -> bool:
    """Whether the file begins with three such frames, behind its tags and not far behind other bytes."""
    with path.open("rb") as file:
        begin = 0
        for _ in range(_MOST_TAGS):
            file.seek(begin)
            begin += id3_size(file.read(10))
        file.seek(begin)
        data = file.read(_LOOK_BYTES)
    heads = _HEAD.finditer(data)
    return any(_begins_a_row(data, head.start()) for _, head in zip(range(_MOST_HEADS), heads, strict=False))


def _begins_a_row(data: bytes, first: int) -> bool:
    """Whether two frames of its kind follow the one that may begin here, each at the same distance."""
    followers = _HEAD.finditer(data, first + 8, first + _LONGEST_FRAME_BYTES)
    for _, head in zip(range(_MOST_HEADS), followers, strict=False):
        size = head.start() - first
        if _are_alike(data, first, head.start()) and any(
            _HEAD.match(data, place) and _are_alike(data, first, place)
            for place in range(head.start() + size - _PADDING_BYTES, head.start() + size + _PADDING_BYTES + 1)
        ):
            return True
    return False


def _are_alike(data: bytes, first: int, other: int) -> bool:
    """Of one version and layer, and one sample rate."""
    return data[first + 1] == data[other + 1] and not (data[first + 2] ^ data[other + 2]) & _RATE_MASK
