import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumer.core.errors import Cancelled, OwnershipLost
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import EndOfPartition, Position
from consumer.delivery.assignment import Attempt, PendingCommit
from consumer.delivery.dispatcher import Dispatcher
from harness.fakes import a_record, a_retry_state

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
DONE = Done(result=Message(topic="results", key=b"k", value=b"v"))


def a_ledger(*partitions: TopicPartition, committed: Position | None = None) -> Dispatcher:
    dispatcher = Dispatcher(object)
    dispatcher.open(partitions)
    for partition in partitions:
        dispatcher.begin(partition, committed)
    return dispatcher


def admit(
    dispatcher: Dispatcher, partition: TopicPartition, *offsets: int, key: bytes | None = None, **fields: Any
) -> None:
    for offset in offsets:
        record = a_record(topic=partition.topic, partition=partition.partition, offset=offset, key=key)
        dispatcher.admit(record, a_retry_state(record, **fields))


def take(dispatcher: Dispatcher) -> Attempt:
    attempt = dispatcher.next(0)
    assert attempt
    return attempt


def the_offer(dispatcher: Dispatcher) -> PendingCommit:
    [pending] = dispatcher.pending_commits(0)
    return pending


def test_partitions_take_turns() -> None:
    """However much waits in one partition, the others' records come in between, each partition's in order."""
    dispatcher = a_ledger(T0, T1)
    admit(dispatcher, T0, 0, 1, 2)
    admit(dispatcher, T1, 0, 1)
    taken = [(t.record.partition, t.record.offset) for t in (take(dispatcher) for _ in range(5))]
    assert taken == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    assert dispatcher.next(0) is None
    assert dispatcher.in_flight() == 5


def test_records_with_one_key_wait_for_each_other() -> None:
    """Two records with the same key are never at work at once, even in two partitions; no key means no waiting."""
    dispatcher = a_ledger(T0, T1)
    admit(dispatcher, T0, 0, key=b"k")
    admit(dispatcher, T1, 0, key=b"k")
    first = take(dispatcher)
    assert dispatcher.next(0) is None
    dispatcher.settle(first, DONE)
    assert take(dispatcher).record.key == b"k"


def test_a_retry_waits_until_it_is_due_and_holds_up_nobody_else() -> None:
    """A record that is not due yet is not handed out; another partition's is."""
    dispatcher = a_ledger(T0, T1)
    admit(dispatcher, T0, 0, not_before=datetime.now(UTC) + timedelta(hours=1))
    admit(dispatcher, T1, 0)
    assert take(dispatcher).record.partition == 1
    assert dispatcher.next(0) is None
    admit(dispatcher, T1, 1, not_before=datetime.now(UTC) + timedelta(milliseconds=50))
    assert dispatcher.next(10) is not None


def test_a_worker_that_waits_hears_of_a_record() -> None:
    """`next` returns as soon as there is something, whoever brought it."""
    dispatcher, found = a_ledger(T0), []
    thread = threading.Thread(target=lambda: found.append(dispatcher.next(20)))
    thread.start()
    admit(dispatcher, T0, 0)
    thread.join(20)
    assert found[0].record.offset == 0


def test_only_what_was_begun_is_admitted() -> None:
    """Records of a partition that is not ours, whose position is unknown, or that were read before are ignored."""
    dispatcher = Dispatcher(object)
    admit(dispatcher, T0, 0)
    dispatcher.open([T0])
    assert dispatcher.needs_position(T0)
    assert not dispatcher.needs_position(T1)
    admit(dispatcher, T0, 0)
    dispatcher.begin(T0, Position(offset=5))
    assert not dispatcher.needs_position(T0)
    admit(dispatcher, T0, 4, 5, 5)
    assert dispatcher.waiting() == {T0: 1}


