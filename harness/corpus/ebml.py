"""The elements of a Matroska file (RFC 8794), taken apart and put together again with others in their places."""

from collections.abc import Callable, Iterator
from itertools import pairwise

SEGMENT, CLUSTER, TRACKS, SIMPLE_BLOCK = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"\xa3"
SEEK_HEAD, CUES, VOID = b"\x11\x4d\x9b\x74", b"\x1c\x53\xbb\x6b", b"\xec"
_BLOCK_HEAD_BYTES = 4
_LACING = {"xiph": 2, "fixed": 4, "ebml": 6}
_MOST_FRAMES = 4

Changed = Callable[[bytes, bytes], bytes | None]  # what stands in an element's place, by its name and content


def edited(movie: bytes, changed: Changed, *, is_open: bool = False) -> bytes:
    """With other elements in the segment, and without what tells where these lie. is_open: whether the segment and its
    clusters have no size, as in a live stream.
    """

    def within(segment: bytes) -> Iterator[bytes]:
        for name, body in elements(segment):
            new = b"" if name in (SEEK_HEAD, CUES) else changed(name, body)
            yield element(name, body, is_open=is_open and name == CLUSTER) if new is None else new

    return b"".join(
        element(name, b"".join(within(body)) if name == SEGMENT else body, is_open=is_open and name == SEGMENT)
        for name, body in elements(movie)
    )


def laced(movie: bytes, how: str) -> bytes:
    """With several frames in each block, whose sizes are told in this way (RFC 9559, 10.3)."""

    def changed(name: bytes, body: bytes) -> bytes | None:
        return element(CLUSTER, b"".join(_laced(body, how))) if name == CLUSTER else None

    return edited(movie, changed)


def _laced(cluster: bytes, how: str) -> Iterator[bytes]:
    waiting: list[bytes] = []
    for name, body in elements(cluster):
        is_other = name != SIMPLE_BLOCK or (how == "fixed" and waiting and len(body) != len(waiting[0]))
        if waiting and (is_other or len(waiting) == _MOST_FRAMES):
            yield _block(waiting, how)
            waiting = []
        if name == SIMPLE_BLOCK:
            waiting.append(body)
        else:
            yield element(name, body)
    if waiting:
        yield _block(waiting, how)


def _block(blocks: list[bytes], how: str) -> bytes:
    frames, head = [block[_BLOCK_HEAD_BYTES:] for block in blocks], blocks[0][:_BLOCK_HEAD_BYTES]
    if len(frames) == 1:
        return element(SIMPLE_BLOCK, blocks[0])
    sizes = [len(frame) for frame in frames]
    told = b""
    if how == "xiph":
        told = b"".join(b"\xff" * (size // 255) + bytes([size % 255]) for size in sizes[:-1])
    if how == "ebml":
        told = (sizes[0] | 1 << 14).to_bytes(2, "big")
        for before, size in pairwise(sizes[:-1]):
            told += (size - before + (1 << 20) - 1 | 1 << 21).to_bytes(3, "big")
    flags = head[3] & ~6 | _LACING[how]
    return element(SIMPLE_BLOCK, head[:3] + bytes([flags, len(frames) - 1]) + told + b"".join(frames))


def elements(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each."""
    place = 0
    while place < len(data):
        name = data[place : place + _length(data[place])]
        place += len(name)
        length = _length(data[place])
        size = int.from_bytes(data[place : place + length], "big") & (1 << 7 * length) - 1
        place += length
        if size == (1 << 7 * length) - 1:
            size = len(data) - place
        yield name, data[place : place + size]
        place += size


def element(name: bytes, body: bytes, *, is_open: bool = False) -> bytes:
    return name + (b"\x01" + b"\xff" * 7 if is_open else (len(body) | 1 << 56).to_bytes(8, "big")) + body


def _length(first: int) -> int:
    """Bytes of a number that begins with this one."""
    return 9 - first.bit_length()
