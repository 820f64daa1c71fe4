"""How many samples the packets of an Ogg Vorbis stream hold, by their first bytes, whatever its pages tell of the time.

A packet's mode says whether its block is a short or a long one, and it gives a quarter of that and of the one before
(Vorbis I, 4.3.8). Which modes there are stands at the end of the setup header, and is read from there as ffmpeg does.
"""

from collections.abc import Sequence
from typing import BinaryIO

from consumer.separator.audio.ogg_pages import CONTINUES, Page

_MOST_MODES, _MODE_BITS, _COUNT_BITS = 64, 41, 6
_TAIL_BYTES = (_MOST_MODES * _MODE_BITS + _COUNT_BITS) // 8 + 64


class VorbisPackets:
    """Counts samples, page by page. Not thread-safe.

    latest: samples of the last packet; None where that is not known.
    """

    def __init__(self, blocks: Sequence[int], *, is_beginning: bool) -> None:
        """blocks: the size of each mode's block, in samples. is_beginning: whether the first packet is the stream's."""
        self.latest: int | None = None
        self._blocks = blocks
        self._mask = (1 << (len(blocks) - 1).bit_length()) - 1
        self._is_first = is_beginning
        self._last: int | None = None  # block of the packet before
        self._begun: int | None = None  # block of one that goes on on the next page

    def on_page(self, file: BinaryIO, page: Page) -> int | None:
        """Samples that the packets give which end on it; None where that is not known."""
        file.seek(page.body)
        body = file.read(page.end - page.body)
        samples: int | None = 0
        place, is_start, is_empty = 0, not page.flags & CONTINUES, True
        for size in page.lacing:
            if is_start:
                self._begun = self._block(body[place]) if place < len(body) and size else None
                is_empty = size == 0
            place += size
            is_start = size < 255
            if not is_start or is_empty:
                continue
            self.latest = self._given()
            samples = None if samples is None or self.latest is None else samples + self.latest
            self._last, self._begun, self._is_first = self._begun, None, False
        return samples

    def _given(self) -> int | None:
        """By the packet that has just ended."""
        if self._is_first:
            return 0
        return None if self._last is None or self._begun is None else (self._last + self._begun) // 4

    def _block(self, begin: int) -> int | None:
        """Of the packet that begins so; None where it is a header."""
        mode = begin >> 1 & self._mask
        return None if begin & 1 or mode >= len(self._blocks) else self._blocks[mode]


def mode_blocks(file: BinaryIO, end: int, blocks: tuple[int, int]) -> tuple[int, ...] | None:
    """The block size of each mode, by the setup header that ends at this byte; None where that can't be read.

    blocks: the sizes of short and long ones.
    """
    first = max(0, end - _TAIL_BYTES)
    file.seek(first)
    tail = file.read(end - first)
    bits = int.from_bytes(tail, "little")
    if not bits:
        return None
    place = bits.bit_length() - 1  # of the framing bit, behind which there are zeros alone
    modes: list[int] = []
    found: tuple[int, ...] | None = None
    while place >= _MODE_BITS + _COUNT_BITS and len(modes) < _MOST_MODES:
        place -= _MODE_BITS
        # From the lowest bit on: the block's flag, the kind of window and of transform, which are 0, and the mapping.
        mode = bits >> place & (1 << _MODE_BITS) - 1
        if mode >> 1 & 0xFFFFFFFF or mode >> 33 >= _MOST_MODES:
            break
        modes.insert(0, blocks[mode & 1])
        if (bits >> place - _COUNT_BITS & (1 << _COUNT_BITS) - 1) + 1 == len(modes):
            found = tuple(modes)
    return found
