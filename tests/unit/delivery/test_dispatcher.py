import threading
from datetime import UTC, datetime, timedelta

import pytest

from consumer.core.errors import Cancelled, OwnershipLost
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import EndOfPartition, Position
from consumer.delivery.assignment import Attempt
from harness.clock import ManualClock
from harness.delivery import UNTRACED, Parts, admit, delivery_of, take, the_pending

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
DONE = Done(result=Message(topic="results", key=b"k", value=b"v"))


def test_partitions_take_turns() -> None:
    """However much waits in one partition, the others' records come in between, each partition's in order."""
    delivery = delivery_of(T0, T1)
    admit(delivery, T0, 0, 1, 2)
    admit(delivery, T1, 0, 1)
    taken = [(t.record.partition, t.record.offset) for t in (take(delivery) for _ in range(5))]
    assert taken == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    assert delivery.dispatcher.next(0) is None
    assert delivery.dispatcher.in_flight() == 5


def test_records_with_one_key_wait_for_each_other() -> None:
    """Two records with the same key are never at work at once, even in two partitions; no key means no waiting."""
    delivery = delivery_of(T0, T1)
    admit(delivery, T0, 0, key=b"k")
    admit(delivery, T1, 0, key=b"k")
    first = take(delivery)
    assert delivery.dispatcher.next(0) is None
    delivery.dispatcher.complete(first, DONE, UNTRACED)
    assert take(delivery).record.key == b"k"


def test_a_retry_waits_until_it_is_due_and_holds_up_nobody_else() -> None:
    """A record that is not due yet is not handed out; another partition's is."""
    delivery = delivery_of(T0, T1)
    admit(delivery, T0, 0, not_before=datetime.now(UTC) + timedelta(hours=1))
    admit(delivery, T1, 0)
    assert take(delivery).record.partition == 1
    assert delivery.dispatcher.next(0) is None
    admit(delivery, T1, 1, not_before=datetime.now(UTC) + timedelta(milliseconds=50))
    due = delivery.dispatcher.next(10)
    assert due
    assert due.record.topic_partition == T1
    assert due.record.offset == 1


def test_a_worker_that_waits_hears_of_a_record() -> None:
    """`next` returns as soon as there is something, whoever brought it."""
    delivery = delivery_of(T0)
    found: list[Attempt | None] = []
    thread = threading.Thread(target=lambda: found.append(delivery.dispatcher.next(20)))
    thread.start()
    admit(delivery, T0, 0)
    thread.join(60)
    [attempt] = found
    assert attempt
    assert attempt.record.offset == 0


def test_the_end_of_what_was_not_begun_means_nothing() -> None:
    """Of a partition that is not ours, or whose position is not known yet, no end is noted."""
    delivery = Parts()
    end = EndOfPartition(topic_partition=T0, offset=7)
    delivery.dispatcher.reach(end)
    delivery.assignments.open([T0])
    delivery.dispatcher.reach(end)
    delivery.assignments.begin(T0, None)
    assert delivery.assignments.position(T0) == 0
    assert delivery.commit_queue.pending(0) == []


def test_only_what_was_begun_is_admitted() -> None:
    """Records of a partition that is not ours, whose position is unknown, or that were read before are ignored."""
    delivery = Parts()
    admit(delivery, T0, 0)
    delivery.assignments.open([T0])
    assert delivery.assignments.needs_position(T0)
    assert not delivery.assignments.needs_position(T1)
    admit(delivery, T0, 0)
    delivery.assignments.begin(T0, Position(offset=5))
    assert not delivery.assignments.needs_position(T0)
    admit(delivery, T0, 4, 5, 5)
    assert delivery.dispatcher.queued() == {T0: 1}


