"""The blocks of ADPCM in a WAVE file: where the header contradicts itself about their size, their heads decide.

ffmpeg takes what the header says of it, and decodes noise where that is wrong.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.wave_header import W64_RIFF, format_body, read_format, samples_place, w64_chunks

_MICROSOFT, _IMA = 0x02, 0x11
_HEAD_BYTES = {_MICROSOFT: 7, _IMA: 4}  # a channel, with so many of its samples in it
_HEAD_SAMPLES = {_MICROSOFT: 2, _IMA: 1}
_LAST_STEP, _PREDICTORS = 88, 7
# What Microsoft's format (Multimedia Standards Update, 1994) has in front of others, if there are such.
_COEFFICIENTS = (256, 0, 512, -256, 0, 0, 192, 64, 240, 0, 460, -208, 392, -232)
_MOST_BLOCKS = 200  # that are looked at
_MOSTLY = 0.75  # of them, since some may be damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocks:
    """What a header says of them. size: in bytes. samples: of a channel in each, 0 where that is not said."""

    kind: int
    channels: int
    bits: int
    size: int
    samples: int
    coefficients: Sequence[int]

    @property
    def head_bytes(self) -> int:
        return _HEAD_BYTES[self.kind] * self.channels

    @property
    def size_of_samples(self) -> int:
        """In bytes, with so many samples as the header says."""
        return self.head_bytes + (self.samples - _HEAD_SAMPLES[self.kind]) * self.bits * self.channels // 8


def check_blocks(path: Path, *, first: int = 0) -> None:
    """Raises Rejected(AUDIO_UNDECODABLE) where the WAVE file that begins at this byte holds ADPCM of which ffmpeg would
    make noise: in blocks of another size than it says, or by other coefficients.
    """
    with path.open("rb") as file:
        blocks = _read_blocks(file, first)
        if blocks is None or (place := _place(file, first)) is None:
            return
        if any(blocks.coefficients) and tuple(blocks.coefficients) != _COEFFICIENTS[: len(blocks.coefficients)]:
            raise Rejected(Code.AUDIO_UNDECODABLE, "there is no decoder for Microsoft's ADPCM by other coefficients")
        told = f"blocks of {blocks.size} bytes"
        if blocks.size <= blocks.head_bytes:
            _contradicts(f"{told} for {blocks.channels} channels of ADPCM")
        if not blocks.samples:
            if not _fits(file, blocks, blocks.size, *place):
                _contradicts(f"{told}, of which there are none")
        elif not _is_right_size(file, blocks, *place):
            _contradicts(f"{told} with {blocks.samples} samples of {blocks.bits} bits for {blocks.channels} channels")


def _contradicts(told: str) -> None:
    raise Rejected(Code.AUDIO_UNDECODABLE, f"the WAVE header contradicts itself: {told}")


def _read_blocks(file: BinaryIO, first: int) -> _Blocks | None:
    """None where the file holds other sound, or more channels than there is a decoder for."""
    found = read_format(file, first)
    if found is None or found.kind not in _HEAD_BYTES or found.is_extensible or found.channels not in (1, 2):
        return None
    body, is_big_endian = format_body(file, first)
    end, extra = ">" if is_big_endian else "<", body[18:]
    samples = struct.unpack(f"{end}H", extra[:2])[0] if len(extra) >= 2 else 0
    coefficients: Sequence[int] = ()
    if found.kind == _MICROSOFT and len(extra) >= 4:
        count = min(struct.unpack(f"{end}H", extra[2:4])[0], _PREDICTORS, len(extra[4:]) // 4)
        coefficients = struct.unpack(f"{end}{2 * count}h", extra[4 : 4 + 4 * count])
    bits = 4 if found.kind == _MICROSOFT or not found.bits else found.bits  # as ffmpeg has it
    return _Blocks(
        kind=found.kind,
        channels=found.channels,
        bits=bits,
        size=found.frame_bytes,
        samples=samples,
        coefficients=coefficients,
    )


def _place(file: BinaryIO, first: int) -> tuple[int, int] | None:
    file.seek(first)
    if file.read(16) != W64_RIFF:
        return samples_place(file, first)
    end = file.seek(0, 2)
    for name, chunk_bytes in w64_chunks(file, lying=b"data"):
        if name == b"data":
            begin = file.tell()
            return begin, min(end, begin + chunk_bytes) if chunk_bytes else end
    return None


def _is_right_size(file: BinaryIO, blocks: _Blocks, begin: int, end: int) -> bool:
    """Whether the size that the header says is the one that the blocks have."""
    other = blocks.size_of_samples
    if blocks.size - other in range(blocks.channels):  # a last byte may be left over
        return True
    if end - begin <= min(blocks.size, other):
        return True  # of one block only what is there counts
    # The heads of blocks lie at every second one's place too: of two sizes that fit the smaller one is right.
    is_other = blocks.head_bytes < other < blocks.size and _fits(file, blocks, other, begin, end)
    return blocks.bits == 4 and not is_other and _fits(file, blocks, blocks.size, begin, end)


def _fits(file: BinaryIO, blocks: _Blocks, size: int, begin: int, end: int) -> bool:
    """Whether there are heads where blocks of this size would have them."""
    places = range(begin, end - blocks.head_bytes + 1, size)[:_MOST_BLOCKS]
    heads = 0
    for place in places:
        file.seek(place)
        heads += _is_head(file.read(blocks.head_bytes), blocks)
    return heads >= _MOSTLY * len(places)


def _is_head(head: bytes, blocks: _Blocks) -> bool:
    if blocks.kind == _MICROSOFT:
        return max(head[: blocks.channels]) < _PREDICTORS
    return max(head[2::4]) <= _LAST_STEP and not any(head[3::4])