def test_outcomes_are_offered_in_the_order_of_their_records() -> None:
    """What is done out of turn waits for what came before it; the position is where to go on reading."""
    dispatcher = a_ledger(T0, committed=Position(offset=3))
    admit(dispatcher, T0, 3, 4)
    first, second = take(dispatcher), take(dispatcher)
    dispatcher.settle(second, DONE)
    assert dispatcher.pending_commits(0) == []
    dispatcher.settle(first, DONE)
    pending = the_offer(dispatcher)
    assert [settled.attempt for settled in pending.settled] == [first, second]
    assert pending.commit.position == Position(offset=5)
    assert pending.commit.membership is first.membership
    assert not dispatcher.is_quiet()
    dispatcher.confirm(pending)
    assert dispatcher.pending_commits(0) == []
    assert dispatcher.is_quiet()


def test_markers_behind_the_last_record_are_committed() -> None:
    """At a partition's end its lag becomes 0, whatever lies behind the last record."""
    dispatcher = a_ledger(T0, committed=Position(offset=3))
    dispatcher.reach(EndOfPartition(topic_partition=T0, offset=4))
    dispatcher.reach(EndOfPartition(topic_partition=T1, offset=4))
    pending = the_offer(dispatcher)
    assert (pending.commit.position, pending.commit.messages) == (Position(offset=4), ())
    dispatcher.confirm(pending)
    dispatcher.reach(EndOfPartition(topic_partition=T0, offset=4))
    assert dispatcher.pending_commits(0) == []


def test_nothing_of_a_closed_lease_is_published() -> None:
    """Once a partition is gone, its work is cancelled, and a late outcome of it comes to nothing."""
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0, 1)
    attempt = take(dispatcher)
    dispatcher.close([T0, T1], "revoked")
    with pytest.raises(Cancelled, match="revoked"):
        attempt.cancellation.check()
    dispatcher.settle(attempt, DONE)
    assert (dispatcher.pending_commits(0), list(dispatcher.partitions()), dispatcher.next(0)) == ([], [], None)


def test_a_refused_partition_is_read_again() -> None:
    """A refused commit closes its assignment and is told of once; another refusal of that one changes nothing."""
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0)
    dispatcher.settle(take(dispatcher), DONE)
    pending = the_offer(dispatcher)
    dispatcher.refuse(pending)
    assert list(dispatcher.take_refused()) == [T0]
    dispatcher.open([T0])
    dispatcher.refuse(pending)
    assert list(dispatcher.take_refused()) == []
    assert list(dispatcher.partitions()) == [T0]


def test_a_refusal_is_settled_by_a_new_assignment() -> None:
    """A partition that was refused, revoked and assigned again is not opened a second time over itself."""
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0)
    dispatcher.settle(take(dispatcher), DONE)
    dispatcher.refuse(the_offer(dispatcher))
    dispatcher.close([T0], "revoked")
    dispatcher.open([T0])
    for partition in dispatcher.take_refused():
        dispatcher.open([partition])
    dispatcher.close([T0], "revoked")
    assert dispatcher.next(0) is None


def test_a_start_counts_once_it_is_committed() -> None:
    """`note_start` returns when the count would survive this process; an end of the work takes it back."""
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0)
    attempt, noted = take(dispatcher), threading.Event()
    thread = threading.Thread(target=lambda: (dispatcher.note_start(attempt), noted.set()))
    thread.start()
    [pending] = dispatcher.pending_commits(20)
    assert pending.commit.position.note == '{"starts": {"0": 1}}'
    assert not noted.is_set()
    dispatcher.confirm(pending)
    assert noted.wait(20)
    thread.join()
    assert dispatcher.starts(attempt) == 1
    dispatcher.forget_start(attempt)
    assert dispatcher.starts(attempt) == 0
    assert the_offer(dispatcher).commit.position.note == ""