def test_outcomes_are_offered_in_the_order_of_their_records() -> None:
    """What is done out of turn waits for what came before it; the position is where to go on reading."""
    delivery = delivery_of(T0, committed=Position(offset=3))
    admit(delivery, T0, 3, 4)
    first, second = take(delivery), take(delivery)
    delivery.dispatcher.complete(second, DONE, UNTRACED)
    assert delivery.commit_queue.pending(0) == []
    delivery.dispatcher.complete(first, DONE, UNTRACED)
    pending = the_pending(delivery)
    assert [settled.attempt for settled in pending.completed] == [first, second]
    assert pending.commit.position == Position(offset=5)
    assert pending.commit.membership is first.membership
    assert not delivery.dispatcher.is_quiet()
    delivery.commit_queue.confirm(pending)
    assert delivery.commit_queue.pending(0) == []
    assert delivery.dispatcher.is_quiet()


def test_markers_behind_the_last_record_are_committed() -> None:
    """At a partition's end its lag becomes 0, whatever lies behind the last record."""
    delivery = delivery_of(T0, committed=Position(offset=3))
    delivery.dispatcher.reach(EndOfPartition(topic_partition=T0, offset=4))
    delivery.dispatcher.reach(EndOfPartition(topic_partition=T1, offset=4))
    pending = the_pending(delivery)
    assert (pending.commit.position, pending.commit.messages) == (Position(offset=4), ())
    delivery.commit_queue.confirm(pending)
    delivery.dispatcher.reach(EndOfPartition(topic_partition=T0, offset=4))
    assert delivery.commit_queue.pending(0) == []


def test_nothing_of_a_closed_lease_is_published() -> None:
    """Once a partition is gone, its work is cancelled, and a late outcome of it comes to nothing."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0, 1)
    attempt = take(delivery)
    delivery.assignments.close([T0, T1], "revoked")
    with pytest.raises(Cancelled, match="revoked"):
        attempt.cancellation.check()
    delivery.dispatcher.complete(attempt, DONE, UNTRACED)
    assert (delivery.commit_queue.pending(0), list(delivery.assignments.partitions()), delivery.dispatcher.next(0)) == (
        [],
        [],
        None,
    )


def test_a_refused_partition_is_read_again() -> None:
    """A refused commit closes its assignment and is told of once; another refusal of that one changes nothing."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    pending = the_pending(delivery)
    delivery.commit_queue.refuse(pending)
    assert list(delivery.assignments.take_refused()) == [T0]
    delivery.assignments.open([T0])
    delivery.commit_queue.refuse(pending)
    assert list(delivery.assignments.take_refused()) == []
    assert list(delivery.assignments.partitions()) == [T0]


def test_a_refusal_is_settled_by_a_new_assignment() -> None:
    """A partition that was refused, revoked and assigned again is not opened a second time over itself."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    delivery.commit_queue.refuse(the_pending(delivery))
    delivery.assignments.close([T0], "revoked")
    delivery.assignments.open([T0])
    for partition in delivery.assignments.take_refused():
        delivery.assignments.open([partition])
    delivery.assignments.close([T0], "revoked")
    assert delivery.dispatcher.next(0) is None


def test_a_start_counts_once_it_is_committed() -> None:
    """`note_start` returns when the count would survive this process; an end of the work takes it back."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    attempt, noted = take(delivery), threading.Event()

    def note() -> None:
        delivery.start_counter.increment(attempt)
        noted.set()

    thread = threading.Thread(target=note)
    thread.start()
    [pending] = delivery.commit_queue.pending(60)
    assert pending.commit.position.offset_metadata == '{"starts": {"0": 1}}'
    assert not noted.is_set()
    delivery.commit_queue.confirm(pending)
    assert noted.wait(60)
    thread.join(60)
    assert delivery.start_counter.count(attempt) == 1
    delivery.start_counter.decrement(attempt)
    assert delivery.start_counter.count(attempt) == 0
    assert the_pending(delivery).commit.position.offset_metadata == ""


