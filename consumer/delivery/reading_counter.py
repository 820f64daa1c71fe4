"""Counts deaths while reading where the counts survive this replica: in the metadata of what it commits."""

from dataclasses import dataclass

from consumer.core.model import TopicPartition
from consumer.core.ports import Membership, Position
from consumer.delivery.announcement import Announcement
from consumer.delivery.assignment import Assignment
from consumer.delivery.assignments import Assignments
from consumer.delivery.reading import Reading
from consumer.delivery.start_counts import StartCounts, parse_reading

TELL_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRead:
    """Where a partition is to be read next: from what is committed of it. is_careful: by that one record."""

    position: Position
    is_careful: bool


class ReadingCounter:
    """Thread-safe; behind the lock of `assignments`."""

    def __init__(self, assignments: Assignments) -> None:
        self._assignments, self._changed = assignments, assignments.changed
        self.is_stopped = False

    def announce(self, announcement: Announcement, membership: Membership) -> None:
        """Have it committed that reading begins there. Once `stop` was called, nothing is."""
        with self._changed:
            assignment = self._assignments.held.get(announcement.partition)
            if assignment is None or self.is_stopped:
                return
            if assignment.watermark is None:
                assignment.committed, assignment.log_id = announcement.found, announcement.log_id
                assignment.starts = StartCounts(announcement.told)
                assignment.is_announced, assignment.is_fresh = True, announcement.is_fresh
            assignment.membership = membership
            assignment.reading = Reading(
                at=announcement.offset, deaths=announcement.deaths, careful_until=announcement.careful_until
            )
            assignment.reading.begin()
            # That the offset is a statement by now is told together with what ends this.
            counts_more = assignment.reading.count > parse_reading(announcement.told)
            assignment.forgets_at = self._assignments.clock.monotonic() + TELL_WITHIN_S if counts_more else 0.0
            self._changed.notify_all()

    def announced(self, partition: TopicPartition) -> Position | None:
        """What is committed, where that says so and would survive us."""
        with self._changed:
            assignment = self._assignments.held.get(partition)
            return _counted(assignment, assignment.reading.at) if assignment else None

    def come_through(self, partition: TopicPartition, offset: int, *, within_s: float) -> None:
        """The first record, or the end, was read whole there: to be made durable within so many seconds."""
        with self._changed:
            if assignment := self._assignments.held.get(partition):
                assignment.reading.come_through(offset)
                assignment.forgets_at = self._assignments.clock.monotonic() + within_s
                self._changed.notify_all()

    def take_back(self, partition: TopicPartition) -> None:
        """It is not being read any more, and has not come through: what was found of it is committed again."""
        with self._changed:
            if assignment := self._assignments.held.get(partition):
                assignment.reading.take_back()
                assignment.forgets_at = 0.0
                self._changed.notify_all()

    def next_read(self, partition: TopicPartition) -> NextRead | None:
        """Where a partition that is read carefully is to be read next; None: not now.

        All before it is committed then, and so is the count of what reads it, if it needs one.
        """
        with self._changed:
            assignment = self._assignments.held.get(partition)
            if assignment is None or assignment.watermark is None:
                return None
            committed, offset = assignment.committed, assignment.watermark.position
            if committed is None or committed.offset != offset:
                return None
            is_careful = offset < assignment.reading.careful_until
            if is_careful and _counted(assignment, offset) is None:
                return None
            return NextRead(position=committed, is_careful=is_careful)

    def stop(self) -> None:
        """The replica is stopping, and what dies from now on was stopped: what is begun is taken back at once."""
        with self._changed:
            self.is_stopped = True
            for assignment in self._assignments.held.values():
                assignment.reading.take_back()
                assignment.forgets_at = 0.0
            self._changed.notify_all()


def _counted(assignment: Assignment, offset: int) -> Position | None:
    """What is committed, where that is the count of what reads from `offset`."""
    committed, count = assignment.committed, assignment.reading.count_beside(offset)
    if committed is None or committed.offset != offset or count == 0:
        return None
    return committed if parse_reading(committed.offset_metadata) == count else None
