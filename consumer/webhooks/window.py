"""What of a partition is delivered and what is not, and how that is written beside the group's offset.

Records are delivered side by side, and one that fails waits without holding up those behind it. So a commit tells more
than an offset: up to where everything was read (`read_to`), and which of the records before are still to be delivered,
each with the second since 1970 of its first attempt. Whoever takes the partition over repeats none of the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

MOST_OPEN = 64
"""Records of a partition that are read and not delivered; their mark fits well into the 4096 bytes of a commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A position with all that is known of it.

    offset: of the first record that is not delivered. read_to: from here on nothing was read. open: offsets of those
    between the two that are not delivered, with the second of their first attempt, 0 where there was none.
    gone: the digest of the endpoint that said 410, "" where none did.
    """

    offset: int
    read_to: int
    open: Mapping[int, int] = field(default_factory=dict)
    gone: str = ""


class _Text(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    v: int
    read: int = 0
    open: tuple[tuple[int, int], ...] = ()
    gone: str = ""


def metadata_of(mark: Mark) -> str:
    """The mark without its offset, for the commit's metadata; at most 4096 characters."""
    if mark.read_to == mark.offset and not mark.gone:
        return ""
    opened = tuple((offset - mark.offset, at_s) for offset, at_s in sorted(mark.open.items()))
    text = _Text(v=1, read=mark.read_to - mark.offset, open=opened, gone=mark.gone)
    return msgspec.json.encode(text).decode()


def mark_of(offset: int, metadata: str) -> Mark:
    """What a commit says; of metadata that are not ours, as a tool leaves them, the offset alone."""
    try:
        text = msgspec.json.decode(metadata or "{}", type=_Text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Mark(offset=offset, read_to=offset)
    is_ours = text.v == 1 and text.read >= 0 and all(0 <= delta < text.read for delta, _ in text.open)
    if not is_ours:
        return Mark(offset=offset, read_to=offset)
    opened = {offset + delta: at_s for delta, at_s in text.open}
    return Mark(offset=offset, read_to=offset + text.read, open=opened, gone=text.gone)


class PartitionWindow:
    """One partition, from `mark` on; None: nothing is committed, and the first record that comes says where it begins.

    Used by one thread. It knows offsets alone; what is delivered is its owner's.
    """

    def __init__(self, mark: Mark | None) -> None:
        self._begin = mark.offset if mark else 0
        self._read_to = mark.offset if mark else None
        self._done_to = mark.read_to if mark else 0  # before it, only what is in `_unread` is still to be delivered
        self._unread = dict(mark.open) if mark else {}
        self._open: dict[int, int] = {}

    def __len__(self) -> int:
        """How many records are read and not delivered."""
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether no more may be read before something is delivered."""
        return len(self._open) >= MOST_OPEN

    def read(self, offset: int) -> int | None:
        """A record was read: the second of its first attempt, 0 where there was none; None: it was delivered before."""
        if offset < self._begin:  # the log was made anew, or cut: what was known of it is worth nothing
            self._begin, self._done_to = offset, 0
            self._unread.clear()
        first_tried_s = self._unread.pop(offset, None if offset < self._done_to else 0)
        self._advance(offset + 1)
        return first_tried_s

    def reached_end(self, offset: int) -> None:
        """All before `offset` was read; what did not come is no more."""
        self._advance(offset)

    def _advance(self, read_to: int) -> None:
        self._read_to = read_to
        self._unread = {offset: at_s for offset, at_s in self._unread.items() if offset >= read_to}

    def open(self, offset: int, first_tried_s: int = 0) -> None:
        """A record that was read is to be delivered, or was tried for the first time then."""
        self._open[offset] = first_tried_s

    def close(self, offset: int) -> None:
        """A record is delivered, or given up."""
        self._open.pop(offset, None)

    def mark(self, *, gone: str = "") -> Mark | None:
        """What may be committed; None while nothing was read."""
        if self._read_to is None:
            return None
        left = {**self._unread, **self._open}
        read_to = max(self._read_to, self._done_to)
        return Mark(offset=min(left, default=read_to), read_to=read_to, open=left, gone=gone)
