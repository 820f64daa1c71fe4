"""Letting go of partitions, with what other threads do meanwhile in place of the waits for it."""

from collections.abc import Callable
from threading import Condition

import pytest

from consumer.core.errors import Cancelled
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import Position
from consumer.delivery.assignments import Assignments
from harness.delivery import UNTRACED, Parts, admit, delivery_of, take, the_pending

T0, T1 = TopicPartition("separation.requests", 0), TopicPartition("separation.requests", 1)
DONE = Done(result=Message(topic="results", key=None, value=b"v"))


class Steps:
    """In place of each wait the next of these happens; how long it might have taken is noted, and if it was enough."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)
        self.waits: list[tuple[float, bool]] = []

    def __call__(self, changed: Condition, condition: Callable[[], object], timeout_s: float) -> object:
        if timeout_s > 0:
            if not condition() and self._steps:
                self._steps.pop(0)()
            self.waits.append((timeout_s, bool(condition())))
        return condition()


def waiting_for(delivery: Parts, *steps: Callable[[], object]) -> Steps:
    """From now on that happens while something is waited for."""
    waits = Steps(*steps)
    delivery.assignments._wait = waits
    return waits


def test_draining_waits_for_each_of_the_partitions() -> None:
    """That one of them is quiet does not end the wait for the other."""
    delivery = delivery_of(T0, T1)
    admit(delivery, T1, 0)
    attempt = take(delivery)

    def ends() -> None:
        delivery.dispatcher.complete(attempt, DONE, UNTRACED)
        delivery.commit_queue.confirm(the_pending(delivery))

    waits = waiting_for(delivery, ends)
    delivery.assignments.drain([T0, T1], 5.0, "revoked")
    assert waits.waits[0] == (5.0, True)
    attempt.cancellation.check()


def test_what_is_cancelled_may_still_come_to_its_end_and_be_noted() -> None:
    """After the grace jobs are cancelled; a second is given to stop, and another for their starts to be taken back."""
    delivery = delivery_of(T0, T1, committed=Position(offset=0, offset_metadata='{"starts": {"0": 1}}'))
    admit(delivery, T0, 0)
    attempt = take(delivery)

    def goes_on() -> None:
        attempt.cancellation.check()

    def stops() -> None:
        with pytest.raises(Cancelled):
            attempt.cancellation.check()
        delivery.start_counter.decrement(attempt)
        delivery.dispatcher.abandon(attempt)

    def is_committed() -> None:
        delivery.commit_queue.confirm(the_pending(delivery))

    waits = waiting_for(delivery, goes_on, stops, is_committed)
    delivery.assignments.drain([T0, T1], 5.0, "revoked")
    assert waits.waits == [(5.0, False), (1.0, True), (1.0, True)]
    assert delivery.commit_queue.pending(0) == []
    assert delivery.dispatcher.is_quiet()


def test_what_is_not_ours_is_not_drained() -> None:
    """A partition that went before has nothing to wait for."""
    delivery = delivery_of(T0)
    waits = waiting_for(delivery)
    delivery.assignments.drain([T1], 5.0, "revoked")
    assert waits.waits == [(5.0, True), (1.0, True), (1.0, True)]


def test_an_assignment_settles_an_earlier_refusal() -> None:
    """A partition that is assigned anew is not read again a second time."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    pending = the_pending(delivery)
    delivery.commit_queue.refuse(pending)
    assert delivery.assignments.take_refused() == {T0}
    assert delivery.assignments.take_refused() == set()
    delivery.assignments.open([T0])
    delivery.assignments.begin(T0, None)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    delivery.commit_queue.refuse(the_pending(delivery))
    delivery.assignments.open([T0])
    assert delivery.assignments.take_refused() == set()


def test_the_position_of_what_is_not_begun_is_the_beginning() -> None:
    """Of a partition that is not ours, or not begun, nothing was read."""
    assignments = Assignments()
    assert assignments.position(T0) == 0
    assignments.open([T0])
    assert assignments.needs_position(T0)
    assert assignments.position(T0) == 0
    assignments.begin(T0, Position(offset=7))
    assert not assignments.needs_position(T0)
    assert assignments.position(T0) == 7
