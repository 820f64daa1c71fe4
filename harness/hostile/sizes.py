"""Files whose headers claim what they don't hold, and small files that unpack to much."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

from harness.hostile.decoy import Decoy
from harness.hostile.specimen import HostileFile, song

_EDGES = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_BOXES = (b"moov", b"trak", b"mdia", b"stbl", b"stsz", b"stsc", b"stts", b"stco", b"stsd", b"mdhd", b"mvhd", b"mdat")


def files() -> Iterator[HostileFile]:
    for field, offset, form in (
        ("channels", 22, "<H"), ("rate", 24, "<I"), ("bytes-a-second", 28, "<I"), ("block", 32, "<H"),
        ("bits", 34, "<H"), ("format", 20, "<H"), ("data", 40, "<I"), ("fmt", 16, "<I"), ("riff", 4, "<I"),
    ):  # fmt: skip
        for edge in _EDGES:
            value = edge & (0xFFFF if form == "<H" else 0xFFFFFFFF)
            yield _patched(f"wav-{field}-{edge:x}.wav", "wav", offset, struct.pack(form, value))
    for edge in _EDGES:
        for kind in _BOXES:
            name = f"sizes/m4a-{kind.decode()}-{edge:x}.m4a"
            yield HostileFile(name=name, make=partial(_box_size, kind, edge))
        size = bytes([edge >> 21 & 127, edge >> 14 & 127, edge >> 7 & 127, edge & 127])
        yield HostileFile(name=f"sizes/id3-{edge:x}.mp3", make=partial(_in_front, b"ID3\4\0\0" + size))
        yield _patched(f"aiff-comm-{edge:x}.aiff", "aiff", 22, struct.pack(">I", edge))
        yield _patched(f"au-data-{edge:x}.au", "au", 8, struct.pack(">I", edge))
        yield _patched(f"au-offset-{edge:x}.au", "au", 4, struct.pack(">I", edge))
        yield _patched(f"caf-desc-{edge:x}.caf", "caf", 36, struct.pack(">I", edge))
        yield _patched(f"flac-streaminfo-{edge:x}.flac", "flac", 18, struct.pack(">I", edge))
        yield _patched(f"ogg-granule-{edge:x}.ogg", "ogg", 6, struct.pack("<Q", edge << 31))
    for chunk_bytes in (0, 23, 1 << 44, (1 << 62) - 1, 1 << 62, (1 << 64) - 1):
        yield _patched(f"w64-fmt-{chunk_bytes:x}.w64", "w64", 56, struct.pack("<Q", chunk_bytes))
    for rate_hz in (1, 8, 50, 767_999, 768_001, 16_000_000):
        yield _patched(f"wav-{rate_hz}-hz.wav", "wav", 24, struct.pack("<II", rate_hz, rate_hz * 4 & 0xFFFFFFFF))
    yield HostileFile(name="sizes/eight-hertz-for-hours.wav", make=_slow)
    yield HostileFile(name="sizes/id3-zipped-frame.mp3", make=_zipped_frame)
    yield HostileFile(name="sizes/id3-ten-thousand-frames.mp3", make=_many_frames)
    yield HostileFile(name="sizes/nested-boxes.m4a", make=_nested)
    yield HostileFile(name="sizes/ebml-nested.mkv", make=_nested_segments)
    yield HostileFile(name="sizes/ogg-a-thousand-streams.ogg", make=_many_streams)


def _patched(name: str, extension: str, offset: int, new: bytes) -> HostileFile:
    def make(_: Decoy) -> bytes:
        whole = song(extension)
        return whole[:offset] + new + whole[offset + len(new) :]

    return HostileFile(name=f"sizes/{name}", make=make)


def _box_size(kind: bytes, size: int, _: Decoy) -> bytes:
    whole = bytearray(song("m4a"))
    at = whole.index(kind) - 4
    whole[at : at + 4] = struct.pack(">I", size)
    return bytes(whole)


def _slow(_: Decoy) -> bytes:
    """115 kB that last four hours: 8 samples a second."""
    samples = bytes(115_200)
    form = b"fmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 8, 8, 1, 8)
    data = b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(form) + len(data)) + b"WAVE" + form + data


def _in_front(head: bytes, _: Decoy) -> bytes:
    return head + song("mp3")


def _nested_segments(_: Decoy) -> bytes:
    """Segments of unknown size within segments, 50,000 deep."""
    return b"\x1a\x45\xdf\xa3\xff" + b"\x18\x53\x80\x67\xff" * 50_000


def _tag(frames: bytes) -> bytes:
    size = len(frames)
    return b"ID3\3\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frames


def _zipped_frame(_: Decoy) -> bytes:
    content = 200 << 20
    packed = zlib.compress(bytes(1 << 20), 9)
    body = struct.pack(">I", content) + packed
    return _tag(b"TIT2" + struct.pack(">IH", len(body), 0x0080) + body) + song("mp3")


def _many_frames(_: Decoy) -> bytes:
    frames = b"".join(
        b"TXXX" + struct.pack(">IH", len(body), 0) + body for body in (b"\0%d\0x" % number for number in range(10_000))
    )
    return _tag(frames) + song("mp3")


def _nested(_: Decoy) -> bytes:
    """Boxes within boxes, 20,000 deep."""
    depth = 20_000
    return song("m4a")[:32] + b"".join(struct.pack(">I", 8 * (depth - number)) + b"moov" for number in range(depth))


def _many_streams(_: Decoy) -> bytes:
    """The first page a thousand times, each of another stream; checksums are wrong but for the first."""
    whole = song("ogg")
    end = whole.index(b"OggS", 4)
    first = whole[:end]
    pages = (first[:14] + struct.pack("<I", number) + first[18:] for number in range(1000))
    return b"".join(pages) + whole
