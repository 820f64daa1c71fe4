"""What may be committed of one partition: pure, no threads, no Kafka.

Records are admitted in the order of their offsets and settled in any order; outcomes become publishable in the order
of admission. So a committed position p means: every record before p has its outcome, and none after p has.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

O = TypeVar("O")  # noqa: E741 - an outcome


@dataclass(frozen=True, slots=True)
class Publishable(Generic[O]):
    """Outcomes to publish, in order, and the offset to commit with them."""

    outcomes: tuple[O, ...]
    offset: int


class Watermark(Generic[O]):
    """One partition's."""

    def __init__(self, committed: int | None = None) -> None:
        self._admitted: deque[int] = deque()
        self._settled: dict[int, O] = {}
        self._read_to = committed or 0

    def admit(self, offset: int) -> bool:
        """Take note of a record that was read; False where it is not new."""
        if offset < self._read_to:
            return False
        self._admitted.append(offset)
        self._read_to = offset + 1
        return True

    def reach(self, offset: int) -> None:
        """Everything before `offset` has been read: behind the last record there may be transaction markers."""
        self._read_to = max(self._read_to, offset)

    def settle(self, offset: int, outcome: O) -> None:
        """The record has its outcome. Raises KeyError for one that is not in flight, or is settled already."""
        if offset in self._settled or offset not in self._admitted:
            raise KeyError(offset)
        self._settled[offset] = outcome

    @property
    def position(self) -> int:
        """The lowest offset that would be new."""
        return self._read_to

    @property
    def in_flight(self) -> int:
        """Records that were read and whose outcome is not committed."""
        return len(self._admitted)

    def publishable(self, limit: int | None = None) -> Publishable[O]:
        """What can be published now, the first `limit` of it; its offset is where to go on once that is done."""
        outcomes: list[O] = []
        for offset in self._admitted:
            if offset not in self._settled or len(outcomes) == limit:
                return Publishable(tuple(outcomes), offset)
            outcomes.append(self._settled[offset])
        return Publishable(tuple(outcomes), self._read_to)

    def published(self, offset: int) -> None:
        """Everything before `offset` is published and committed, and takes no room any more."""
        while self._admitted and self._admitted[0] < offset:
            del self._settled[self._admitted.popleft()]
