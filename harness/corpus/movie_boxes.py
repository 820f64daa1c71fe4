"""The boxes of an MP4 or QuickTime file, taken apart and put together again with others in their places."""

import struct
from collections.abc import Callable, Iterator, Sequence

# name -> bytes in front of what is within
_CONTAINERS = {
    b"moov": 0, b"trak": 0, b"edts": 0, b"mdia": 0, b"minf": 0, b"stbl": 0, b"udta": 0, b"meta": 4, b"ilst": 0,
}  # fmt: skip


def with_edits(movie: bytes, edits: Sequence[tuple[int, int]], *, version: int = 0) -> bytes:
    """With this edit list in each track, none where it is empty: durations by the movie's clock, and starts by the
    track's, -1 for nothing. What lies behind `moov` would move, so that it has to come last.
    """
    row = ">QqHH" if version else ">IiHH"
    rows = b"".join(struct.pack(row, duration, start, 1, 0) for duration, start in edits)
    listed = box(b"edts", box(b"elst", struct.pack(">B3xI", version, len(edits)) + rows))

    def changed(name: bytes, body: bytes) -> bytes | None:
        if name == b"edts":
            return b""
        return box(name, body) + listed if name == b"tkhd" and edits else None

    return changed_boxes(movie, changed)


def with_tag(movie: bytes, name: str, text: str) -> bytes:
    """With one more of the tags that iTunes writes."""
    data = box(b"data", struct.pack(">II", 1, 0) + text.encode())
    tag = box(b"----", box(b"mean", bytes(4) + b"com.apple.iTunes") + box(b"name", bytes(4) + name.encode()) + data)
    return changed_boxes(movie, lambda name, body: box(name, body + tag) if name == b"ilst" else None)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def changed_boxes(data: bytes, changed: Callable[[bytes, bytes], bytes | None]) -> bytes:
    """changed: what stands in a box's place, by its name and content; None for itself."""
    out = b""
    for name, body in _boxes(data):
        new = changed(name, body)
        if new is None and name in _CONTAINERS:
            head = _CONTAINERS[name]
            new = box(name, body[:head] + changed_boxes(body[head:], changed))
        out += box(name, body) if new is None else new
    return out


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place < len(data):
        size = struct.unpack(">I", data[place : place + 4])[0]
        yield data[place + 4 : place + 8], data[place + 8 : place + size]
        place += size
