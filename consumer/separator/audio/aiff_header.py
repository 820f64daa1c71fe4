"""Where the samples of an AIFF or AIFF-C file lie, for headers whose sizes can't be, and names that ffmpeg lacks."""

import struct
from typing import BinaryIO

from consumer.separator.audio.ffmpeg import RawSamples, Section

# AIFF-C's names of what is not compressed -> how ffmpeg calls it; %d are the bits of a sample's container.
_KINDS = {
    b"NONE": "s%dbe", b"twos": "s%dbe", b"sowt": "s%dle", b"in24": "s24be", b"in32": "s32be", b"23ni": "s32le",
    b"42ni": "s24le", b"fl32": "f32be", b"FL32": "f32be", b"fl64": "f64be", b"FL64": "f64be", b"ulaw": "mulaw",
    b"ULAW": "mulaw", b"alaw": "alaw", b"ALAW": "alaw", b"raw ": "u8",
}  # fmt: skip
_UNKNOWN_TO_FFMPEG = (b"23ni", b"42ni")
_MAX_CHUNKS, _MOST_FRAMES = 64, 1 << 31
_HEAD_BYTES = 8  # of a chunk, and of the samples' own offset and block size


def read_aiff(file: BinaryIO, size: int) -> tuple[RawSamples, Section] | None:
    """The samples of a file of this size in bytes, and where they lie; None where ffmpeg reads it as it is."""
    file.seek(0)
    head = file.read(12)
    if head[8:] not in (b"AIFF", b"AIFC"):
        return None
    form_bytes = struct.unpack(">I", head[4:8])[0]
    common, place = b"", None
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        chunk = file.read(_HEAD_BYTES)
        if len(chunk) < _HEAD_BYTES:
            break
        chunk_bytes = struct.unpack(">I", chunk[4:])[0]
        if chunk[:4] == b"COMM":
            common = file.read(min(chunk_bytes, 22))
        if chunk[:4] == b"SSND":
            place = (position + _HEAD_BYTES, chunk_bytes)
        if common and place:
            break
        position += _HEAD_BYTES + chunk_bytes + chunk_bytes % 2
    if len(common) < 18 or place is None:
        return None
    return _samples(file, common, place, form_bytes=form_bytes, size=size)


def _samples(
    file: BinaryIO, common: bytes, place: tuple[int, int], *, form_bytes: int, size: int
) -> tuple[RawSamples, Section] | None:
    channels, frames, bits = struct.unpack(">HIH", common[:8])
    name = common[18:22] or b"NONE"
    start, sound_bytes = place
    is_believed = form_bytes > 4 and sound_bytes > _HEAD_BYTES and frames < _MOST_FRAMES
    if name not in _KINDS or not 1 <= bits <= 64 or (is_believed and name not in _UNKNOWN_TO_FFMPEG):
        return None
    if not frames and sound_bytes == _HEAD_BYTES:
        return None  # it says that it is empty, and says so twice
    kind = _KINDS[name]
    kind = kind % (-(-bits // 8) * 8) if "%d" in kind else kind
    kind = "s8" if kind.startswith("s8") else kind
    raw = RawSamples(container="aiff", kind=kind, rate_hz=_rate_hz(common[8:18]), channels=channels)
    file.seek(start)
    first = start + _HEAD_BYTES + struct.unpack(">I", file.read(4).ljust(4, b"\0"))[0]
    claimed, counted = sound_bytes - (first - start), frames * raw.frame_bytes
    # Its samples' own size, or else their number; where neither can be, they go on to the end of the file.
    end = next((first + told for told in (claimed, counted) if 0 < told <= size - first), size)
    return raw, Section(first=first, end=end)


def _rate_hz(extended: bytes) -> int:
    """Of 80 bits of IEEE 754; 0 where it is no rate."""
    exponent, mantissa = struct.unpack(">HQ", extended)
    shift = 16383 + 63 - exponent
    return mantissa >> shift if 0 <= shift < 64 else 0
