"""Counts the starts of records where the counts survive this replica: in the metadata of what it commits."""

from consumer.core.errors import OwnershipLost
from consumer.delivery.assignment import Attempt
from consumer.delivery.assignments import Assignments
from consumer.delivery.start_counts import parse_offset_metadata

_LOOK_S = 0.5  # for a cancellation, while a count waits to be committed


class StartCounter:
    """Thread-safe; behind the lock of `assignments`. What it counts is told in `start_counts`."""

    def __init__(self, assignments: Assignments) -> None:
        self._assignments, self._changed = assignments, assignments.changed
        self._under_way: set[Attempt] = set()  # with a start that counts
        self._uncounted: set[Attempt] = set()  # with a start that does not: the replica is stopping
        self._is_stopping = False

    def count(self, attempt: Attempt) -> int:
        """How often a separator began this record and died over it, here or elsewhere."""
        with self._changed:
            return attempt.assignment.starts[attempt.record.offset]

    def increment(self, attempt: Attempt) -> None:
        """Count a start, and return once the count is committed and would survive us.

        Once `stop` was called none is counted. Raises OwnershipLost, Cancelled; then nothing was counted.
        """
        with self._changed:
            if self._is_stopping:
                self._uncounted.add(attempt)
                return
            self._under_way.add(attempt)
            # What ended before this start is forgotten in the same transaction: else the record could be charged for it
            # if this one kills us.
            for held in self._assignments.held.values():
                held.forgets_at = 0.0
            try:
                self._await_commit(attempt)
            except BaseException:
                self.decrement(attempt)  # nothing was begun
                raise

    def _await_commit(self, attempt: Attempt) -> None:
        offset, assignment = attempt.record.offset, attempt.assignment
        count = assignment.starts.increment(offset)
        self._changed.notify_all()
        while assignment.is_open:
            attempt.cancellation.check()
            if attempt in self._uncounted:
                return
            committed = assignment.committed
            if committed and parse_offset_metadata(committed.offset_metadata).get(offset, 0) >= count:
                return
            self._changed.wait(_LOOK_S)
        raise OwnershipLost(f"{assignment.partition.topic} [{assignment.partition.partition}]")

    def decrement(self, attempt: Attempt, *, within_s: float = 0.0) -> None:
        """The start came to an end, or was stopped: it was no crash.

        within_s: for so long the outcome is waited for, to be committed together with it.
        """
        with self._changed:
            if self._ended(attempt):
                self._take_back(attempt, within_s=within_s)

    def charge(self, attempt: Attempt) -> bool:
        """The separator died over it: the start stays counted. False where it is not, since the replica is stopping."""
        with self._changed:
            return self._ended(attempt)

    def stop(self) -> None:
        """The replica is stopping, and what dies from now on was stopped: what is under way is taken back at once.

        So nobody is charged where all of it is killed before it has ended.
        """
        with self._changed:
            self._is_stopping = True
            for attempt in self._under_way:
                self._take_back(attempt)
            self._uncounted |= self._under_way
            self._under_way.clear()

    def _ended(self, attempt: Attempt) -> bool:
        """A start is over; returns whether it counts."""
        self._under_way.discard(attempt)
        counts = attempt not in self._uncounted
        self._uncounted.discard(attempt)
        return counts

    def _take_back(self, attempt: Attempt, *, within_s: float = 0.0) -> None:
        attempt.assignment.starts.decrement(attempt.record.offset)
        attempt.assignment.forgets_at = self._assignments.clock.monotonic() + within_s
        self._changed.notify_all()
