"""FLAC files whose header contradicts their frames, each of which says of itself what it is (RFC 9639, 9.1).

ffmpeg believes the header: it gives up at a frame that is longer or has other bits, and reckons times by a rate that is
not the frames'. Such a file is read without it.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import Section
from consumer.separator.audio.wave_header import id3_size

_MAGIC, _STREAM_INFO_BYTES, _MOST_BLOCKS, _MOST_HEAD_BYTES = b"fLaC", 34, 1000, 16
_RATES_HZ = {
    1: 88200, 2: 176400, 3: 192000, 4: 8000, 5: 16000, 6: 22050, 7: 24000, 8: 32000, 9: 44100, 10: 48000, 11: 96000,
}  # fmt: skip
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_SIDE_BY_SIDE = range(8, 11)  # how two channels may be told
# How the size of a block and the rate may be told behind the rest of the head: in so many bytes, in steps of so much.
_SIZE_BEHIND, _RATE_BEHIND = {6: 1, 7: 2}, {12: (1, 1000), 13: (2, 1), 14: (2, 10)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """Of a stream by its header, or of a frame by its own. samples: of a channel in a block, at most."""

    samples: int
    rate_hz: int
    channels: int
    bits: int

    def allows(self, frame: "_Facts") -> bool:
        """Whether the frame is one of such a stream."""
        told = (self.rate_hz, self.channels, self.bits)
        return frame.samples <= self.samples and (frame.rate_hz, frame.channels, frame.bits) == told


def frames_of_flac(path: Path) -> tuple[Section, ...]:
    """Where the frames of this FLAC file lie, if its header contradicts the first one; nothing otherwise, and where
    that frame leaves something for the header to tell.
    """
    with path.open("rb") as file:
        found = _header(file)
        if found is None:
            return ()
        told, first = found
        file.seek(first)
        frame = _frame(file.read(_MOST_HEAD_BYTES))
    if frame is None or told.allows(frame):
        return ()
    return (Section(first=first, end=path.stat().st_size),)


def _header(file: BinaryIO) -> tuple[_Facts, int] | None:
    """What the header says, and where the frames begin behind its blocks."""
    place = id3_size(file.read(10))
    file.seek(place)
    if file.read(4) != _MAGIC:
        return None
    info, place, size = b"", place + 4, os.fstat(file.fileno()).st_size
    for _ in range(_MOST_BLOCKS):
        file.seek(place)
        head = file.read(4)
        if len(head) < 4:
            return None
        if not info:
            info = file.read(_STREAM_INFO_BYTES)
        place += 4 + int.from_bytes(head[1:], "big")
        if place >= size or len(info) < _STREAM_INFO_BYTES:
            return None
        if head[0] & 0x80:
            packed = int.from_bytes(info[10:18], "big")
            told = _Facts(
                samples=int.from_bytes(info[2:4], "big"),
                rate_hz=packed >> 44,
                channels=(packed >> 41 & 7) + 1,
                bits=(packed >> 36 & 31) + 1,
            )
            return told, place
    return None


def _frame(head: bytes) -> _Facts | None:
    """What a frame says of itself whose first bytes these are; None where it is none, or does not say all."""
    if len(head) < _MOST_HEAD_BYTES or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    size, rate, channels, bits = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    place = 4 + max(1, 8 - (head[4] ^ 0xFF).bit_length())  # behind the frame's number, which is coded as in UTF-8
    behind = _SIZE_BEHIND.get(size, 0)
    samples = int.from_bytes(head[place : place + behind], "big") + 1 if behind else _samples(size)
    place += behind
    behind, step = _RATE_BEHIND.get(rate, (0, 0))
    rate_hz = int.from_bytes(head[place : place + behind], "big") * step if behind else _RATES_HZ.get(rate, 0)
    place += behind
    if _crc(head[: place + 1]) or not samples or not rate_hz or bits not in _BITS or channels > max(_SIDE_BY_SIDE):
        return None
    return _Facts(
        samples=samples, rate_hz=rate_hz, channels=2 if channels in _SIDE_BY_SIDE else channels + 1, bits=_BITS[bits]
    )


def _samples(size: int) -> int:
    if size == 1:
        return 192
    return 576 << size - 2 if 2 <= size < 6 else 256 << size - 8 if size >= 8 else 0


def _crc(data: bytes) -> int:
    """CRC-8 of polynomial 07: 0 of a head with its own behind it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 7 if crc & 0x80 else crc << 1) & 0xFF
    return crc
