"""The samples of a WAVE file as its header has them: ffmpeg takes valid bits for their size, and big ends for small."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from consumer.core.errors import Code, Rejected

_PCM, _FLOAT, _NMS, _EXTENSIBLE = 1, 3, 0x38, 0xFFFE
_G721, _G726 = 0x40, (0x40, 0x45, 0x64)
_PCM_CODECS = {1: "pcm_u8", 2: "pcm_s16", 3: "pcm_s24", 4: "pcm_s32"}  # by bytes a sample; without the byte order
_FLOAT_CODECS = {4: "pcm_f32", 8: "pcm_f64"}
G726_AT_5_BITS = "the decoder of G.726 at 5 bits (G.723 at 40 kbit/s) gives noise"
_OLDEST_FORMAT_BYTES = 16
_FORMAT_BYTES = 50  # the longest that is known, of Microsoft's ADPCM
_MAX_CHUNKS = 64  # before the format; more are no file that anybody wrote
W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveFormat:
    """What a `fmt ` chunk says. kind: _PCM, _FLOAT or another. mask: the channels' names, a bit each. bits: of a sample
    that mean something. is_extensible: whether it tells these from the container's.
    """

    kind: int
    channels: int
    rate_hz: int
    mask: int
    frame_bytes: int
    bits: int
    is_extensible: bool
    is_big_endian: bool

    @property
    def sample_bytes(self) -> float:
        """The size of a sample's container. A plain header has none but for 24 bits in 4 bytes, as in libsndfile."""
        by_frame = self.frame_bytes / self.channels
        return by_frame if self.is_extensible or (self.bits, by_frame) == (24, 4) else -(-self.bits // 8)


def wave_codec(path: Path, *, first: int = 0) -> str | None:
    """ffmpeg's decoder for the samples of the WAVE file that begins at this byte, where ffmpeg would choose a wrong
    one; None elsewhere.

    The size of a sample's container decides, as in libsndfile: valid bits are its upper ones. Raises
    Rejected(AUDIO_UNDECODABLE) where a frame does not hold a whole container for each channel, or where ffmpeg's
    decoder gives noise.
    """
    with path.open("rb") as file:
        found = read_format(file, first)
        if has_two_formats(file, first):
            raise Rejected(Code.AUDIO_UNDECODABLE, "the WAVE header contradicts itself: it tells of two formats")
    if found and (found.kind in _G726 or found.kind == _NMS):
        return _speech_codec(found)
    if found is None or found.kind not in (_PCM, _FLOAT) or not found.channels:
        return None
    size = found.sample_bytes
    if size == -(-found.bits // 8) and not found.is_big_endian:
        return None
    codec = (_PCM_CODECS if found.kind == _PCM else _FLOAT_CODECS).get(int(size))
    if size % 1 or codec is None or found.bits > 8 * size:
        told = f"frames of {found.frame_bytes} bytes for {found.channels} channels of {found.bits} bits"
        raise Rejected(Code.AUDIO_UNDECODABLE, f"the WAVE header contradicts itself: {told}")
    if codec == "pcm_u8":
        return codec
    return codec + ("be" if found.is_big_endian else "le")


def _speech_codec(found: WaveFormat) -> str | None:
    if found.kind in _G726 and found.bits == 5:
        raise Rejected(Code.AUDIO_UNDECODABLE, G726_AT_5_BITS)
    if found.kind == _NMS and found.bits in (2, 3, 4):  # ffmpeg takes it for AMR
        raise Rejected(Code.AUDIO_UNDECODABLE, "there is no decoder for Natural MicroSystems' ADPCM")
    return "g726le" if found.kind == _G721 else None


def read_format(file: BinaryIO, first: int = 0) -> WaveFormat | None:
    """What the `fmt ` chunk says of the WAVE file that begins at this byte; None where it is none, or has none."""
    body, is_big_endian = format_body(file, first)
    if len(body) < _OLDEST_FORMAT_BYTES:
        return None
    end = ">" if is_big_endian else "<"
    kind, channels, rate_hz, _, frame_bytes, bits = struct.unpack(f"{end}HHIIHH", body[:16])
    is_extensible = kind == _EXTENSIBLE and len(body) >= 40
    mask = 0
    if is_extensible:
        mask = struct.unpack(f"{end}I", body[20:24])[0]
        valid_bits = struct.unpack(f"{end}H", body[18:20])[0]
        kind = struct.unpack(f"{end}H", body[26:28] if is_big_endian else body[24:26])[0]
        bits = valid_bits or bits
    return WaveFormat(
        kind=kind,
        channels=channels,
        rate_hz=rate_hz,
        mask=mask,
        frame_bytes=frame_bytes,
        bits=bits,
        is_extensible=is_extensible,
        is_big_endian=is_big_endian,
    )


def format_body(file: BinaryIO, first: int = 0) -> tuple[bytes, bool]:
    """The first bytes of the `fmt ` chunk of the WAVE file that begins at this byte, and whether its ends are big ones;
    nothing where it is none, or has none.
    """
    file.seek(first)
    magic = file.read(16)
    is_big_endian = magic.startswith(b"RIFX")
    if magic == W64_RIFF:
        chunks = w64_chunks(file)
    elif magic[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and magic[8:12] == b"WAVE":
        chunks = riff_chunks(file, first, ">" if is_big_endian else "<")
    else:
        return b"", False
    return next((file.read(min(size, _FORMAT_BYTES)) for name, size in chunks if name == b"fmt "), b""), is_big_endian


def is_extended_rifx(file: BinaryIO, first: int = 0) -> bool:
    """Whether the WAVE file that begins at this byte has big ends, and a format longer than the oldest one."""
    body, is_big_endian = format_body(file, first)
    return is_big_endian and len(body) > _OLDEST_FORMAT_BYTES


def has_two_formats(file: BinaryIO, first: int = 0) -> bool:
    """Whether several `fmt ` chunks, which differ, stand in front of the samples of a WAVE file."""
    file.seek(first)
    magic = file.read(4)
    formats = set()
    for name, size in riff_chunks(file, first, ">" if magic == b"RIFX" else "<") if magic != b"riff" else ():
        if name == b"data":
            break
        if name == b"fmt ":
            formats.add(file.read(min(size, 40)))
    return len(formats) > 1


def riff_chunks(file: BinaryIO, first: int, end: str) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, with the file at its body."""
    position = first + 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        size = struct.unpack(f"{end}I", head[4:])[0]
        yield head[:4], size
        position += 8 + size + size % 2


def samples_place(file: BinaryIO, first: int = 0) -> tuple[int, int] | None:
    """Where the samples of the WAVE file lie that begins at this byte: the first byte, and the one behind them."""
    size = file.seek(0, 2)
    file.seek(first)
    end = ">" if file.read(4) == b"RIFX" else "<"
    for name, chunk_bytes in riff_chunks(file, first, end):
        if name == b"data":
            begin = file.tell()
            return begin, min(size, begin + chunk_bytes) if chunk_bytes else size
    return None


def w64_chunks(file: BinaryIO, *, lying: bytes = b"") -> Iterator[tuple[bytes, int]]:
    """The same of a Sony Wave64 file, whose names are the first letters of GUIDs and whose sizes count the head.

    lying: a name whose chunk is told of, as the last one, whatever its size.
    """
    position, end = 40, file.seek(0, os.SEEK_END)
    for _ in range(_MAX_CHUNKS):
        if position > end:  # no file system can look beyond 2^63, and some not so far
            return
        file.seek(position)
        head = file.read(24)
        if len(head) < 24:
            return
        size = struct.unpack("<Q", head[16:])[0]
        if not 24 <= size < 1 << 62:
            if head[:4] == lying:
                yield head[:4], 0
            return
        yield head[:4], size - 24
        position += size + -size % 8


def id3_size(begin: bytes) -> int:
    """Bytes of the ID3v2 tag that begins so, its head and a footer included; 0 where there is none."""
    if len(begin) < 10 or begin[:3] != b"ID3" or any(byte & 0x80 for byte in begin[6:10]):
        return 0
    size = begin[6] << 21 | begin[7] << 14 | begin[8] << 7 | begin[9]
    return 10 + size + (10 if begin[5] & 0x10 else 0)
