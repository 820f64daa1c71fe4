"""Which partitions this replica owns, behind the one lock that the threads of delivery meet at.

The poll loop opens and closes assignments here. What happens within them is seen to by three others, which share the
lock: `Dispatcher` hands records out, `CommitQueue` tells what may be committed, `StartCounter` counts starts.
Nothing is called while the lock is held that could come back here: cancellations are told once it is released.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.model import TopicPartition
from consumer.core.ports import Position
from consumer.delivery.assignment import Assignment, Attempt, PendingCommit

# Outcomes of one partition in one transaction: behind a long track there may be very many short ones.
MAX_PENDING_OUTCOMES = 500

_Wait = Callable[[threading.Condition, Callable[[], object], float], object]


class Assignments:
    """Thread-safe. `changed` guards `held` and `turns`, and everything in the assignments, and is told of every change.

    wait: waits at a condition until something is true, so many seconds at most.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        wait: _Wait = threading.Condition.wait_for,
        max_pending_outcomes: int = MAX_PENDING_OUTCOMES,
    ) -> None:
        self.changed = threading.Condition()
        self.held: dict[TopicPartition, Assignment] = {}
        self.turns: deque[TopicPartition] = deque()  # whose record is handed out next
        self.clock = clock
        self._wait, self._max_pending_outcomes = wait, max_pending_outcomes
        self._refused: set[TopicPartition] = set()

    def open(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions are ours from now on. What was held of them before is over."""
        partitions = list(partitions)
        with self.changed:
            dropped = self._end(partitions)
            for partition in partitions:
                self._refused.discard(partition)  # a refusal of an earlier assignment is settled by this one
                self.held[partition] = Assignment(partition)
                self.turns.append(partition)
        _cancel(dropped, "read again from the committed position")

    def needs_position(self, partition: TopicPartition) -> bool:
        """Whether `begin` must be called before anything of this partition is admitted."""
        with self.changed:
            assignment = self.held.get(partition)
            return assignment is not None and assignment.watermark is None

    def begin(
        self, partition: TopicPartition, committed: Position | None, recalled: int | None = None, *, log_id: str = ""
    ) -> None:
        """Where reading of an opened partition begins; both None: at the beginning of its log, which has that id."""
        with self.changed:
            self.held[partition].begin(committed, recalled, log_id=log_id)

    def identify(self, partition: TopicPartition, log_id: str) -> None:
        """That id is the one of the log which is being read, and goes with what is committed from now on."""
        with self.changed:
            if assignment := self.held.get(partition):
                assignment.log_id = log_id
                self.changed.notify_all()

    def position(self, partition: TopicPartition) -> int:
        """Everything of the partition before this offset was read, or done before; 0 where it is not ours."""
        with self.changed:
            assignment = self.held.get(partition)
            return assignment.watermark.position if assignment and assignment.watermark else 0

    def partitions(self) -> Collection[TopicPartition]:
        """Those that are ours."""
        with self.changed:
            return list(self.held)

    def drain(self, partitions: Collection[TopicPartition], grace_s: float, reason: str) -> None:
        """Let go of partitions in good order, which takes up to grace_s and a little more.

        What waits is dropped, what is at work may end and be published within grace_s and is cancelled then. The
        assignments stay open, so that starts can still be committed, until `close`.
        """
        with self.changed:
            assignments = [self.held[p] for p in partitions if p in self.held]
            for assignment in assignments:
                assignment.queued.clear()
                assignment.reading.take_back()
                assignment.forgets_at = 0.0
            self.changed.notify_all()
            self.wait(lambda: all(self.is_quiet(assignment) for assignment in assignments), grace_s)
            at_work = [attempt for assignment in assignments for attempt in assignment.at_work.values()]
        _cancel(at_work, reason)
        with self.changed:
            self.wait(lambda: not any(assignment.at_work for assignment in assignments), 1.0)
            self.wait(lambda: not any(self.pending_commit(assignment) for assignment in assignments), 1.0)

    def close(self, partitions: Iterable[TopicPartition], reason: str) -> None:
        """These partitions are not ours any more: nothing of theirs will be published, work on them is cancelled."""
        with self.changed:
            dropped = self._end(partitions)
        _cancel(dropped, reason)

    def refuse(self, assignment: Assignment) -> None:
        """The broker says that this is over: close it; the partition is read again if it is ours after all."""
        partition = assignment.partition
        with self.changed:  # all at once: in between the poll loop may open the partition's next assignment
            if self.held.get(partition) is not assignment:
                return
            self._refused.add(partition)
            dropped = self._end([partition])
        _cancel(dropped, "ownership lost")

    def take_refused(self) -> Collection[TopicPartition]:
        """Partitions whose commit was refused since the last call: to be read again from their committed position."""
        with self.changed:
            refused, self._refused = self._refused, set()
            return refused

    def _end(self, partitions: Iterable[TopicPartition]) -> list[Attempt]:
        """Close assignments, under the lock. Returns what is at work: to be cancelled once the lock is released."""
        assignments = [assignment for p in partitions if (assignment := self.held.pop(p, None))]
        for assignment in assignments:
            assignment.is_open = False
            self.turns.remove(assignment.partition)
        self.changed.notify_all()
        return [attempt for assignment in assignments for attempt in assignment.at_work.values()]

    # --- for those that share the lock, and hold it ---

    def wait(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until that is true, timeout_s at most."""
        self._wait(self.changed, condition, timeout_s)

    def is_quiet(self, assignment: Assignment) -> bool:
        """Nothing of it is at work, and everything completed is committed."""
        return not assignment.at_work and self.pending_commit(assignment) is None

    def pending_commit(self, assignment: Assignment, *, max_outcomes: int | None = None) -> PendingCommit | None:
        """What is to be committed of it now, `max_outcomes` at most where that is given; None for nothing."""
        return assignment.pending_commit(
            max_outcomes=max_outcomes or self._max_pending_outcomes, now_s=self.clock.monotonic()
        )


def _cancel(attempts: Iterable[Attempt], reason: str) -> None:
    for attempt in attempts:
        attempt.cancellation.cancel(reason)
