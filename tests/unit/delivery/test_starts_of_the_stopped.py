"""Starts of records while the replica stops: what dies then was stopped, and nobody is charged for it."""

import threading

from consumer.core.ports import Position
from consumer.delivery.assignment import Attempt
from harness.delivery import Parts, admit, delivery_of, take, the_pending
from tests.unit.delivery.test_dispatcher import T0

ONE_CRASH = '{"starts": {"0": 1}}'


def begin(delivery: Parts, attempt: Attempt, begun: threading.Event) -> threading.Thread:
    """Count a start in a thread of its own, which tells once that has returned."""

    def count() -> None:
        delivery.start_counter.increment(attempt)
        begun.set()

    thread = threading.Thread(target=count)
    thread.start()
    return thread


def test_starts_under_way_are_taken_back_at_once() -> None:
    """The next commit forgets them, before they have ended; crashes of earlier owners stay counted."""
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata=ONE_CRASH))
    admit(delivery, T0, 0)
    attempt, counted = take(delivery), threading.Event()
    thread = begin(delivery, attempt, counted)
    [pending] = delivery.commit_queue.pending(60)
    assert pending.commit.position.offset_metadata == '{"starts": {"0": 2}}'
    delivery.commit_queue.confirm(pending)
    assert counted.wait(60)
    thread.join(60)

    delivery.start_counter.stop()

    assert the_pending(delivery).commit.position == Position(offset=0, offset_metadata=ONE_CRASH)
    assert not delivery.start_counter.charge(attempt), "its separator died later"
    assert delivery.start_counter.count(attempt) == 1


def test_a_start_that_waits_to_be_counted_goes_on_uncounted() -> None:
    """Nobody waits for a count to be durable that is taken back."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    attempt, begun = take(delivery), threading.Event()
    thread = begin(delivery, attempt, begun)
    assert delivery.commit_queue.pending(60), "it is counted, and not committed"

    delivery.start_counter.stop()

    assert begun.wait(60)
    thread.join(60)
    assert delivery.commit_queue.pending(0) == []
    delivery.start_counter.decrement(attempt)
    assert delivery.start_counter.count(attempt) == 0


def test_a_start_after_the_stop_is_not_counted() -> None:
    """What was fetched already may begin within the grace; it is no start either, however it ends."""
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata=ONE_CRASH))
    admit(delivery, T0, 0)
    attempt = take(delivery)
    delivery.start_counter.stop()
    for _ in range(2):
        delivery.start_counter.increment(attempt)
        assert delivery.start_counter.count(attempt) == 1
        delivery.start_counter.decrement(attempt)
    delivery.start_counter.increment(attempt)
    assert not delivery.start_counter.charge(attempt)
    assert delivery.start_counter.count(attempt) == 1
    assert delivery.commit_queue.pending(0) == []


def test_a_crash_before_the_stop_stays_counted() -> None:
    """Only what is under way is taken back."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    attempt = take(delivery)
    thread = threading.Thread(target=delivery.start_counter.increment, args=(attempt,))
    thread.start()
    [pending] = delivery.commit_queue.pending(60)
    delivery.commit_queue.confirm(pending)
    thread.join(60)
    assert delivery.start_counter.charge(attempt)
    delivery.start_counter.stop()
    assert delivery.start_counter.count(attempt) == 1
