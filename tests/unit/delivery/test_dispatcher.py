import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumer.core.errors import Cancelled, OwnershipLost
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import EndOfPartition, Position
from consumer.delivery.assignment import Offer, Ticket
from consumer.delivery.dispatcher import Ledger
from harness.fakes import a_record, a_redelivery

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
DONE = Done(result=Message(topic="results", key=b"k", value=b"v"))


def a_ledger(*partitions: TopicPartition, committed: Position | None = None) -> Ledger:
    ledger = Ledger(object)
    ledger.open(partitions)
    for partition in partitions:
        ledger.begin(partition, committed)
    return ledger


def admit(ledger: Ledger, partition: TopicPartition, *offsets: int, key: bytes | None = None, **fields: Any) -> None:
    for offset in offsets:
        record = a_record(topic=partition.topic, partition=partition.partition, offset=offset, key=key)
        ledger.admit(record, a_redelivery(record, **fields))


def take(ledger: Ledger) -> Ticket:
    ticket = ledger.next(0)
    assert ticket
    return ticket


def the_offer(ledger: Ledger) -> Offer:
    [offer] = ledger.offers(0)
    return offer


def test_partitions_take_turns() -> None:
    """However much waits in one partition, the others' records come in between, each partition's in order."""
    ledger = a_ledger(T0, T1)
    admit(ledger, T0, 0, 1, 2)
    admit(ledger, T1, 0, 1)
    taken = [(t.record.partition, t.record.offset) for t in (take(ledger) for _ in range(5))]
    assert taken == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    assert ledger.next(0) is None
    assert ledger.in_flight() == 5


def test_records_with_one_key_wait_for_each_other() -> None:
    """Two records with the same key are never at work at once, even in two partitions; no key means no waiting."""
    ledger = a_ledger(T0, T1)
    admit(ledger, T0, 0, key=b"k")
    admit(ledger, T1, 0, key=b"k")
    first = take(ledger)
    assert ledger.next(0) is None
    ledger.settle(first, DONE)
    assert take(ledger).record.key == b"k"


def test_a_retry_waits_until_it_is_due_and_holds_up_nobody_else() -> None:
    """A record that is not due yet is not handed out; another partition's is."""
    ledger = a_ledger(T0, T1)
    admit(ledger, T0, 0, not_before=datetime.now(UTC) + timedelta(hours=1))
    admit(ledger, T1, 0)
    assert take(ledger).record.partition == 1
    assert ledger.next(0) is None
    admit(ledger, T1, 1, not_before=datetime.now(UTC) + timedelta(milliseconds=50))
    assert ledger.next(10) is not None


def test_a_worker_that_waits_hears_of_a_record() -> None:
    """`next` returns as soon as there is something, whoever brought it."""
    ledger, found = a_ledger(T0), []
    thread = threading.Thread(target=lambda: found.append(ledger.next(20)))
    thread.start()
    admit(ledger, T0, 0)
    thread.join(20)
    assert found[0].record.offset == 0


def test_only_what_was_begun_is_admitted() -> None:
    """Records of a partition that is not ours, whose position is unknown, or that were read before are ignored."""
    ledger = Ledger(object)
    admit(ledger, T0, 0)
    ledger.open([T0])
    assert ledger.needs_position(T0)
    assert not ledger.needs_position(T1)
    admit(ledger, T0, 0)
    ledger.begin(T0, Position(offset=5))
    assert not ledger.needs_position(T0)
    admit(ledger, T0, 4, 5, 5)
    assert ledger.waiting() == {T0: 1}


