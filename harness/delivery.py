"""The parts of delivery that meet at one lock, without the threads around them."""

from typing import Any

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.model import TopicPartition
from consumer.core.ports import Position
from consumer.core.tracing import Untraced
from consumer.delivery.assignment import Attempt, PendingCommit
from consumer.delivery.assignments import Assignments
from consumer.delivery.commit_queue import CommitQueue
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.start_counter import StartCounter
from harness.fakes import a_record, a_retry_state

UNTRACED = Untraced()


class Parts:
    """See delivery.Delivery; every membership is an object of its own."""

    def __init__(
        self, *, max_uncommitted: int = 1000, max_pending_outcomes: int = 500, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.assignments = Assignments(max_pending_outcomes=max_pending_outcomes, clock=clock)
        self.dispatcher = Dispatcher(self.assignments, object, max_uncommitted=max_uncommitted)
        self.commit_queue = CommitQueue(self.assignments)
        self.start_counter = StartCounter(self.assignments)


def delivery_of(*partitions: TopicPartition, committed: Position | None = None, **bounds: Any) -> Parts:
    """Open partitions that are read from there; for the bounds, and the clock, see Parts."""
    delivery = Parts(**bounds)
    delivery.assignments.open(partitions)
    for partition in partitions:
        delivery.assignments.begin(partition, committed)
    return delivery


def admit(delivery: Parts, partition: TopicPartition, *offsets: int, key: bytes | None = None, **fields: Any) -> None:
    for offset in offsets:
        record = a_record(topic=partition.topic, partition=partition.partition, offset=offset, key=key)
        delivery.dispatcher.admit(record, a_retry_state(record, **fields))


def take(delivery: Parts) -> Attempt:
    """The next record, which is there."""
    attempt = delivery.dispatcher.next(0)
    assert attempt
    return attempt


def the_pending(delivery: Parts) -> PendingCommit:
    """The only commit that could be made now."""
    [pending] = delivery.commit_queue.pending(0)
    return pending
