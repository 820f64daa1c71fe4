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

    def count(self, attempt: Attempt) -> int:
        """How often a separator began this record and died over it, here or elsewhere."""
        with self._changed:
            return attempt.assignment.starts[attempt.record.offset]

    def increment(self, attempt: Attempt) -> None:
        """Count a start, and return once the count is committed and would survive us.

        Raises OwnershipLost, Cancelled; then nothing was counted.
        """
        with self._changed:
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
            attempt.assignment.starts.decrement(attempt.record.offset)
            attempt.assignment.forgets_at = self._assignments.clock.monotonic() + within_s
            self._changed.notify_all()
