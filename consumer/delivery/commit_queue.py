"""What may be published and committed now, for the committer."""

from collections.abc import Collection, Sequence

from consumer.core.model import TopicPartition
from consumer.delivery.assignment import PendingCommit
from consumer.delivery.assignments import Assignments


class CommitQueue:
    """Thread-safe; behind the lock of `assignments`."""

    def __init__(self, assignments: Assignments) -> None:
        self._assignments = assignments

    def pending(self, timeout_s: float, *, one_by_one: Collection[TopicPartition] = ()) -> Sequence[PendingCommit]:
        """What can be published and committed now, at most one commit a partition; waits for the first.

        Of the partitions `one_by_one` it is one outcome at a time, of others many.
        """
        found: list[PendingCommit] = []

        def collect() -> bool:
            pending = (
                self._assignments.pending_commit(held, max_outcomes=1 if partition in one_by_one else None)
                for partition, held in self._assignments.held.items()
            )
            found[:] = [commit for commit in pending if commit]
            return bool(found)

        with self._assignments.changed:
            self._assignments.wait(collect, timeout_s)
        return found

    def confirm(self, pending: PendingCommit) -> None:
        """It is published and committed."""
        with self._assignments.changed:
            pending.assignment.confirm(pending.commit.position)
            self._assignments.changed.notify_all()

    def refuse(self, pending: PendingCommit) -> None:
        """The broker says that the partition is not ours."""
        self._assignments.refuse(pending.assignment)
