"""Whose turn it is: takes records from the poll loop, hands them to the workers, takes their outcomes."""

from collections.abc import Callable, Mapping

from consumer.core.model import Outcome, Record, TopicPartition
from consumer.core.ports import EndOfPartition, Membership
from consumer.core.tracing import JobSpan
from consumer.delivery.assignment import Attempt, Completed, QueuedRecord
from consumer.delivery.assignments import Assignments
from consumer.delivery.retry_headers import RetryState

# Records a partition that may be handed out before the first of them is committed; outcomes wait here for a slow one.
MAX_UNCOMMITTED = 1000


class Dispatcher:
    """Thread-safe; behind the lock of `assignments`.

    membership: captures the replica's current place in its group.
    max_uncommitted: records a partition that may be handed out before the first of them is committed.
    """

    def __init__(
        self, assignments: Assignments, membership: Callable[[], Membership], *, max_uncommitted: int = MAX_UNCOMMITTED
    ) -> None:
        self._assignments, self._membership = assignments, membership
        self._changed = assignments.changed
        self._max_uncommitted = max_uncommitted
        self._is_stopped = False

    # --- the poll loop's side ---

    def admit(self, record: Record, retry_state: RetryState) -> None:
        """Queue a record for its turn. One that was admitted before, or whose partition is not ours, is ignored."""
        with self._changed:
            assignment = self._assignments.held.get(record.topic_partition)
            if assignment is None or assignment.watermark is None or not assignment.watermark.admit(record.offset):
                return
            assignment.queued.append(QueuedRecord(record=record, retry_state=retry_state))
            self._changed.notify_all()

    def reach(self, end: EndOfPartition) -> None:
        """The partition was read to its end, which lies behind the last record if that was a transaction's marker."""
        with self._changed:
            assignment = self._assignments.held.get(end.topic_partition)
            if assignment is None or assignment.watermark is None:
                return
            assignment.membership = self._membership()
            assignment.watermark.reach(end.offset)
            self._changed.notify_all()

    def queued(self) -> Mapping[TopicPartition, int]:
        """Records a partition that wait for their turn."""
        with self._changed:
            return {partition: len(held.queued) for partition, held in self._assignments.held.items()}

    def stop(self) -> None:
        """No further turns; what is at work goes on."""
        with self._changed:
            self._is_stopped = True

    # --- the workers' side ---

    def next(self, timeout_s: float) -> Attempt | None:
        """The next record whose turn it is: partitions in turn, each in order, none before it is due.

        Records with the same key are worked on one after the other. None where none is due within timeout_s.
        """
        clock = self._assignments.clock
        deadline = clock.monotonic() + timeout_s
        with self._changed:
            while True:
                attempt, due_in_s = self._take()
                left_s = deadline - clock.monotonic()
                if attempt or left_s <= 0:
                    return attempt
                self._changed.wait(min(left_s, due_in_s))

    def _take(self) -> tuple[Attempt | None, float]:
        """An attempt whose turn it is, or how long to wait until one is due."""
        soonest_s = float("inf")
        if self._is_stopped:
            return None, soonest_s
        held, turns = self._assignments.held, self._assignments.turns
        busy_keys = {attempt.record.key for each in held.values() for attempt in each.at_work.values()} - {None}
        now = self._assignments.clock.now()
        for _ in range(len(turns)):
            turns.rotate(-1)
            assignment = held[turns[-1]]
            if not assignment.queued or assignment.uncommitted >= self._max_uncommitted:
                continue
            first = assignment.queued[0]
            if first.record.key in busy_keys:
                continue
            due = first.retry_state.not_before
            if due is not None and due > now:
                soonest_s = min(soonest_s, (due - now).total_seconds())
                continue
            assignment.queued.popleft()
            # Captured under the lock and while the assignment is open: a fresh one would let a replica that has lost
            # the partition commit for its new owner.
            assignment.membership = self._membership()
            attempt = Attempt(
                assignment=assignment,
                record=first.record,
                retry_state=first.retry_state,
                membership=assignment.membership,
            )
            assignment.at_work[first.record.offset] = attempt
            return attempt, 0.0
        return None, soonest_s

    def complete(self, attempt: Attempt, outcome: Outcome, span: JobSpan) -> None:
        """The record has its outcome. Ignored if it is not ours any more: another replica has it, or will have it."""
        with self._changed:
            offset, assignment = attempt.record.offset, attempt.assignment
            assignment.at_work.pop(offset, None)
            if assignment.is_open and assignment.watermark:
                assignment.watermark.settle(offset, Completed(attempt=attempt, outcome=outcome, span=span))
            self._changed.notify_all()

    def abandon(self, attempt: Attempt) -> None:
        """Work on the record ended without an outcome; it will be read again by whoever owns the partition then."""
        with self._changed:
            attempt.assignment.at_work.pop(attempt.record.offset, None)
            attempt.assignment.forgets_at = 0.0
            self._changed.notify_all()

    # --- what probes and the end of the replica ask ---

    def is_quiet(self) -> bool:
        """Nothing is at work, and everything completed is committed."""
        with self._changed:
            return all(self._assignments.is_quiet(held) for held in self._assignments.held.values())

    def in_flight(self) -> int:
        """Records at work."""
        with self._changed:
            return sum(len(held.at_work) for held in self._assignments.held.values())

    def overdue_s(self) -> float:
        """By how many seconds the oldest job at work has outlived its time."""
        with self._changed:
            at_work = [attempt for held in self._assignments.held.values() for attempt in held.at_work.values()]
            return max((attempt.cancellation.overdue_s() for attempt in at_work), default=0.0)