def test_outcomes_are_offered_in_the_order_of_their_records() -> None:
    """What is done out of turn waits for what came before it; the position is where to go on reading."""
    ledger = a_ledger(T0, committed=Position(offset=3))
    admit(ledger, T0, 3, 4)
    first, second = take(ledger), take(ledger)
    ledger.settle(second, DONE)
    assert ledger.offers(0) == []
    ledger.settle(first, DONE)
    offer = the_offer(ledger)
    assert [settled.ticket for settled in offer.settled] == [first, second]
    assert offer.commit.position == Position(offset=5)
    assert offer.commit.membership is first.membership
    assert not ledger.is_quiet()
    ledger.confirm(offer)
    assert ledger.offers(0) == []
    assert ledger.is_quiet()


def test_markers_behind_the_last_record_are_committed() -> None:
    """At a partition's end its lag becomes 0, whatever lies behind the last record."""
    ledger = a_ledger(T0, committed=Position(offset=3))
    ledger.reach(EndOfPartition(topic_partition=T0, offset=4))
    ledger.reach(EndOfPartition(topic_partition=T1, offset=4))
    offer = the_offer(ledger)
    assert (offer.commit.position, offer.commit.messages) == (Position(offset=4), ())
    ledger.confirm(offer)
    ledger.reach(EndOfPartition(topic_partition=T0, offset=4))
    assert ledger.offers(0) == []


def test_nothing_of_a_closed_lease_is_published() -> None:
    """Once a partition is gone, its work is cancelled, and a late outcome of it comes to nothing."""
    ledger = a_ledger(T0)
    admit(ledger, T0, 0, 1)
    ticket = take(ledger)
    ledger.close([T0, T1], "revoked")
    with pytest.raises(Cancelled, match="revoked"):
        ticket.cancellation.check()
    ledger.settle(ticket, DONE)
    assert (ledger.offers(0), list(ledger.partitions()), ledger.next(0)) == ([], [], None)


def test_a_refused_partition_is_read_again() -> None:
    """A refused commit closes its lease and is told of once; a later refusal of the same lease changes nothing."""
    ledger = a_ledger(T0)
    admit(ledger, T0, 0)
    ledger.settle(take(ledger), DONE)
    offer = the_offer(ledger)
    ledger.refuse(offer)
    assert list(ledger.take_refused()) == [T0]
    ledger.open([T0])
    ledger.refuse(offer)
    assert list(ledger.take_refused()) == []
    assert list(ledger.partitions()) == [T0]


def test_a_refusal_is_settled_by_a_new_assignment() -> None:
    """A partition that was refused, revoked and assigned again is not opened a second time over itself."""
    ledger = a_ledger(T0)
    admit(ledger, T0, 0)
    ledger.settle(take(ledger), DONE)
    ledger.refuse(the_offer(ledger))
    ledger.close([T0], "revoked")
    ledger.open([T0])
    for partition in ledger.take_refused():
        ledger.open([partition])
    ledger.close([T0], "revoked")
    assert ledger.next(0) is None


def test_a_start_counts_once_it_is_committed() -> None:
    """`note_start` returns when the count would survive this process; an end of the work takes it back."""
    ledger = a_ledger(T0)
    admit(ledger, T0, 0)
    ticket, noted = take(ledger), threading.Event()
    thread = threading.Thread(target=lambda: (ledger.note_start(ticket), noted.set()))
    thread.start()
    [offer] = ledger.offers(20)
    assert offer.commit.position.note == '{"starts": {"0": 1}}'
    assert not noted.is_set()
    ledger.confirm(offer)
    assert noted.wait(20)
    thread.join()
    assert ledger.starts(ticket) == 1
    ledger.forget_start(ticket)
    assert ledger.starts(ticket) == 0
    assert the_offer(ledger).commit.position.note == ""


