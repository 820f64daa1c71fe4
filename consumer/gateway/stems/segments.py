"""What is sent as one body, put together of bytes and of stored objects, so that any part of it can be sent alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from consumer.core.events import Stem
from consumer.core.model import ObjectFacts
from consumer.core.ports import RangedReads


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Some bytes, or all of a stem's object."""

    content: bytes | Stem

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.size_bytes


def facts_of(stem: Stem, found: ObjectFacts | None) -> ObjectFacts | None:
    """The stem's object, if it is still the one that the result tells of."""
    return found if found is not None and found.size_bytes == stem.size_bytes else None


def read(
    store: RangedReads, segments: Sequence[Segment], pinned: dict[str, ObjectFacts], start: int, length: int
) -> Iterator[bytes]:
    """`length` bytes from `start` on, in pieces. `pinned` are the stems' objects by their names.

    Raises Rejected(OBJECT_CHANGED, OBJECT_NOT_FOUND), StoreUnavailable.
    """
    end, begin = start + length, 0
    for segment in segments:
        first, last = max(start - begin, 0), min(end - begin, segment.size_bytes)
        begin += segment.size_bytes
        if first >= last:
            continue
        if isinstance(segment.content, bytes):
            yield segment.content[first:last]
        else:
            yield from store.read_range(pinned[segment.content.name], first, last - first)
