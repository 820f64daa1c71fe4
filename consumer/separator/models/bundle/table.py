"""A sorted table of keys and values in LevelDB's format, as TensorFlow writes an index: blocks, and a footer."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from consumer.separator.models.bundle.checksum import masked_crc32c
from consumer.separator.models.bundle.errors import BadBundle
from consumer.separator.models.bundle.wire import varint

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER_BYTES, _TRAILER_BYTES = 48, 5
_PLAIN, _SNAPPY = 0, 1
_MOST_KEY_BYTES, _MOST_ENTRIES = 512, 1 << 14  # 5 stems with an optimizer's state have 1110 entries


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handle:
    """Where a block lies: its first byte, and how many bytes without its trailer."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size + _TRAILER_BYTES


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values, in the order of the keys, which are all different.

    data: the whole table. Raises BadBundle where a checksum is wrong, or anything is not as the format has it.
    """
    if len(data) < _FOOTER_BYTES or data[-len(_MAGIC) :] != _MAGIC:
        raise BadBundle("its index is cut short, or no table")
    footer = data[-_FOOTER_BYTES : -len(_MAGIC)]
    meta, at = _handle(footer, 0)
    index, at = _handle(footer, at)
    if any(footer[at:]):
        raise BadBundle("something stands in its footer that is none")
    blocks = data[:-_FOOTER_BYTES]
    for _ in _entries(_block(blocks, meta)):
        raise BadBundle("its index has filters")
    count, begin, last = 0, 0, None
    for _, value in _entries(_block(blocks, index)):
        handle, at = _handle(value, 0)
        if at != len(value) or handle.offset < begin:  # each once, so that few bytes stay few
            raise BadBundle("its blocks are not one behind the other")
        begin = handle.end
        for key, entry in _entries(_block(blocks, handle)):
            if last is not None and key <= last:
                raise BadBundle("its keys are not in order")
            last, count = key, count + 1
            if count > _MOST_ENTRIES:
                raise BadBundle(f"it has more than {_MOST_ENTRIES} entries")
            yield key, entry


def _handle(data: bytes, at: int) -> tuple[_Handle, int]:
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return _Handle(offset=offset, size=size), at


def _block(blocks: bytes, handle: _Handle) -> bytes:
    """What a block holds, its checksum compared. Raises BadBundle."""
    if handle.end > len(blocks):
        raise BadBundle("its index is cut short: a block lies beyond its end")
    content = blocks[handle.offset : handle.offset + handle.size]
    kind, checksum = struct.unpack("<BI", blocks[handle.offset + handle.size : handle.end])
    if masked_crc32c(content + bytes([kind])) != checksum:
        raise BadBundle("a block of its index has another checksum than the one behind it")
    if kind == _SNAPPY:
        raise BadBundle("its index is compressed with Snappy, which is not read here; TensorFlow writes none so")
    if kind != _PLAIN:
        raise BadBundle(f"a block of its index is of the unknown kind {kind}")
    return content


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """A block's keys, each of which has a beginning in common with the one before, and their values."""
    end = _end_of_entries(block)
    restarts = set(struct.unpack(f"<{(len(block) - 4 - end) // 4}I", block[end:-4]))
    at, key = 0, b""
    while at < end:
        is_restart = at in restarts
        restarts.discard(at)
        shared, at = varint(block, at)
        unshared, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or (is_restart and shared) or unshared + length > end - at:
            raise BadBundle("an entry of its index is damaged")
        if shared + unshared > _MOST_KEY_BYTES:
            raise BadBundle(f"a name in its index is longer than {_MOST_KEY_BYTES} bytes")
        key = key[:shared] + block[at : at + unshared]
        at += unshared + length
        yield key, block[at - length : at]
    if restarts - {0}:  # of an empty block it is 0 all the same
        raise BadBundle("a block of its index is damaged")


def _end_of_entries(block: bytes) -> int:
    """Where the places of whole keys begin, which stand at a block's end, their number last."""
    if len(block) < 4:
        raise BadBundle("a block of its index is cut short")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise BadBundle("a block of its index is cut short")
    return end
