"""What waits, what is due, and what is committed of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from consumer.core.model import TopicPartition
from consumer.core.ports import Position
from consumer.webhooks.deliveries import Deliveries, Delivery
from consumer.webhooks.notices import Notice
from consumer.webhooks.policy import RetryPolicy
from consumer.webhooks.sending import Attempt, Outcome
from consumer.webhooks.window import MOST_OPEN

PLACE, OTHER = TopicPartition("separation.results", 0), TopicPartition("separation.results", 1)
POLICY = RetryPolicy(first_wait_s=5.0, longest_wait_s=3600.0, give_up_after_s=259_200.0)
DELIVERED, FAILED = Attempt(outcome=Outcome.DELIVERED), Attempt(outcome=Outcome.FAILED, reason="it answered 500")


@dataclass(slots=True)
class TurnedClock:
    at_s: float = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at_s, UTC)


def a_notice(offset: int) -> Notice:
    return Notice(webhook_id=f"separation.results-0-{offset}", tenant="acme", body=b"{}")


class Told:
    """Deliveries of one partition, from its first record on."""

    def __init__(self, policy: RetryPolicy = POLICY) -> None:
        self.clock = TurnedClock()
        self.deliveries = Deliveries(policy, self.clock)
        self.deliveries.assigned({PLACE: Position(offset=0)})

    def read(self, *offsets: int, mine: bool = True) -> None:
        for offset in offsets:
            notice = a_notice(offset) if mine else None
            self.deliveries.read(PLACE, offset, notice, created_ms=round(self.clock.at_s * 1000))

    def begin(self, count: int = 100) -> dict[int, Delivery]:
        return {delivery.offset: delivery for delivery in self.deliveries.begin(count)}


def test_records_are_delivered_side_by_side_and_committed_in_order() -> None:
    """The offset stays at the first that is not delivered; all behind it is in the notes, and none is due twice."""
    told = Told()
    told.read(0, 1, 2)
    told.read(3, mine=False)
    begun = told.begin(2)
    assert list(begun) == [0, 1]
    assert list(told.begin()) == [2]
    told.deliveries.settle(begun[1], DELIVERED)
    position = told.deliveries.positions()[PLACE]
    assert position.offset == 0
    assert told.deliveries.positions() == {}, "nothing has changed since"
    after = Deliveries(POLICY, told.clock)
    after.assigned({PLACE: position})
    for offset in range(5):
        after.read(PLACE, offset, a_notice(offset), created_ms=0)
    assert [delivery.offset for delivery in after.begin(100)] == [0, 2, 4]


def test_waits_double_and_end() -> None:
    """From 5 s to an hour, for three days; then the record is given up, and the offset goes on."""
    told = Told()
    told.read(7)
    waits: list[float] = []
    outcome = Outcome.FAILED
    while outcome is Outcome.FAILED:
        [delivery] = told.begin().values()
        outcome = told.deliveries.settle(delivery, FAILED)
        waits.append(delivery.due_at_s - told.clock.at_s)
        told.clock.at_s = max(delivery.due_at_s, told.clock.at_s)
    assert outcome is Outcome.GIVEN_UP
    assert waits[0] == 5.0
    assert waits[:-1] == sorted(waits[:-1])
    assert max(waits) == 3600.0
    assert all(4.0 < before <= 3600.0 for before in waits[:-1])
    assert 70 <= len(waits) <= 95, "about one an hour for three days"
    assert told.deliveries.positions()[PLACE] == Position(offset=8)


@pytest.mark.parametrize(("asked_s", "waited_s"), [(0.0, 5.0), (60.0, 60.0), (1e9, 3600.0)])
def test_a_receiver_s_wait_is_heard_within_bounds(asked_s: float, waited_s: float) -> None:
    """`Retry-After` makes a wait longer, never shorter, and never longer than the longest."""
    told = Told()
    told.read(0)
    [delivery] = told.begin().values()
    told.deliveries.settle(delivery, Attempt(outcome=Outcome.FAILED, retry_after_s=asked_s))
    assert delivery.due_at_s - told.clock.at_s == waited_s


def test_a_receiver_that_is_back_gets_all_that_waits() -> None:
    """After an outage one success makes the others due; a few that always fail are not tried at each success."""
    told = Told()
    told.read(*range(10))
    for delivery in told.begin().values():
        told.deliveries.settle(delivery, FAILED)
    told.clock.at_s += 3
    assert told.begin() == {}
    told.read(10)
    [first] = told.begin().values()
    told.deliveries.settle(first, DELIVERED)
    again = told.begin()
    assert sorted(again) == list(range(10))
    for offset, delivery in again.items():
        told.deliveries.settle(delivery, FAILED if offset < 2 else DELIVERED)
    told.read(*range(11, 50))
    for delivery in told.begin().values():
        assert delivery.offset > 10
        told.deliveries.settle(delivery, DELIVERED)
    assert told.begin() == {}


def test_memory_is_bounded() -> None:
    """A partition is full at so many that wait, and has room again when one is delivered."""
    told = Told()
    told.read(*range(MOST_OPEN - 1))
    assert not told.deliveries.is_full(PLACE)
    told.read(MOST_OPEN)
    assert told.deliveries.is_full(PLACE)
    assert not told.deliveries.is_full(OTHER)
    told.deliveries.settle(told.begin(1)[0], DELIVERED)
    assert not told.deliveries.is_full(PLACE)


def test_what_another_has_now_is_forgotten() -> None:
    """And committed for the last time; an attempt that ends afterwards changes nothing, whoever has the partition."""
    told = Told()
    told.read(0, 1)
    begun = told.begin()
    told.deliveries.settle(begun[0], DELIVERED)
    assert told.deliveries.released([PLACE, OTHER])[PLACE].offset == 1
    assert len(told.deliveries) == 0
    told.deliveries.settle(begun[1], DELIVERED)
    told.deliveries.end(begun[1], "0" * 16)
    assert told.deliveries.positions() == {}
    told.deliveries.assigned({PLACE: Position(offset=1)})
    told.read(1)
    told.deliveries.settle(begun[1], DELIVERED)
    assert len(told.deliveries) == 1, "that was an earlier membership's attempt"


def test_a_commit_that_failed_is_tried_again() -> None:
    """Until it is taken."""
    told = Told()
    told.read(0, mine=False)
    assert told.deliveries.positions() == {PLACE: Position(offset=1)}
    told.deliveries.not_committed([PLACE])
    assert told.deliveries.positions() == {PLACE: Position(offset=1)}


def test_gone_is_in_the_notes_and_goes_with_the_next_commit() -> None:
    """Whoever comes after knows of it; once something else is committed, nobody does."""
    told = Told()
    told.read(0)
    [delivery] = told.begin().values()
    assert told.deliveries.settle(delivery, Attempt(outcome=Outcome.GONE)) is Outcome.GONE
    told.deliveries.end(delivery, "f" * 16)
    position = told.deliveries.positions()[PLACE]
    assert position.offset == 0
    assert "f" * 16 in position.offset_metadata
    after = Deliveries(POLICY, told.clock)
    after.assigned({PLACE: position})
    assert "f" * 16 not in after.positions()[PLACE].offset_metadata


def test_the_oldest_is_told() -> None:
    """By the records' own times."""
    told = Told()
    seen = [told.deliveries.oldest_ms]
    told.read(0)
    told.clock.at_s += 10
    told.read(1)
    seen.append(told.deliveries.oldest_ms)
    told.deliveries.settle(told.begin(1)[0], DELIVERED)
    seen.append(told.deliveries.oldest_ms)
    assert seen == [None, 1_800_000_000_000, 1_800_000_010_000]
