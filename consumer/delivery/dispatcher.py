"""Which records this replica holds, whose turn it is, and what may be published: the one place where threads meet.

The poll loop opens assignments and admits records; workers take attempts and settle them; the committer takes what
became publishable. All state is behind one lock; every method is thread-safe and none blocks for longer than it says.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime

from consumer.core.cancellation import Cancellation
from consumer.core.errors import OwnershipLost
from consumer.core.model import Outcome, Record, TopicPartition
from consumer.core.ports import EndOfPartition, Membership, Position
from consumer.delivery.assignment import Assignment, Attempt, Completed, PendingCommit, parse_note
from consumer.delivery.retry_headers import RetryState

# Records a partition that may be handed out before the first of them is committed; outcomes wait here for a slow one.
MAX_UNPUBLISHED = 1000


class Dispatcher:
    """membership: captures the replica's current place in its group."""

    def __init__(self, membership: Callable[[], Membership]) -> None:
        self._membership = membership
        self._assignments: dict[TopicPartition, Assignment] = {}
        self._turns: deque[TopicPartition] = deque()
        self._refused: set[TopicPartition] = set()
        self._is_dispatching = True
        self._changed = threading.Condition()

    # --- the poll loop's side ---

    def open(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions are ours from now on. What was held of them before is over."""
        partitions = list(partitions)
        with self._changed:
            dropped = self._end(partitions)
            for partition in partitions:
                self._refused.discard(partition)  # a refusal of an earlier assignment is settled by this one
                self._assignments[partition] = Assignment(partition)
                self._turns.append(partition)
        _cancel(dropped, "read again from the committed position")

    def needs_position(self, partition: TopicPartition) -> bool:
        """Whether `begin` must be called before anything of this partition is admitted."""
        with self._changed:
            assignment = self._assignments.get(partition)
            return assignment is not None and assignment.watermark is None

    def position(self, partition: TopicPartition) -> int:
        """Everything of the partition before this offset was read, or done before; 0 where it is not ours."""
        with self._changed:
            assignment = self._assignments.get(partition)
            return assignment.watermark.position if assignment and assignment.watermark else 0

    def begin(self, partition: TopicPartition, committed: Position | None) -> None:
        with self._changed:
            self._assignments[partition].begin(committed)

    def admit(self, record: Record, retry_state: RetryState) -> None:
        """Queue a record for its turn. One that was admitted before, or whose partition is not ours, is ignored."""
        with self._changed:
            assignment = self._assignments.get(record.topic_partition)
            if assignment is None or assignment.watermark is None or not assignment.watermark.admit(record.offset):
                return
            assignment.waiting.append(Attempt(assignment, record, retry_state, Cancellation()))
            self._changed.notify_all()

    def reach(self, end: EndOfPartition) -> None:
        """The partition was read to its end, which lies behind the last record if that was a transaction's marker."""
        with self._changed:
            assignment = self._assignments.get(end.topic_partition)
            if assignment is not None and assignment.watermark is not None:
                assignment.watermark.reach(end.offset)
                assignment.membership = self._membership()
                self._changed.notify_all()

    def waiting(self) -> Mapping[TopicPartition, int]:
        """Records a partition that wait for their turn."""
        with self._changed:
            return {partition: len(assignment.waiting) for partition, assignment in self._assignments.items()}

    def take_refused(self) -> Collection[TopicPartition]:
        """Partitions whose commit was refused since the last call: to be read again from their committed position."""
        with self._changed:
            refused, self._refused = self._refused, set()
            return refused

    def drain(self, partitions: Collection[TopicPartition], grace_s: float, reason: str) -> None:
        """Let go of partitions in good order, which takes up to grace_s and a little more.

        What waits is dropped, what is at work may end and be published within grace_s and is cancelled then. The
        assignments stay open, so that notes can still be committed, until `close`.
        """
        assignments = [self._assignments[p] for p in partitions if p in self._assignments]
        with self._changed:
            for assignment in assignments:
                assignment.waiting.clear()
            self._wait(lambda: all(self._is_quiet(assignment) for assignment in assignments), grace_s)
            at_work = [attempt for assignment in assignments for attempt in assignment.working.values()]
        for attempt in at_work:
            attempt.cancellation.cancel(reason)
        with self._changed:
            self._wait(lambda: not any(assignment.working for assignment in assignments), 1.0)
            self._wait(lambda: not any(assignment.pending() for assignment in assignments), 1.0)

    def close(self, partitions: Iterable[TopicPartition], reason: str) -> None:
        """These partitions are not ours any more: nothing of theirs will be published, work on them is cancelled."""
        with self._changed:
            dropped = self._end(partitions)
        _cancel(dropped, reason)

    def _end(self, partitions: Iterable[TopicPartition]) -> list[Attempt]:
        """Close the assignments. Returns what is at work on them: to be cancelled once the lock is released."""
        assignments = [assignment for p in partitions if (assignment := self._assignments.pop(p, None))]
        for assignment in assignments:
            assignment.is_open = False
            self._turns.remove(assignment.partition)
        self._changed.notify_all()
        return [attempt for assignment in assignments for attempt in assignment.working.values()]

    def stop_dispatching(self) -> None:
        """No further turns; what is at work goes on."""
        with self._changed:
            self._is_dispatching = False
            self._changed.notify_all()

    def is_quiet(self) -> bool:
        """Nothing is at work, and everything settled is published."""
        with self._changed:
            return all(self._is_quiet(assignment) for assignment in self._assignments.values())

    def partitions(self) -> Collection[TopicPartition]:
        with self._changed:
            return list(self._assignments)

    # --- the workers' side ---

    def next(self, timeout_s: float) -> Attempt | None:
        """The next record whose turn it is: partitions in turn, each in order, none before it is due.

        Records with the same key are worked on one after the other.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                attempt, due_in_s = self._take()
                left_s = deadline - time.monotonic()
                if attempt or left_s <= 0:
                    return attempt
                self._changed.wait(min(left_s, due_in_s))

    def _take(self) -> tuple[Attempt | None, float]:
        """An attempt whose turn it is, or how long to wait until one is due."""
        soonest_s = float("inf")
        if not self._is_dispatching:
            return None, soonest_s
        busy_keys = {t.record.key for assignment in self._assignments.values() for t in assignment.working.values()} - {
            None
        }
        now = datetime.now(UTC)
        for _ in range(len(self._turns)):
            self._turns.rotate(-1)
            assignment = self._assignments[self._turns[-1]]
            if (
                not assignment.waiting
                or assignment.unpublished >= MAX_UNPUBLISHED
                or assignment.waiting[0].record.key in busy_keys
            ):
                continue
            due = assignment.waiting[0].retry_state.not_before
            if due is not None and due > now:
                soonest_s = min(soonest_s, (due - now).total_seconds())
                continue
            attempt = assignment.waiting.popleft()
            assignment.working[attempt.record.offset] = attempt
            # Under the lock and while the assignment is open: see README, "Non-obvious invariants".
            attempt.membership = assignment.membership = self._membership()
            return attempt, 0.0
        return None, soonest_s

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """The record has its outcome. Ignored if its assignment is closed: another replica has it, or will have it."""
        with self._changed:
            attempt.assignment.working.pop(attempt.record.offset, None)
            if attempt.assignment.is_open and attempt.assignment.watermark:
                attempt.assignment.watermark.settle(attempt.record.offset, Completed(attempt, outcome))
            self._changed.notify_all()

    def abandon(self, attempt: Attempt) -> None:
        """Work on the record ended without an outcome; it will be read again by whoever owns the partition then."""
        with self._changed:
            attempt.assignment.working.pop(attempt.record.offset, None)
            attempt.assignment.forgets_at = 0.0
            self._changed.notify_all()

    def starts(self, attempt: Attempt) -> int:
        """How often a separator began this record and died over it, here or elsewhere."""
        with self._changed:
            return attempt.assignment.starts.get(attempt.record.offset, 0)

    def note_start(self, attempt: Attempt) -> None:
        """Count a start, and return once the count is committed and would survive us.

        Raises OwnershipLost, Cancelled.
        """
        with self._changed:
            # What ended before this start is forgotten in the same transaction: else the record could be charged for it
            # if this one kills us.
            for assignment in self._assignments.values():
                assignment.forgets_at = 0.0
            try:
                self._await_note(attempt)
            except BaseException:
                self.forget_start(attempt)  # nothing was begun
                raise

    def _await_note(self, attempt: Attempt) -> None:
        offset, assignment = attempt.record.offset, attempt.assignment
        count = assignment.starts[offset] = assignment.starts.get(offset, 0) + 1
        self._changed.notify_all()
        while assignment.is_open:
            attempt.cancellation.check()
            if assignment.committed and parse_note(assignment.committed.note).get(offset, 0) >= count:
                return
            self._changed.wait(0.5)
        raise OwnershipLost(f"{assignment.partition.topic} [{assignment.partition.partition}]")

    def forget_start(self, attempt: Attempt, within_s: float = 0.0) -> None:
        """The separator came to an end of the record, or was stopped: that start was no crash.

        within_s: for so long the outcome is waited for, to be committed together with it.
        """
        with self._changed:
            starts = attempt.assignment.starts
            starts[attempt.record.offset] = starts.get(attempt.record.offset, 1) - 1
            attempt.assignment.forgets_at = time.monotonic() + within_s
            self._changed.notify_all()

    # --- the committer's side ---

    def pending_commits(self, timeout_s: float) -> list[PendingCommit]:
        """What can be published and committed now, at most one commit a partition; waits for the first."""
        found: list[PendingCommit] = []

        def collect() -> bool:
            found[:] = [pending for assignment in self._assignments.values() if (pending := assignment.pending())]
            return bool(found)

        with self._changed:
            self._wait(collect, timeout_s)
        return found

    def confirm(self, pending: PendingCommit) -> None:
        """It is published and committed."""
        with self._changed:
            pending.assignment.confirm(pending)
            self._changed.notify_all()

    def refuse(self, pending: PendingCommit) -> None:
        """The broker says that the partition is not ours: close its assignment; it is read again if it is after all."""
        partition = pending.assignment.partition
        with self._changed:  # all at once: in between the loop may open the partition's next assignment
            if self._assignments.get(partition) is not pending.assignment:
                return
            self._refused.add(partition)
            dropped = self._end([partition])
        _cancel(dropped, "ownership lost")

    # ---

    def in_flight(self) -> int:
        """Records at work."""
        with self._changed:
            return sum(len(assignment.working) for assignment in self._assignments.values())

    def overdue_s(self) -> float:
        """By how much the oldest job at work has outlived its time."""
        with self._changed:
            return max(
                (
                    t.cancellation.overdue_s()
                    for assignment in self._assignments.values()
                    for t in assignment.working.values()
                ),
                default=0.0,
            )

    @staticmethod
    def _is_quiet(assignment: Assignment) -> bool:
        return not assignment.working and assignment.pending() is None

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        self._changed.wait_for(condition, timeout_s)


def _cancel(attempts: Iterable[Attempt], reason: str) -> None:
    for attempt in attempts:
        attempt.cancellation.cancel(reason)
