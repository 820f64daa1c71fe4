"""Leases of one partition that follow each other, whichever thread is quicker."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumer.core.errors import Cancelled
from consumer.core.ports import Position
from harness.delivery import UNTRACED, Parts, admit, delivery_of, take, the_pending
from harness.waiting import wait_for
from tests.unit.delivery.test_dispatcher import DONE, T0, T1


class Interrupted(threading.Condition):
    """A lock behind whose first release another thread is at once."""

    def __init__(self, then: Callable[[], Any]) -> None:
        super().__init__()
        self._then: Callable[[], Any] | None = then

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        then, self._then = self._then, None
        if then:
            then()


def test_a_refusal_closes_no_lease_but_its_own() -> None:
    """Where the loop hears of a refusal and opens the partition at once, that new assignment stays, with its turn."""
    delivery = delivery_of(T0)
    admit(delivery, T0, 0)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    pending = the_pending(delivery)

    def read_again() -> None:
        assert list(delivery.assignments.take_refused()) == [T0]
        delivery.assignments.open([T0])
        delivery.assignments.begin(T0, None)

    delivery.assignments.changed = Interrupted(read_again)
    delivery.commit_queue.refuse(pending)
    assert list(delivery.assignments.partitions()) == [T0]
    admit(delivery, T0, 0)
    assert take(delivery).assignment.is_open
    delivery.assignments.close([T0], "revoked")
    assert delivery.dispatcher.next(0) is None


def test_a_refusal_cancels_what_is_at_work() -> None:
    """Work on a partition whose commit was refused ends, and other partitions' goes on."""
    delivery = delivery_of(T0, T1)
    admit(delivery, T0, 0, 1)
    admit(delivery, T1, 0)
    first, other, second = take(delivery), take(delivery), take(delivery)
    delivery.dispatcher.complete(first, DONE, UNTRACED)
    delivery.commit_queue.refuse(the_pending(delivery))
    with pytest.raises(Cancelled, match="ownership lost"):
        second.cancellation.check()
    other.cancellation.check()


def test_a_partition_that_is_opened_over_itself_has_one_turn() -> None:
    """Opened while it is held, a partition begins anew: what was at work is cancelled and nothing of it published."""
    delivery: Parts = delivery_of(T0)
    admit(delivery, T0, 0)
    attempt = take(delivery)
    delivery.assignments.open([T0])
    delivery.assignments.begin(T0, None)
    with pytest.raises(Cancelled):
        attempt.cancellation.check()
    delivery.dispatcher.complete(attempt, DONE, UNTRACED)
    assert delivery.commit_queue.pending(0) == []
    admit(delivery, T0, 0)
    assert take(delivery).assignment.is_open
    delivery.assignments.close([T0], "revoked")
    assert delivery.dispatcher.next(0) is None


def test_what_waits_behind_a_slow_record_has_a_bound() -> None:
    """A partition whose head takes long gets no turns once so many are unpublished behind it; another's go on."""
    delivery = delivery_of(T0, T1, max_uncommitted=3)
    admit(delivery, T0, *range(5))
    slow, *quick = take(delivery), take(delivery), take(delivery)
    for attempt in quick:
        delivery.dispatcher.complete(attempt, DONE, UNTRACED)
    assert delivery.dispatcher.next(0) is None
    admit(delivery, T1, 0)
    assert take(delivery).record.partition == 1
    delivery.dispatcher.complete(slow, DONE, UNTRACED)
    assert delivery.dispatcher.next(0) is None
    delivery.commit_queue.confirm(the_pending(delivery))
    assert [take(delivery).record.offset for _ in range(2)] == [3, 4]


def test_one_offer_has_a_bound() -> None:
    """Many outcomes of one partition are published in parts, in order, each with the offset that it ends at."""
    delivery = delivery_of(T0, max_pending_outcomes=2)
    admit(delivery, T0, *range(5))
    for attempt in [take(delivery) for _ in range(5)]:
        delivery.dispatcher.complete(attempt, DONE, UNTRACED)
    parts = []
    while pending_commits := delivery.commit_queue.pending(0):
        delivery.commit_queue.confirm(pending_commits[0])
        parts.append((len(pending_commits[0].completed), pending_commits[0].commit.position.offset))
    assert parts == [(2, 2), (2, 4), (1, 5)]
    assert delivery.dispatcher.is_quiet()


def test_a_start_that_was_not_begun_does_not_count() -> None:
    """Cancelled while its note waits to be committed, a record is charged nothing, then or later."""
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata='{"starts": {"0": 1}}'))
    admit(delivery, T0, 0)
    attempt = take(delivery)
    attempt.cancellation.cancel("user")
    with pytest.raises(Cancelled):
        delivery.start_counter.increment(attempt)
    assert delivery.start_counter.count(attempt) == 1
    assert delivery.commit_queue.pending(0) == []


def test_a_start_takes_along_what_other_partitions_have_to_forget() -> None:
    """What ended just before a start is forgotten in the start's transaction, so that its crash charges nobody else."""
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata='{"starts": {"0": 1}}'))
    delivery.assignments.open([T1])
    delivery.assignments.begin(T1, None)
    admit(delivery, T0, 0)
    admit(delivery, T1, 0)
    good, killer = take(delivery), take(delivery)
    delivery.start_counter.decrement(good, within_s=3600)
    assert delivery.commit_queue.pending(0) == []
    noting = threading.Thread(target=delivery.start_counter.increment, args=(killer,))
    noting.start()
    wait_for(lambda: delivery.start_counter.count(killer))
    pending_commits = {pending.commit.partition: pending for pending in delivery.commit_queue.pending(0)}
    assert (
        pending_commits[T0].commit.position.offset_metadata,
        pending_commits[T1].commit.position.offset_metadata,
    ) == (
        "",
        '{"starts": {"0": 1}}',
    )
    delivery.commit_queue.confirm(pending_commits[T1])
    noting.join(60)
    assert not noting.is_alive()
