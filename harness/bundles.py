"""Checkpoint bundles made by hand, so that what TensorFlow never writes can be tried; its checksums are right.

A second reading of TensorFlow's formats: CRC-32C bit by bit from its polynomial, tables and protocol buffers written.
"""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = bytes.fromhex("57fb808b247547db")
PLAIN, SNAPPY = 0, 1
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected


def _table() -> list[int]:
    values = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        values.append(value)
    return values


_TABLE = _table()


def masked(data: bytes) -> int:
    """The masked CRC-32C that TensorFlow stores with these bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    """A number of up to 64 bits, as protocol buffers and LevelDB write it."""
    parts = []
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def number(field: int, value: int) -> bytes:
    """A field of a protocol buffer that is a number."""
    return varint(field << 3) + varint(value)


def message(field: int, value: bytes) -> bytes:
    """A field of a protocol buffer that has a length."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def header(shards: int = 1, more: bytes = b"") -> bytes:
    """A BundleHeaderProto."""
    return number(1, shards) + message(3, number(1, 1)) + more


def entry(shape: Iterable[int], data: bytes, *, dtype: int = 1, shard: int = 0, offset: int = 0) -> bytes:
    """A BundleEntryProto."""
    dimensions = b"".join(message(2, number(1, extent)) for extent in shape)
    places = number(3, shard) + number(4, offset) + number(5, len(data))
    return number(1, dtype) + message(2, dimensions) + places + varint(6 << 3 | 5) + struct.pack("<I", masked(data))


def block(entries: Iterable[tuple[bytes, bytes]], *, kind: int = PLAIN, restarts: Iterable[int] = (0,)) -> bytes:
    """A table's block with its trailer; each key is cut to what it has not in common with the one before."""
    content, last = b"", b""
    for key, value in entries:
        common = 0
        while common < min(len(key), len(last)) and key[common] == last[common]:
            common += 1
        content += varint(common) + varint(len(key) - common) + varint(len(value)) + key[common:] + value
        last = key
    places = list(restarts)
    return sealed(content + struct.pack(f"<{len(places) + 1}I", *places, len(places)), kind)


def sealed(content: bytes, kind: int = PLAIN) -> bytes:
    """Any bytes as a block with the right checksum."""
    return content + bytes([kind]) + struct.pack("<I", masked(content + bytes([kind])))


def table(blocks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole table of these blocks, each with the last key in it."""
    data, handles = b"", []
    for last_key, each in blocks:
        handles.append((last_key, varint(len(data)) + varint(len(each) - 5)))
        data += each
    meta, index = block(()), block(handles)
    footer = varint(len(data)) + varint(len(meta) - 5) + varint(len(data + meta)) + varint(len(index) - 5)
    return data + meta + index + footer.ljust(40, b"\0") + MAGIC


def index_of(entries: Mapping[str, bytes], head: bytes | None = None) -> bytes:
    """A whole index with these entries; head: its header's, by default that of one shard."""
    rows = [(b"", header() if head is None else head), *sorted((name.encode(), row) for name, row in entries.items())]
    return table([(rows[-1][0], block(rows))])


def write_bundle(folder: Path, tensors: Mapping[str, NDArray[np.float32]]) -> Path:
    """A checkpoint of these tensors in one shard; returns the path that its files begin with."""
    rows, data = {}, b""
    for name, values in sorted(tensors.items()):
        raw = values.astype("<f4").tobytes()
        rows[name] = entry(values.shape, raw, offset=len(data))
        data += raw
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.index").write_bytes(index_of(rows))
    (folder / "model.data-00000-of-00001").write_bytes(data)
    return folder / "model"
