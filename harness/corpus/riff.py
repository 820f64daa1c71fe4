"""WAVE files byte by byte: chunks in any order, sizes that lie, and the larger kinds RF64, BW64 and Wave64."""

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

Chunk = tuple[bytes, bytes]

UNKNOWN = 0xFFFFFFFF
KINDS = {"s8": 1, "u8": 1, "s16": 1, "s24": 1, "s32": 1, "f32": 3, "f64": 3, "alaw": 6, "ulaw": 7}
_SUBFORMAT = bytes.fromhex("800000aa00389b71")  # the end of all of these GUIDs
_W64 = {
    b"riff": "66666972-912e-11cf-a5d6-28db04c10000",
    b"wave": "65766177-acf3-11d3-8cd1-00c04f8edb8a",
    b"fmt ": "20746d66-acf3-11d3-8cd1-00c04f8edb8a",
    b"fact": "74636166-acf3-11d3-8cd1-00c04f8edb8a",
    b"data": "61746164-acf3-11d3-8cd1-00c04f8edb8a",
    b"LIST": "7473696c-912f-11cf-a5d6-28db04c10000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a WAVE file has beside its samples. sizes: None for the true ones.

    fmt: that chunk's body. before, after: chunks before and behind the samples. ds64: the sizes of RF64: of all, of the
    samples, and the number of frames.
    """

    fmt: bytes
    magic: bytes = b"RIFF"
    before: Sequence[Chunk] = ()
    after: Sequence[Chunk] = ()
    riff_size: int | None = None
    data_size: int | None = None
    ds64: tuple[int | None, int | None, int] | None = None
    data_name: bytes = b"data"


def fmt(
    kind: int, channels: int, rate_hz: int, bits: int, *, end: str = "<", frame_bytes: int | None = None,
    extra: bytes = b"",
) -> bytes:  # fmt: skip
    """The body of a plain `fmt ` chunk."""
    step = channels * -(-bits // 8) if frame_bytes is None else frame_bytes
    return struct.pack(f"{end}HHIIHH", kind, channels, rate_hz, rate_hz * step & 0xFFFFFFFF, step, bits) + extra


def extensible(
    kind: int, channels: int, rate_hz: int, container: int, *, valid: int | None = None, mask: int = 0, end: str = "<"
) -> bytes:  # fmt: skip
    """The body of a WAVE_FORMAT_EXTENSIBLE one: containers of so many bits, of which `valid` mean something."""
    subformat = struct.pack(f"{end}IHH", kind, 0, 16) + _SUBFORMAT
    tail = struct.pack(f"{end}HHI", 22, container if valid is None else valid, mask) + subformat
    return fmt(0xFFFE, channels, rate_hz, container, end=end) + tail


def riff(layout: Layout, data: bytes) -> bytes:
    """The whole file."""
    end = ">" if layout.magic == b"RIFX" else "<"
    is_large = layout.magic in (b"RF64", b"BW64")
    head = b"".join(chunk(*one, end=end) for one in layout.before) + chunk(b"fmt ", layout.fmt, end=end)
    tail = b"".join(chunk(*one, end=end) for one in layout.after)
    size = layout.data_size if layout.data_size is not None else UNKNOWN if is_large else len(data)
    body = head + layout.data_name + struct.pack(f"{end}I", size) + data + bytes(len(data) % 2) + tail
    total = 4 + len(body)
    if layout.ds64 is not None:
        total += 36
        claimed_total, claimed_data, frames = layout.ds64
        sizes = struct.pack(
            "<QQQI",
            total if claimed_total is None else claimed_total,
            len(data) if claimed_data is None else claimed_data,
            frames,
            0,
        )
        body = chunk(b"ds64", sizes) + body
    claimed = layout.riff_size if layout.riff_size is not None else UNKNOWN if is_large else total
    return layout.magic + struct.pack(f"{end}I", claimed) + b"WAVE" + body


def chunk(name: bytes, body: bytes, *, end: str = "<") -> bytes:
    """Padded to an even size, as it has to be."""
    return name + struct.pack(f"{end}I", len(body)) + body + bytes(len(body) % 2)


def w64(fmt_body: bytes, data: bytes, *, data_size: int | None = None, riff_size: int | None = None) -> bytes:
    """Sony Wave64: GUIDs for names, sizes of 64 bits that count the head, padding to 8 bytes."""
    body = _guid(b"wave") + _w64_chunk(b"fmt ", fmt_body)
    size = 24 + len(data) if data_size is None else data_size
    body += _guid(b"data") + struct.pack("<Q", size) + data + bytes(-len(data) % 8)
    return _guid(b"riff") + struct.pack("<Q", 24 + len(body) if riff_size is None else riff_size) + body


def _w64_chunk(name: bytes, body: bytes) -> bytes:
    return _guid(name) + struct.pack("<Q", 24 + len(body)) + body + bytes(-len(body) % 8)


def _guid(name: bytes) -> bytes:
    return uuid.UUID(_W64[name]).bytes_le
