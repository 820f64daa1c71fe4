"""What is committed of a partition before it is read, while, and after, and from which thread that is learnt."""

import threading
from collections.abc import Callable

import pytest

from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import EndOfPartition, Position
from consumer.delivery.announcement import Announcement
from consumer.delivery.assignments import Assignments
from consumer.delivery.commit_queue import CommitQueue
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.reading_counter import TELL_WITHIN_S, NextRead, ReadingCounter
from harness.clock import ManualClock
from harness.delivery import UNTRACED
from harness.fakes import a_record, a_retry_state

T0 = TopicPartition("requests", 0)
DONE = Done(result=Message(topic="results", key=None, value=b"v"))


def at(offset: int, told: str = "") -> Position:
    return Position(offset=offset, offset_metadata=told)


class Replica:
    """One partition's deliveries, without threads. committed: as Kafka has it, one after the other."""

    def __init__(self, *, is_assigned: bool = True, changed: threading.Condition | None = None) -> None:
        self.clock = ManualClock(now_s=0.5)  # of a machine that was just switched on
        self.assignments = Assignments(clock=self.clock, wait=lambda changed, condition, timeout_s: condition())
        self.assignments.changed = changed or self.assignments.changed
        if is_assigned:
            self.assignments.open([T0])
        self.counter, self.queue = ReadingCounter(self.assignments), CommitQueue(self.assignments)
        self.dispatcher = Dispatcher(self.assignments, object, max_uncommitted=100)
        self.committed: list[Position] = []

    def announce(self, found: Position | None, offset: int = 7, **fields: int) -> None:
        announcement = Announcement(
            partition=T0, found=found, offset=offset, deaths=fields.get("deaths", 0), is_fresh=found is None,
            careful_until=fields.get("careful_until", 0),
        )  # fmt: skip
        self.counter.announce(announcement, object())

    def commit(self) -> list[Position]:
        """What is due now, which is committed; nothing, or one position."""
        due = self.queue.pending(0.0)
        for pending in due:
            self.queue.confirm(pending)
        positions = [pending.commit.position for pending in due]
        self.committed += positions
        return positions

    def read(self, offset: int) -> None:
        record = a_record(topic="requests", offset=offset)
        self.dispatcher.admit(record, a_retry_state(record))

    def finish(self) -> None:
        attempt = self.dispatcher.next(0.0)
        assert attempt
        self.dispatcher.complete(attempt, DONE, UNTRACED)


@pytest.mark.parametrize(
    ("found", "deaths", "told"),
    [
        (at(7), 0, at(7, '{"reading": 1}')),
        (at(7, '{"reading": 2}'), 2, at(7, '{"reading": 3}')),
        (at(7, '{"starts": {"7": 1}}'), 0, at(7, '{"starts": {"7": 1}, "reading": 1}')),
        (at(7, '{"reading": 2}'), 0, at(7, '{"reading": 1}')),
        (None, 0, at(7, '{"reading": 1, "fresh": true}')),
    ],
)
def test_what_is_announced_is_committed_and_then_it_is_announced(
    found: Position | None, deaths: int, told: Position
) -> None:
    """Not before, and at once, since reading waits for it; starts are kept beside it."""
    replica = Replica()
    replica.announce(found, deaths=deaths)
    assert replica.counter.announced(T0) is None
    assert replica.commit() == [told]
    assert replica.counter.announced(T0) == told
    assert replica.commit() == []


def test_that_an_offset_is_a_statement_by_now_can_wait() -> None:
    """It is told together with what ends this reading, or two seconds later."""
    replica = Replica()
    replica.announce(None, offset=0)
    assert replica.commit() == [at(0, '{"reading": 1, "fresh": true}')]
    replica.assignments.begin(T0, None)
    replica.clock.advance(TELL_WITHIN_S - 0.1)
    assert replica.commit() == []
    replica.clock.advance(0.1)
    assert replica.commit() == [at(0, '{"reading": 1}')]


def test_three_deaths_that_are_told_already_are_announced_as_they_are() -> None:
    """No fourth is counted, so there is nothing to commit."""
    replica = Replica()
    replica.announce(at(7, '{"reading": 3}'), deaths=3)
    assert replica.commit() == []
    assert replica.counter.announced(T0) == at(7, '{"reading": 3}')


def test_what_is_not_ours_is_neither_announced_nor_counted() -> None:
    """It may be taken at any moment, by the thread that does not ask."""
    replica = Replica(is_assigned=False)
    replica.announce(at(7))
    replica.counter.come_through(T0, 7, within_s=0.0)
    replica.counter.take_back(T0)
    assert replica.commit() == []
    assert replica.counter.announced(T0) is None
    assert replica.counter.next_read(T0) is None


def test_a_stopping_replica_announces_nothing_and_takes_back_what_it_has() -> None:
    """What dies from now on was stopped."""
    begun, late = Replica(), Replica()
    begun.announce(at(7, '{"reading": 1}'), deaths=1)
    assert begun.commit() == [at(7, '{"reading": 2}')]
    for replica in (begun, late):
        replica.counter.stop()
    assert begun.commit() == [at(7, '{"reading": 1}')]
    late.announce(at(7))
    assert late.commit() == []
    assert late.counter.announced(T0) is None


def test_a_stop_is_told_at_once_whatever_could_wait() -> None:
    """Within the seconds for which what only forgets may wait, the process may be gone."""
    replica = Replica()
    replica.announce(at(7))
    replica.commit()
    replica.counter.come_through(T0, 7, within_s=60.0)
    replica.counter.stop()
    assert replica.commit() == [at(7)]


