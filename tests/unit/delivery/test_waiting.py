"""Threads that wait at the lock of `Assignments` hear of what they wait for, long before their time is up."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import EndOfPartition, Position
from harness.clock import ManualClock
from harness.delivery import UNTRACED, Parts, admit, delivery_of, take, the_pending

T = TypeVar("T")
T0, T1, T2 = (TopicPartition("separation.requests", number) for number in range(3))
DONE = Done(result=Message(topic="results", key=None, value=b"v"))
FOR_EVER_S = 3600.0
PATIENCE_S = 60.0


def heard(delivery: Parts, wait: Callable[[], T], happens: Callable[[], object]) -> T:
    """What a thread got that was waiting when it happened."""
    got: list[T] = []
    thread = threading.Thread(target=lambda: got.append(wait()), daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not delivery.assignments.changed._waiters:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline, "it does not wait"
        time.sleep(0.001)
    happens()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it was not told"
    return got[0]


def test_a_worker_hears_of_a_record() -> None:
    """A record that is admitted wakes who waits for one."""
    delivery = delivery_of(T0)
    attempt = heard(delivery, lambda: delivery.dispatcher.next(FOR_EVER_S), lambda: admit(delivery, T0, 0))
    assert attempt
    assert attempt.record.offset == 0


def test_a_worker_hears_that_a_key_is_free() -> None:
    """The next record with a key waits for the one before it, whether that gets an outcome or is given up."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0, 1, 2, key=b"k")
    first = take(delivery)
    second = heard(
        delivery,
        lambda: delivery.dispatcher.next(FOR_EVER_S),
        lambda: delivery.dispatcher.complete(first, DONE, UNTRACED),
    )
    assert second
    assert second.record.offset == 1
    third = heard(delivery, lambda: delivery.dispatcher.next(FOR_EVER_S), lambda: delivery.dispatcher.abandon(second))
    assert third
    assert third.record.offset == 2


def test_a_worker_hears_that_there_is_room() -> None:
    """Where as much as may be is uncommitted, a commit is what makes room."""
    delivery = delivery_of(T0, max_uncommitted=1)
    admit(delivery, T0, 0, 1)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    pending = the_pending(delivery)
    second = heard(
        delivery, lambda: delivery.dispatcher.next(FOR_EVER_S), lambda: delivery.commit_queue.confirm(pending)
    )
    assert second
    assert second.record.offset == 1


def test_the_committer_hears_of_an_outcome() -> None:
    """An outcome that can be published wakes it."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    attempt = take(delivery)
    [pending] = heard(
        delivery,
        lambda: delivery.commit_queue.pending(FOR_EVER_S),
        lambda: delivery.dispatcher.complete(attempt, DONE, UNTRACED),
    )
    assert pending.commit.position == Position(offset=1)


def test_the_committer_hears_of_a_partitions_end() -> None:
    """Behind the last record there may be markers, which are to be committed too."""
    delivery = delivery_of(T0, committed=Position(offset=1))
    end = EndOfPartition(topic_partition=T0, offset=3)
    [pending] = heard(
        delivery, lambda: delivery.commit_queue.pending(FOR_EVER_S), lambda: delivery.dispatcher.reach(end)
    )
    assert pending.commit.position == Position(offset=3)


def test_the_committer_hears_of_a_start_and_of_its_end() -> None:
    """Both are committed, as the offset's metadata."""
    delivery = delivery_of(T0, committed=Position(offset=0))
    admit(delivery, T0, 0)
    attempt = take(delivery)
    starting = threading.Thread(target=lambda: delivery.start_counter.increment(attempt), daemon=True)
    [begun] = heard(delivery, lambda: delivery.commit_queue.pending(FOR_EVER_S), starting.start)
    assert begun.commit.position.offset_metadata == '{"starts": {"0": 1}}'
    starting.join(0.2)
    assert starting.is_alive(), "nothing is committed yet"
    delivery.commit_queue.confirm(begun)
    starting.join(PATIENCE_S)
    assert not starting.is_alive()
    [ended] = heard(
        delivery,
        lambda: delivery.commit_queue.pending(FOR_EVER_S),
        lambda: delivery.start_counter.decrement(attempt),
    )
    assert ended.commit.position == Position(offset=0)


def test_who_drains_hears_of_the_commit() -> None:
    """Draining ends with the commit of what was at work, not with its grace."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    pending = the_pending(delivery)
    heard(
        delivery,
        lambda: delivery.assignments.drain([T0], FOR_EVER_S, "revoked"),
        lambda: delivery.commit_queue.confirm(pending),
    )
    assert delivery.dispatcher.is_quiet()


def test_who_drains_hears_that_the_partition_is_gone() -> None:
    """A partition that is lost meanwhile is not waited for: nothing of it can be published any more."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    pending = the_pending(delivery)
    heard(
        delivery,
        lambda: delivery.assignments.drain([T0], FOR_EVER_S, "revoked"),
        lambda: delivery.commit_queue.refuse(pending),
    )
    assert list(delivery.assignments.partitions()) == []


def test_a_worker_waits_for_the_record_that_is_due_first() -> None:
    """However long it may wait, it wakes when the soonest of all partitions' records is due."""
    delivery = delivery_of(T0, T1, T2)
    now = datetime.now(UTC)
    admit(delivery, T0, 0, not_before=now + timedelta(hours=1))
    admit(delivery, T1, 0, not_before=now + timedelta(seconds=0.2))
    admit(delivery, T2, 0, not_before=now + timedelta(hours=2))
    attempt = in_time(lambda: delivery.dispatcher.next(FOR_EVER_S))
    assert attempt
    assert attempt.record.topic_partition == T1


def test_a_record_is_due_at_its_very_moment() -> None:
    """Not before it, and not a moment later; whoever has no time left is told at once that there is none."""
    clock = ManualClock()
    delivery = delivery_of(T0, clock=clock)
    admit(delivery, T0, 0, not_before=clock.moment + timedelta(seconds=5))
    assert in_time(lambda: delivery.dispatcher.next(0)) is None
    clock.advance(5)
    attempt = in_time(lambda: delivery.dispatcher.next(0))
    assert attempt
    assert attempt.record.offset == 0


def test_the_last_half_second_is_waited_too() -> None:
    """A worker is not sent away before its time is up."""
    delivery = delivery_of(T0, clock=ManualClock())
    assert heard(delivery, lambda: delivery.dispatcher.next(0.5), lambda: admit(delivery, T0, 0))


def in_time(ask: Callable[[], T]) -> T:
    """What it gives, which does not take for ever."""
    got: list[T] = []
    thread = threading.Thread(target=lambda: got.append(ask()), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it takes for ever"
    return got[0]
