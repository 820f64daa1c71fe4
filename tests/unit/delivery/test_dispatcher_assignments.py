"""Leases of one partition that follow each other, whichever thread is quicker."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumer.core.errors import Cancelled
from consumer.core.ports import Position
from consumer.delivery import assignment as assignment_module
from consumer.delivery import dispatcher as module
from consumer.delivery.dispatcher import Dispatcher
from harness.platform import wait_for
from tests.unit.delivery.test_dispatcher import DONE, T0, T1, a_ledger, admit, take, the_offer


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
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0)
    dispatcher.settle(take(dispatcher), DONE)
    pending = the_offer(dispatcher)

    def read_again() -> None:
        assert list(dispatcher.take_refused()) == [T0]
        dispatcher.open([T0])
        dispatcher.begin(T0, None)

    dispatcher._changed = Interrupted(read_again)
    dispatcher.refuse(pending)
    assert list(dispatcher.partitions()) == [T0]
    admit(dispatcher, T0, 0)
    assert take(dispatcher).assignment.is_open
    dispatcher.close([T0], "revoked")
    assert dispatcher.next(0) is None


def test_a_refusal_cancels_what_is_at_work() -> None:
    """Work on a partition whose commit was refused ends, and other partitions' goes on."""
    dispatcher = a_ledger(T0, T1)
    admit(dispatcher, T0, 0, 1)
    admit(dispatcher, T1, 0)
    first, other, second = take(dispatcher), take(dispatcher), take(dispatcher)
    dispatcher.settle(first, DONE)
    dispatcher.refuse(the_offer(dispatcher))
    with pytest.raises(Cancelled, match="ownership lost"):
        second.cancellation.check()
    other.cancellation.check()


def test_a_partition_that_is_opened_over_itself_has_one_turn() -> None:
    """Opened while it is held, a partition begins anew: what was at work is cancelled and nothing of it published."""
    dispatcher: Dispatcher = a_ledger(T0)
    admit(dispatcher, T0, 0)
    attempt = take(dispatcher)
    dispatcher.open([T0])
    dispatcher.begin(T0, None)
    with pytest.raises(Cancelled):
        attempt.cancellation.check()
    dispatcher.settle(attempt, DONE)
    assert dispatcher.pending_commits(0) == []
    admit(dispatcher, T0, 0)
    assert take(dispatcher).assignment.is_open
    dispatcher.close([T0], "revoked")
    assert dispatcher.next(0) is None


def test_what_waits_behind_a_slow_record_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition whose head takes long gets no turns once so many are unpublished behind it; another's go on."""
    monkeypatch.setattr(module, "MAX_UNPUBLISHED", 3)
    dispatcher = a_ledger(T0, T1)
    admit(dispatcher, T0, *range(5))
    slow, *quick = take(dispatcher), take(dispatcher), take(dispatcher)
    for attempt in quick:
        dispatcher.settle(attempt, DONE)
    assert dispatcher.next(0) is None
    admit(dispatcher, T1, 0)
    assert take(dispatcher).record.partition == 1
    dispatcher.settle(slow, DONE)
    assert dispatcher.next(0) is None
    dispatcher.confirm(the_offer(dispatcher))
    assert [take(dispatcher).record.offset for _ in range(2)] == [3, 4]


def test_one_offer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many outcomes of one partition are published in parts, in order, each with the offset that it ends at."""
    monkeypatch.setattr(assignment_module, "MAX_PENDING_OUTCOMES", 2)
    dispatcher = a_ledger(T0)
    admit(dispatcher, T0, *range(5))
    for attempt in [take(dispatcher) for _ in range(5)]:
        dispatcher.settle(attempt, DONE)
    parts = []
    while pending_commits := dispatcher.pending_commits(0):
        dispatcher.confirm(pending_commits[0])
        parts.append((len(pending_commits[0].settled), pending_commits[0].commit.position.offset))
    assert parts == [(2, 2), (2, 4), (1, 5)]
    assert dispatcher.is_quiet()


def test_a_start_that_was_not_begun_does_not_count() -> None:
    """Cancelled while its note waits to be committed, a record is charged nothing, then or later."""
    dispatcher = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1}}'))
    admit(dispatcher, T0, 0)
    attempt = take(dispatcher)
    attempt.cancellation.cancel("user")
    with pytest.raises(Cancelled):
        dispatcher.note_start(attempt)
    assert dispatcher.starts(attempt) == 1
    assert dispatcher.pending_commits(0) == []


def test_a_start_takes_along_what_other_partitions_have_to_forget() -> None:
    """What ended just before a start is forgotten in the start's transaction, so that its crash charges nobody else."""
    dispatcher = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1}}'))
    dispatcher.open([T1])
    dispatcher.begin(T1, None)
    admit(dispatcher, T0, 0)
    admit(dispatcher, T1, 0)
    good, killer = take(dispatcher), take(dispatcher)
    dispatcher.forget_start(good, within_s=3600)
    assert dispatcher.pending_commits(0) == []
    noting = threading.Thread(target=dispatcher.note_start, args=(killer,))
    noting.start()
    wait_for(lambda: dispatcher.starts(killer))
    pending_commits = {pending.commit.partition: pending for pending in dispatcher.pending_commits(0)}
    assert (pending_commits[T0].commit.position.note, pending_commits[T1].commit.position.note) == (
        "",
        '{"starts": {"0": 1}}',
    )
    dispatcher.confirm(pending_commits[T1])
    noting.join(20)
    assert not noting.is_alive()