def test_what_came_through_is_forgotten_within_the_time_given() -> None:
    """Not before: an outcome may come and forget it on its way."""
    replica = Replica()
    replica.announce(at(7))
    replica.commit()
    replica.counter.come_through(T0, 7, within_s=3.0)
    replica.clock.advance(2.9)
    assert replica.commit() == []
    replica.clock.advance(0.1)
    assert replica.commit() == [at(7)]
    assert replica.counter.announced(T0) is None


def test_what_is_taken_back_is_told_at_once() -> None:
    """Also where the count could have waited."""
    replica = Replica()
    replica.announce(at(7, '{"reading": 2}'), deaths=0)
    replica.counter.take_back(T0)
    assert replica.commit() == [at(7)]


def test_what_is_announced_again_while_it_is_read_keeps_its_place() -> None:
    """A suspect that has come to its end is announced anew: nothing of what is committed and counted is lost."""
    replica = Replica()
    replica.announce(at(7, '{"reading": 1}'), deaths=1, careful_until=8)
    replica.commit()
    replica.counter.come_through(T0, 7, within_s=0.0)
    replica.assignments.begin(T0, at(7, '{"starts": {"7": 1}, "reading": 2}'))
    replica.read(7)
    replica.finish()
    assert replica.commit() == [at(8)]
    replica.announce(at(7, '{"reading": 1}'), offset=8)
    assert replica.commit() == [at(8, '{"reading": 1}')]
    assert replica.counter.announced(T0) == at(8, '{"reading": 1}')


def test_an_announcement_stays_where_it_is_while_outcomes_catch_up() -> None:
    """Records before it are at work: what they commit says nothing of it, and the last of them says it."""
    replica = Replica()
    replica.assignments.begin(T0, at(7))
    replica.read(7)
    replica.read(8)
    replica.announce(at(7), offset=9)
    replica.finish()
    assert replica.commit() == [at(8)]
    assert replica.counter.announced(T0) is None
    replica.finish()
    assert replica.commit() == [at(9, '{"reading": 1}')]
    assert replica.counter.announced(T0) == at(9, '{"reading": 1}')


def a_suspect() -> Replica:
    """The first record of one, at 7, was read and is at work; it is read record by record up to 9."""
    replica = Replica()
    replica.announce(at(7, '{"reading": 1}'), deaths=1, careful_until=9)
    assert replica.counter.next_read(T0) is None, "it is not known yet where it begins"
    replica.commit()
    replica.counter.come_through(T0, 7, within_s=0.0)
    replica.commit()
    replica.assignments.begin(T0, at(7))
    replica.read(7)
    return replica


def test_a_suspect_s_next_record_is_read_once_all_before_it_is_committed() -> None:
    """And with it the count of it; behind the last that is read alone it goes on as usual, without a count."""
    replica = a_suspect()
    assert replica.counter.next_read(T0) is None
    replica.finish()
    assert replica.counter.next_read(T0) is None, "its outcome is not committed yet"
    replica.commit()
    assert replica.counter.next_read(T0) == NextRead(position=at(8, '{"reading": 1}'), is_careful=True)
    replica.counter.come_through(T0, 8, within_s=0.0)
    replica.read(8)
    replica.finish()
    replica.commit()
    assert replica.counter.next_read(T0) == NextRead(position=at(9), is_careful=False)


def test_a_suspect_s_next_record_is_not_read_beyond_a_marker_that_is_not_committed() -> None:
    """A transaction's marker takes an offset, and is no record."""
    replica = a_suspect()
    replica.finish()
    replica.commit()
    replica.counter.come_through(T0, 8, within_s=0.0)
    replica.dispatcher.reach(EndOfPartition(topic_partition=T0, offset=9))
    assert replica.counter.next_read(T0) is None
    assert replica.commit() == [at(9)]
    assert replica.counter.next_read(T0) == NextRead(position=at(9), is_careful=False)


def test_a_suspect_s_next_record_is_not_read_uncounted() -> None:
    """As long as something else is told beside the offset."""
    replica = Replica()
    replica.announce(at(7, '{"reading": 1}'), deaths=1, careful_until=9)
    replica.assignments.begin(T0, at(7, '{"reading": 1}'))
    assert replica.counter.next_read(T0) is None
    replica.commit()
    assert replica.counter.next_read(T0) == NextRead(position=at(7, '{"reading": 2}'), is_careful=True)


def test_where_nothing_is_committed_nothing_is_read_next() -> None:
    """A partition that was begun at its log's beginning has no commit that could count."""
    replica = Replica()
    replica.assignments.begin(T0, None)
    assert replica.counter.next_read(T0) is None


class Noting(threading.Condition):
    """Counts how often it is told of a change."""

    told = 0

    def notify_all(self) -> None:
        self.told += 1
        super().notify_all()


@pytest.mark.parametrize(
    "act",
    [
        lambda counter: counter.come_through(T0, 7, within_s=0.0),
        lambda counter: counter.take_back(T0),
        lambda counter: counter.stop(),
    ],
    ids=["come through", "take back", "stop"],
)
def test_who_commits_hears_of_every_change(act: Callable[[ReadingCounter], None]) -> None:
    """The committer's thread sleeps until something is due."""
    replica = Replica(changed=Noting())
    changed = replica.assignments.changed
    assert isinstance(changed, Noting)
    before = changed.told
    replica.announce(at(7))
    assert changed.told > before
    replica.commit()
    before = changed.told
    act(replica.counter)
    assert changed.told > before
    assert replica.commit() == [at(7)]