def test_a_start_is_forgotten_together_with_the_outcome() -> None:
    """Where the outcome comes soon, forgetting needs no commit of its own; else it has one."""
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata='{"starts": {"0": 1, "1": 1}}'))
    admit(delivery, T0, 0, 1)
    first, second = take(delivery), take(delivery)
    delivery.start_counter.decrement(second, within_s=3600)
    assert delivery.commit_queue.pending(0) == []
    delivery.dispatcher.complete(first, DONE, UNTRACED)
    assert the_pending(delivery).commit.position == Position(offset=1)
    delivery.commit_queue.confirm(the_pending(delivery))
    delivery.dispatcher.complete(second, DONE, UNTRACED)
    delivery.commit_queue.confirm(the_pending(delivery))

    clock = ManualClock()
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata='{"starts": {"0": 1}}'), clock=clock)
    admit(delivery, T0, 0)
    attempt = take(delivery)
    delivery.start_counter.decrement(attempt, within_s=5.0)
    assert delivery.commit_queue.pending(0) == []
    clock.advance(5.0)
    [pending] = delivery.commit_queue.pending(0)
    assert pending.commit.position == Position(offset=0)

    delivery.start_counter.decrement(attempt, within_s=3600)
    delivery.dispatcher.abandon(attempt)
    assert the_pending(delivery).commit.position == Position(offset=0)


def test_starts_under_earlier_owners_are_remembered() -> None:
    """What was noted beside the committed offset is known again after a crash, until its record is settled."""
    delivery = delivery_of(T0, committed=Position(offset=7, offset_metadata='{"starts": {"7": 2, "9": 1}}'))
    admit(delivery, T0, 7)
    attempt = take(delivery)
    assert delivery.start_counter.count(attempt) == 2
    delivery.dispatcher.complete(attempt, DONE, UNTRACED)
    pending = the_pending(delivery)
    assert pending.commit.position == Position(offset=8, offset_metadata='{"starts": {"9": 1}}')


@pytest.mark.parametrize(("end", "error"), [("close", OwnershipLost), ("cancel", Cancelled)])
def test_nobody_waits_for_a_note_that_will_not_be_committed(end: str, error: type[Exception]) -> None:
    """A start that can't be committed any more is not begun."""
    delivery, raised = delivery_of(T0), []
    admit(delivery, T0, 0)
    attempt = take(delivery)

    def note() -> None:
        with pytest.raises((OwnershipLost, Cancelled)) as caught:
            delivery.start_counter.increment(attempt)
        raised.append(caught.type)

    thread = threading.Thread(target=note)
    thread.start()
    assert delivery.commit_queue.pending(60)
    if end == "cancel":
        attempt.cancellation.cancel("user")
    else:
        attempt.assignment.is_open = False
    thread.join(60)
    assert raised == [error]


def test_draining_lets_work_end_and_drops_what_waits() -> None:
    """What waits is not begun any more; what is at work is published if it ends in time, and cancelled if not."""
    delivery = delivery_of(T0, T1)
    admit(delivery, T0, 0, 1)
    admit(delivery, T1, 0)
    quick, slow = take(delivery), take(delivery)

    def publish() -> None:
        for pending in delivery.commit_queue.pending(60):
            delivery.commit_queue.confirm(pending)

    publishing = threading.Thread(target=publish)
    publishing.start()
    slow.cancellation.listen(lambda: delivery.dispatcher.abandon(slow))
    delivery.dispatcher.complete(quick, DONE, UNTRACED)
    publishing.join(60)
    delivery.assignments.drain([T0, T1], 0.05, "revoked")
    with pytest.raises(Cancelled):
        slow.cancellation.check()
    quick.cancellation.check()
    assert delivery.dispatcher.queued() == {T0: 0, T1: 0}


def test_no_turns_after_the_end() -> None:
    """Once the replica is about to stop, what waits is left for others."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.stop()
    assert delivery.dispatcher.next(0) is None


def test_the_job_that_is_most_overdue_is_told_of() -> None:
    """Of all jobs at work the one furthest past its time counts; one that has ended does not."""
    delivery = delivery_of(T0, T1)
    assert delivery.dispatcher.overdue_s() == 0.0
    admit(delivery, T0, 0)
    admit(delivery, T1, 0)
    first, second = take(delivery), take(delivery)
    first.cancellation.start_clock(-100.0)
    second.cancellation.start_clock(100.0)
    assert delivery.dispatcher.overdue_s() >= 100.0
    delivery.dispatcher.complete(first, DONE, UNTRACED)
    assert delivery.dispatcher.overdue_s() == 0.0