def test_a_start_is_forgotten_together_with_the_outcome() -> None:
    """Where the outcome comes soon, forgetting needs no commit of its own; else it has one."""
    ledger = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1, "1": 1}}'))
    admit(ledger, T0, 0, 1)
    first, second = take(ledger), take(ledger)
    ledger.forget_start(second, within_s=3600)
    assert ledger.offers(0) == []
    ledger.settle(first, DONE)
    assert the_offer(ledger).commit.position == Position(offset=1)
    ledger.confirm(the_offer(ledger))
    ledger.settle(second, DONE)
    ledger.confirm(the_offer(ledger))

    ledger = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1}}'))
    admit(ledger, T0, 0)
    ticket = take(ledger)
    ledger.forget_start(ticket, within_s=0.05)
    assert ledger.offers(0) == []
    [offer] = eventually(lambda: ledger.offers(0.01))
    assert offer.commit.position == Position(offset=0)

    ledger.forget_start(ticket, within_s=3600)
    ledger.abandon(ticket)
    assert the_offer(ledger).commit.position == Position(offset=0)


def eventually(ask: Callable[[], list[Offer]]) -> list[Offer]:
    for _ in range(2000):
        if found := ask():
            return found
    raise AssertionError("it did not come")


def test_starts_under_earlier_owners_are_remembered() -> None:
    """What was noted beside the committed offset is known again after a crash, until its record is settled."""
    ledger = a_ledger(T0, committed=Position(offset=7, note='{"starts": {"7": 2, "9": 1}}'))
    admit(ledger, T0, 7)
    ticket = take(ledger)
    assert ledger.starts(ticket) == 2
    ledger.settle(ticket, DONE)
    offer = the_offer(ledger)
    assert offer.commit.position == Position(offset=8, note='{"starts": {"9": 1}}')


@pytest.mark.parametrize(("end", "error"), [("close", OwnershipLost), ("cancel", Cancelled)])
def test_nobody_waits_for_a_note_that_will_not_be_committed(end: str, error: type[Exception]) -> None:
    """A start that can't be committed any more is not begun."""
    ledger, raised = a_ledger(T0), []
    admit(ledger, T0, 0)
    ticket = take(ledger)

    def note() -> None:
        with pytest.raises((OwnershipLost, Cancelled)) as caught:
            ledger.note_start(ticket)
        raised.append(caught.type)

    thread = threading.Thread(target=note)
    thread.start()
    assert ledger.offers(20)
    if end == "cancel":
        ticket.cancellation.cancel("user")
    else:
        ticket.lease.is_open = False
    thread.join(20)
    assert raised == [error]


def test_draining_lets_work_end_and_drops_what_waits() -> None:
    """What waits is not begun any more; what is at work is published if it ends in time, and cancelled if not."""
    ledger = a_ledger(T0, T1)
    admit(ledger, T0, 0, 1)
    admit(ledger, T1, 0)
    quick, slow = take(ledger), take(ledger)
    publishing = threading.Thread(target=lambda: [ledger.confirm(offer) for offer in ledger.offers(20)])
    publishing.start()
    slow.cancellation.listen(lambda: ledger.abandon(slow))
    ledger.settle(quick, DONE)
    publishing.join(20)
    ledger.drain([T0, T1], 0.05, "revoked")
    with pytest.raises(Cancelled):
        slow.cancellation.check()
    quick.cancellation.check()
    assert ledger.waiting() == {T0: 0, T1: 0}


def test_no_turns_after_the_end() -> None:
    """Once the replica is about to stop, what waits is left for others."""
    ledger = a_ledger(T0)
    admit(ledger, T0, 0)
    ledger.stop_dispatching()
    assert ledger.next(0) is None


def test_the_job_that_is_most_overdue_is_told_of() -> None:
    """Of all jobs at work the one furthest past its time counts; one that has ended does not."""
    ledger = a_ledger(T0, T1)
    assert ledger.overdue_s() == 0.0
    admit(ledger, T0, 0)
    admit(ledger, T1, 0)
    first, second = take(ledger), take(ledger)
    first.cancellation.start_clock(-100.0)
    second.cancellation.start_clock(100.0)
    assert ledger.overdue_s() >= 100.0
    ledger.settle(first, DONE)
    assert ledger.overdue_s() == 0.0
