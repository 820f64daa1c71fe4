"""Which records this replica holds, whose turn it is, and what may be published: the one place where threads meet.

The poll loop opens leases and admits records; workers take tickets and settle them; the publisher takes what became
publishable. All state is behind one lock; every method is thread-safe and none blocks for longer than it says.
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
from consumer.delivery.assignment import Lease, Offer, Settled, Ticket, parse_note
from consumer.delivery.retry_headers import Redelivery

# Records a partition that may be handed out before the first of them is committed; outcomes wait here for a slow one.
MAX_UNPUBLISHED = 1000


class Ledger:
    """membership: captures the replica's current place in its group."""

    def __init__(self, membership: Callable[[], Membership]) -> None:
        self._membership = membership
        self._leases: dict[TopicPartition, Lease] = {}
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
                self._refused.discard(partition)  # a refusal of an earlier lease is settled by this one
                self._leases[partition] = Lease(partition)
                self._turns.append(partition)
        _cancel(dropped, "read again from the committed position")

    def needs_position(self, partition: TopicPartition) -> bool:
        """Whether `begin` must be called before anything of this partition is admitted."""
        with self._changed:
            lease = self._leases.get(partition)
            return lease is not None and lease.watermark is None

    def position(self, partition: TopicPartition) -> int:
        """Everything of the partition before this offset was read, or done before; 0 where it is not ours."""
        with self._changed:
            lease = self._leases.get(partition)
            return lease.watermark.position if lease and lease.watermark else 0

    def begin(self, partition: TopicPartition, committed: Position | None) -> None:
        with self._changed:
            self._leases[partition].begin(committed)

    def admit(self, record: Record, redelivery: Redelivery) -> None:
        """Queue a record for its turn. One that was admitted before, or whose partition is not ours, is ignored."""
        with self._changed:
            lease = self._leases.get(record.topic_partition)
            if lease is None or lease.watermark is None or not lease.watermark.admit(record.offset):
                return
            lease.waiting.append(Ticket(lease, record, redelivery, Cancellation()))
            self._changed.notify_all()

    def reach(self, end: EndOfPartition) -> None:
        """The partition was read to its end, which lies behind the last record if that was a transaction's marker."""
        with self._changed:
            lease = self._leases.get(end.topic_partition)
            if lease is not None and lease.watermark is not None:
                lease.watermark.reach(end.offset)
                lease.membership = self._membership()
                self._changed.notify_all()

    def waiting(self) -> Mapping[TopicPartition, int]:
        """Records a partition that wait for their turn."""
        with self._changed:
            return {partition: len(lease.waiting) for partition, lease in self._leases.items()}

    def take_refused(self) -> Collection[TopicPartition]:
        """Partitions whose commit was refused since the last call: to be read again from their committed position."""
        with self._changed:
            refused, self._refused = self._refused, set()
            return refused

    def drain(self, partitions: Collection[TopicPartition], grace_s: float, reason: str) -> None:
        """Let go of partitions in good order, which takes up to grace_s and a little more.

        What waits is dropped, what is at work may end and be published within grace_s and is cancelled then. The
        leases stay open, so that notes can still be committed, until `close`.
        """
        leases = [self._leases[p] for p in partitions if p in self._leases]
        with self._changed:
            for lease in leases:
                lease.waiting.clear()
            self._wait(lambda: all(self._is_quiet(lease) for lease in leases), grace_s)
            at_work = [ticket for lease in leases for ticket in lease.working.values()]
        for ticket in at_work:
            ticket.cancellation.cancel(reason)
        with self._changed:
            self._wait(lambda: not any(lease.working for lease in leases), 1.0)
            self._wait(lambda: not any(lease.offer() for lease in leases), 1.0)

    def close(self, partitions: Iterable[TopicPartition], reason: str) -> None:
        """These partitions are not ours any more: nothing of theirs will be published, work on them is cancelled."""
        with self._changed:
            dropped = self._end(partitions)
        _cancel(dropped, reason)

    def _end(self, partitions: Iterable[TopicPartition]) -> list[Ticket]:
        """Close the leases. Returns what is at work on them: to be cancelled once the lock is released."""
        leases = [lease for p in partitions if (lease := self._leases.pop(p, None))]
        for lease in leases:
            lease.is_open = False
            self._turns.remove(lease.partition)
        self._changed.notify_all()
        return [ticket for lease in leases for ticket in lease.working.values()]

    def stop_dispatching(self) -> None:
        """No further turns; what is at work goes on."""
        with self._changed:
            self._is_dispatching = False
            self._changed.notify_all()

    def is_quiet(self) -> bool:
        """Nothing is at work, and everything settled is published."""
        with self._changed:
            return all(self._is_quiet(lease) for lease in self._leases.values())

    def partitions(self) -> Collection[TopicPartition]:
        with self._changed:
            return list(self._leases)

    # --- the workers' side ---

    def next(self, timeout_s: float) -> Ticket | None:
        """The next record whose turn it is: partitions in turn, each in order, none before it is due.

        Records with the same key are worked on one after the other.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                ticket, due_in_s = self._take()
                left_s = deadline - time.monotonic()
                if ticket or left_s <= 0:
                    return ticket
                self._changed.wait(min(left_s, due_in_s))

    def _take(self) -> tuple[Ticket | None, float]:
        """A ticket whose turn it is, or how long to wait until one is due."""
        soonest_s = float("inf")
        if not self._is_dispatching:
            return None, soonest_s
        busy_keys = {t.record.key for lease in self._leases.values() for t in lease.working.values()} - {None}
        now = datetime.now(UTC)
        for _ in range(len(self._turns)):
            self._turns.rotate(-1)
            lease = self._leases[self._turns[-1]]
            if not lease.waiting or lease.unpublished >= MAX_UNPUBLISHED or lease.waiting[0].record.key in busy_keys:
                continue
            due = lease.waiting[0].redelivery.not_before
            if due is not None and due > now:
                soonest_s = min(soonest_s, (due - now).total_seconds())
                continue
            ticket = lease.waiting.popleft()
            lease.working[ticket.record.offset] = ticket
            # Under the lock and while the lease is open: see README, "Non-obvious invariants".
            ticket.membership = lease.membership = self._membership()
            return ticket, 0.0
        return None, soonest_s

    def settle(self, ticket: Ticket, outcome: Outcome) -> None:
        """The record has its outcome. Ignored if its lease is closed: another replica has it, or will have it."""
        with self._changed:
            ticket.lease.working.pop(ticket.record.offset, None)
            if ticket.lease.is_open and ticket.lease.watermark:
                ticket.lease.watermark.settle(ticket.record.offset, Settled(ticket, outcome))
            self._changed.notify_all()

    def abandon(self, ticket: Ticket) -> None:
        """Work on the record ended without an outcome; it will be read again by whoever owns the partition then."""
        with self._changed:
            ticket.lease.working.pop(ticket.record.offset, None)
            ticket.lease.forgets_at = 0.0
            self._changed.notify_all()

    def starts(self, ticket: Ticket) -> int:
        """How often a separator began this record and died over it, here or elsewhere."""
        with self._changed:
            return ticket.lease.starts.get(ticket.record.offset, 0)

    def note_start(self, ticket: Ticket) -> None:
        """Count a start, and return once the count is committed and would survive us.

        Raises OwnershipLost, Cancelled.
        """
        with self._changed:
            # What ended before this start is forgotten in the same transaction: else the record could be charged for it
            # if this one kills us.
            for lease in self._leases.values():
                lease.forgets_at = 0.0
            try:
                self._await_note(ticket)
            except BaseException:
                self.forget_start(ticket)  # nothing was begun
                raise

    def _await_note(self, ticket: Ticket) -> None:
        offset, lease = ticket.record.offset, ticket.lease
        count = lease.starts[offset] = lease.starts.get(offset, 0) + 1
        self._changed.notify_all()
        while lease.is_open:
            ticket.cancellation.check()
            if lease.committed and parse_note(lease.committed.note).get(offset, 0) >= count:
                return
            self._changed.wait(0.5)
        raise OwnershipLost(f"{lease.partition.topic} [{lease.partition.partition}]")

    def forget_start(self, ticket: Ticket, within_s: float = 0.0) -> None:
        """The separator came to an end of the record, or was stopped: that start was no crash.

        within_s: for so long the outcome is waited for, to be committed together with it.
        """
        with self._changed:
            starts = ticket.lease.starts
            starts[ticket.record.offset] = starts.get(ticket.record.offset, 1) - 1
            ticket.lease.forgets_at = time.monotonic() + within_s
            self._changed.notify_all()

    # --- the publisher's side ---

    def offers(self, timeout_s: float) -> list[Offer]:
        """What can be published and committed now, at most one offer a partition; waits for the first."""
        found: list[Offer] = []

        def collect() -> bool:
            found[:] = [offer for lease in self._leases.values() if (offer := lease.offer())]
            return bool(found)

        with self._changed:
            self._wait(collect, timeout_s)
        return found

    def confirm(self, offer: Offer) -> None:
        """The offer is published and committed."""
        with self._changed:
            offer.lease.confirm(offer)
            self._changed.notify_all()

    def refuse(self, offer: Offer) -> None:
        """The broker says that the partition is not ours: close its lease; it is read again if it is after all."""
        partition = offer.lease.partition
        with self._changed:  # all at once: in between the loop may open the partition's next lease
            if self._leases.get(partition) is not offer.lease:
                return
            self._refused.add(partition)
            dropped = self._end([partition])
        _cancel(dropped, "ownership lost")

    # ---

    def in_flight(self) -> int:
        """Records at work."""
        with self._changed:
            return sum(len(lease.working) for lease in self._leases.values())

    def overdue_s(self) -> float:
        """By how much the oldest job at work has outlived its time."""
        with self._changed:
            return max(
                (t.cancellation.overdue_s() for lease in self._leases.values() for t in lease.working.values()),
                default=0.0,
            )

    @staticmethod
    def _is_quiet(lease: Lease) -> bool:
        return not lease.working and lease.offer() is None

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        self._changed.wait_for(condition, timeout_s)


def _cancel(tickets: Iterable[Ticket], reason: str) -> None:
    for ticket in tickets:
        ticket.cancellation.cancel(reason)
