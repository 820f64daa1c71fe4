"""The parts of a damaged WavPack file that are whole: ffmpeg stops reading one at the first block that is none.

Each block says at which sample it begins, so that what lies between the parts is known to the sample. A block's head:
https://www.wavpack.com/WavPack5FileFormat.pdf, section 2.
"""

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

_BEGIN = re.compile(rb"wvpk")
_HEAD_BYTES = 32
_MAX_BLOCK_BYTES = 1 << 20
_VERSIONS = range(0x402, 0x411)
_IS_FIRST_OF_FRAME = 0x800
_CHUNK_BYTES = 1 << 20


def whole_parts(file: BinaryIO, size: int) -> Iterator[int]:
    """Where each part begins whose blocks lie one behind the other. size: the file's bytes."""
    place: int | None = 0
    while place is not None:
        yield place
        end = place
        while block_bytes := _block_bytes(file, end):
            end += block_bytes
        place = _next_part(file, end + 1, size)


def _next_part(file: BinaryIO, start: int, size: int) -> int | None:
    """The first block from here on that begins a frame, and is followed by another or by the file's end."""
    for place in _places(file, start):
        block_bytes = _block_bytes(file, place, _IS_FIRST_OF_FRAME)
        if block_bytes and (place + block_bytes == size or _block_bytes(file, place + block_bytes)):
            return place
    return None


def _places(file: BinaryIO, start: int) -> Iterator[int]:
    while True:
        file.seek(start)
        chunk = file.read(_CHUNK_BYTES)
        yield from (start + match.start() for match in _BEGIN.finditer(chunk))
        if len(chunk) < _CHUNK_BYTES:
            return
        start += _CHUNK_BYTES - 3


def _block_bytes(file: BinaryIO, place: int, flags: int = 0) -> int:
    """The size of the block that begins here and has these flags, its head included; 0 where none does."""
    file.seek(place)
    head = file.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or not head.startswith(b"wvpk"):
        return 0
    block_bytes = 8 + int(struct.unpack_from("<I", head, 4)[0])
    is_one = struct.unpack_from("<H", head, 8)[0] in _VERSIONS and _HEAD_BYTES <= block_bytes <= _MAX_BLOCK_BYTES
    return block_bytes if is_one and struct.unpack_from("<I", head, 24)[0] & flags == flags else 0
