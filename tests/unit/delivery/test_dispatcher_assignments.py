"""Leases of one partition that follow each other, whichever thread is quicker."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumer.core.errors import Cancelled
from consumer.core.ports import Position
from consumer.delivery import assignment as lease_module
from consumer.delivery import dispatcher as module
from consumer.delivery.dispatcher import Ledger
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
    """Where the loop hears of a refusal and opens the partition again at once, that new lease stays, with its turn."""
    ledger = a_ledger(T0)
    admit(ledger, T0, 0)
    ledger.settle(take(ledger), DONE)
    offer = the_offer(ledger)

    def read_again() -> None:
        assert list(ledger.take_refused()) == [T0]
        ledger.open([T0])
        ledger.begin(T0, None)

    ledger._changed = Interrupted(read_again)
    ledger.refuse(offer)
    assert list(ledger.partitions()) == [T0]
    admit(ledger, T0, 0)
    assert take(ledger).lease.is_open
    ledger.close([T0], "revoked")
    assert ledger.next(0) is None


def test_a_refusal_cancels_what_is_at_work() -> None:
    """Work on a partition whose commit was refused ends, and other partitions' goes on."""
    ledger = a_ledger(T0, T1)
    admit(ledger, T0, 0, 1)
    admit(ledger, T1, 0)
    first, other, second = take(ledger), take(ledger), take(ledger)
    ledger.settle(first, DONE)
    ledger.refuse(the_offer(ledger))
    with pytest.raises(Cancelled, match="ownership lost"):
        second.cancellation.check()
    other.cancellation.check()


def test_a_partition_that_is_opened_over_itself_has_one_turn() -> None:
    """Opened while it is held, a partition begins anew: what was at work is cancelled and nothing of it published."""
    ledger: Ledger = a_ledger(T0)
    admit(ledger, T0, 0)
    ticket = take(ledger)
    ledger.open([T0])
    ledger.begin(T0, None)
    with pytest.raises(Cancelled):
        ticket.cancellation.check()
    ledger.settle(ticket, DONE)
    assert ledger.offers(0) == []
    admit(ledger, T0, 0)
    assert take(ledger).lease.is_open
    ledger.close([T0], "revoked")
    assert ledger.next(0) is None


def test_what_waits_behind_a_slow_record_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition whose head takes long gets no turns once so many are unpublished behind it; another's go on."""
    monkeypatch.setattr(module, "MAX_UNPUBLISHED", 3)
    ledger = a_ledger(T0, T1)
    admit(ledger, T0, *range(5))
    slow, *quick = take(ledger), take(ledger), take(ledger)
    for ticket in quick:
        ledger.settle(ticket, DONE)
    assert ledger.next(0) is None
    admit(ledger, T1, 0)
    assert take(ledger).record.partition == 1
    ledger.settle(slow, DONE)
    assert ledger.next(0) is None
    ledger.confirm(the_offer(ledger))
    assert [take(ledger).record.offset for _ in range(2)] == [3, 4]


def test_one_offer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many outcomes of one partition are published in parts, in order, each with the offset that it ends at."""
    monkeypatch.setattr(lease_module, "MAX_OFFERED", 2)
    ledger = a_ledger(T0)
    admit(ledger, T0, *range(5))
    for ticket in [take(ledger) for _ in range(5)]:
        ledger.settle(ticket, DONE)
    parts = []
    while offers := ledger.offers(0):
        ledger.confirm(offers[0])
        parts.append((len(offers[0].settled), offers[0].commit.position.offset))
    assert parts == [(2, 2), (2, 4), (1, 5)]
    assert ledger.is_quiet()


def test_a_start_that_was_not_begun_does_not_count() -> None:
    """Cancelled while its note waits to be committed, a record is charged nothing, then or later."""
    ledger = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1}}'))
    admit(ledger, T0, 0)
    ticket = take(ledger)
    ticket.cancellation.cancel("user")
    with pytest.raises(Cancelled):
        ledger.note_start(ticket)
    assert ledger.starts(ticket) == 1
    assert ledger.offers(0) == []


def test_a_start_takes_along_what_other_partitions_have_to_forget() -> None:
    """What ended just before a start is forgotten in the start's transaction, so that its crash charges nobody else."""
    ledger = a_ledger(T0, committed=Position(offset=0, note='{"starts": {"0": 1}}'))
    ledger.open([T1])
    ledger.begin(T1, None)
    admit(ledger, T0, 0)
    admit(ledger, T1, 0)
    good, killer = take(ledger), take(ledger)
    ledger.forget_start(good, within_s=3600)
    assert ledger.offers(0) == []
    noting = threading.Thread(target=ledger.note_start, args=(killer,))
    noting.start()
    wait_for(lambda: ledger.starts(killer))
    offers = {offer.commit.partition: offer for offer in ledger.offers(0)}
    assert (offers[T0].commit.position.note, offers[T1].commit.position.note) == ("", '{"starts": {"0": 1}}')
    ledger.confirm(offers[T1])
    noting.join(20)
    assert not noting.is_alive()