def test_a_start_is_forgotten_together_with_the_outcome() -> None:
    """Where the outcome comes soon, forgetting needs no commit of its own; else it has one."""
    dispatcher = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1, "1": 1}}'))
    admit(dispatcher, T0, 0, 1)
    first, second = take(dispatcher), take(dispatcher)
    dispatcher.forget_start(second, within_s=3600)
    assert dispatcher.pending_commits(0) == []
    dispatcher.settle(first, DONE)
    assert the_offer(dispatcher).commit.position == Position(offset=1)
    dispatcher.confirm(the_offer(dispatcher))
    dispatcher.settle(second, DONE)
    dispatcher.confirm(the_offer(dispatcher))

    dispatcher = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1}}'))
    admit(dispatcher, T0, 0)
    attempt = take(dispatcher)
    dispatcher.forget_start(attempt, within_s=0.05)
    assert dispatcher.pending_commits(0) == []
    [pending] = eventually(lambda: dispatcher.pending_commits(0.01))
    assert pending.commit.position == Position(offset=0)

    dispatcher.forget_start(attempt, within_s=3600)
    dispatcher.abandon(attempt)
    assert the_offer(dispatcher).commit.position == Position(offset=0)


def eventually(ask: Callable[[], list[PendingCommit]]) -> list[PendingCommit]:
    for _ in range(2000):
        if found := ask():
            return found
    raise AssertionError("it did not come")


def test_starts_under_earlier_owners_are_remembered() -> None:
    """What was noted beside the committed offset is known again after a crash, until its record is settled."""
    dispatcher = a_ledger(T0, committed=Position(offset=7, note='{"starts": {"7": 2, "9": 1}}'))
    admit(dispatcher, T0, 7)
    attempt = take(dispatcher)
    assert dispatcher.starts(attempt) == 2
    dispatcher.settle(attempt, DONE)
    pending = the_offer(dispatcher)
    assert pending.commit.position == Position(offset=8, note='{"starts": {"9": 1}}')


@pytest.mark.parametrize(("end", "error"), [("close", OwnershipLost), ("cancel", Cancelled)])
def test_nobody_waits_for_a_note_that_will_not_be_committed(end: str, error: type[Exception]) -> None:
    """A start that can't be committed any more is not begun."""
    dispatcher, raised = a_ledger(T0), []
    admit(dispatcher, T0, 0)
    attempt = take(dispatcher)

    def note() -> None:
        with pytest.raises((OwnershipLost, Cancelled)) as caught:
            dispatcher.note_start(attempt)
        raised.append(caught.type)

    thread = threading.Thread(target=note)
    thread.start()
    assert dispatcher.pending_commits(20)
    if end == "cancel":
        attempt.cancellation.cancel("user")
    else:
        attempt.assignment.is_open = False
    thread.join(20)
    assert raised == [error]


def test_draining_lets_work_end_and_drops_what_waits() -> None:
    """What waits is not begun any more; what is at work is published if it ends in time, and cancelled if not."""
    dispatcher = a_ledger(T0, T1)
    admit(dispatcher, T0, 0, 1)
    admit(dispatcher, T1, 0)
    quick, slow = take(dispatcher), take(dispatcher)
    publishing = threading.Thread(
        target=lambda: [dispatcher.confirm(pending) for pending in dispatcher.pending_commits(20)]
    )
    publishing.start()
    slow.cancellation.listen(lambda: dispatcher.abandon(slow))
    dispatcher.settle(quick, DONE)
    publishing.join(20)
    dispatcher.drain([T0, T1], 0.05, "revoked")
    with pytest.raises(Cancelled):
        slow.cancellation.check()
    quick.cancellation.check()
    assert dispatcher.waiting() == {T0: 0, T1: 0}


def test_no_turns_after_the_end() -> None:
    """Once the replica is about to stop, what waits is left for others."""
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0)
    dispatcher.stop_dispatching()
    assert dispatcher.next(0) is None


def test_the_job_that_is_most_overdue_is_told_of() -> None:
    """Of all jobs at work the one furthest past its time counts; one that has ended does not."""
    dispatcher = a_ledger(T0, T1)
    assert dispatcher.overdue_s() == 0.0
    admit(dispatcher, T0, 0)
    admit(dispatcher, T1, 0)
    first, second = take(dispatcher), take(dispatcher)
    first.cancellation.start_clock(-100.0)
    second.cancellation.start_clock(100.0)
    assert dispatcher.overdue_s() >= 100.0
    dispatcher.settle(first, DONE)
    assert dispatcher.overdue_s() == 0.0
