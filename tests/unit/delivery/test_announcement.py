"""What is announced of a partition, from what is committed of it and what lies in its log."""

import pytest

from consumer.core.model import TopicPartition
from consumer.core.ports import Position
from consumer.delivery.announcement import Announcement, announcement_of
from consumer.delivery.assignments import Assignments
from consumer.testing.broker import MemoryBroker
from consumer.testing.source import MemorySource

T0 = TopicPartition("requests", 0)


class Log(MemorySource):
    """One that has only its bounds, and counts how often it is asked for them."""

    def __init__(self, begin: int = 0, end: int = 100) -> None:
        super().__init__(MemoryBroker("requests"))
        self.begin_offset, self.end_offset, self.asked = begin, end, 0

    def beginning(self, partition: TopicPartition) -> int:
        self.asked += 1
        return self.begin_offset

    def end(self, partition: TopicPartition) -> int:
        self.asked += 1
        return self.end_offset


def announced(
    found: Position | None,
    log: Log | None = None,
    *,
    begun_at: int | None = None,
    log_id: str = "",
    ours: tuple[Position, int] | None = None,
) -> Announcement:
    """begun_at: the partition is ours already and was read up to there."""
    assignments = Assignments()
    assignments.open([T0])
    if begun_at is not None:
        assignments.begin(T0, Position(offset=begun_at))
    return announcement_of(T0, found, log or Log(), assignments, log_id=log_id, ours=ours)


def at(offset: int, told: str = "") -> Position:
    return Position(offset=offset, offset_metadata=told)


def test_where_nothing_is_committed_it_is_the_log_s_beginning() -> None:
    """Marked as no statement about what is done."""
    assert announced(None, Log(begin=4)) == Announcement(partition=T0, found=None, offset=4, is_fresh=True)
    assert announced(None).told == ""


def test_what_was_only_committed_to_count_stays_no_statement() -> None:
    """Until an outcome is committed, however many replicas come and go; and its deaths count."""
    found = at(4, '{"reading": 2, "fresh": true}')
    announcement = announced(found, Log(begin=4, end=9))
    assert (announcement.offset, announcement.is_fresh) == (4, True)
    assert (announcement.deaths, announcement.careful_until, announcement.told) == (2, 9, found.offset_metadata)


def test_where_the_group_stands_is_a_statement() -> None:
    """It is read from there, as usual; and the brokers are asked nothing more, which takes time."""
    log = Log()
    found = at(7)
    assert announced(found, log) == Announcement(partition=T0, found=found, offset=7)
    assert log.asked == 0


@pytest.mark.parametrize("told", ["", '{"reading": 1, "fresh": true}'])
@pytest.mark.parametrize("committed", [3, 7])
def test_what_is_being_read_already_goes_on_from_there(told: str, committed: int) -> None:
    """Whatever is committed of it, the offset that was read up to is a statement."""
    announcement = announced(at(committed, told), begun_at=7)
    assert (announcement.offset, announcement.is_fresh) == (7, False)


def test_what_is_being_read_already_without_a_commit_is_no_longer_fresh() -> None:
    """It was begun where its results say, which is a statement."""
    announcement = announced(None, begun_at=7)
    assert (announcement.offset, announcement.is_fresh) == (7, False)


@pytest.mark.parametrize(
    ("told", "deaths", "until"),
    [
        ('{"reading": 1}', 1, 100),
        ('{"reading": 3}', 3, 100),
        ('{"starts": {"7": 1}}', 0, 39),
        ('{"starts": {"7": 1}, "reading": 2}', 2, 100),
        ("not ours", 0, 0),
    ],
)
def test_what_is_told_beside_the_offset_makes_a_suspect(told: str, deaths: int, until: int) -> None:
    """Deaths over reading, or over starts."""
    announcement = announced(at(7, told))
    assert (announcement.offset, announcement.deaths, announcement.careful_until) == (7, deaths, until)


@pytest.mark.parametrize(
    ("begin", "end", "deaths", "until"),
    [
        (0, 7, 0, 0),  # its log ends there
        (0, 5, 0, 0),
        (7, 8, 3, 8),
        (8, 9, 0, 9),  # its log begins behind it: what is left is another record, and is read alone
        (9, 9, 0, 0),
    ],
)
def test_where_nothing_lies_nobody_died_of_it(begin: int, end: int, deaths: int, until: int) -> None:
    """However high its count."""
    announcement = announced(at(7, '{"reading": 3}'), Log(begin, end))
    assert (announcement.deaths, announcement.careful_until) == (deaths, until)


@pytest.mark.parametrize("told", ['{"reading": 3}', '{"starts": {"9": 1}}', '{"reading": 3, "fresh": true}'])
def test_where_the_log_begins_behind_the_offset_it_is_counted_from_there(told: str) -> None:
    """Every client begins there: a record that kills there would never be given up by a count that lies before it."""
    announcement = announced(at(7, told), Log(9, 20))
    assert (announcement.offset, announcement.deaths, announcement.careful_until) == (9, 0, 20)


def test_a_partition_that_is_being_read_is_looked_at_from_where_it_stands() -> None:
    """What is committed may lie before the log's beginning by then."""
    announcement = announced(at(3, '{"reading": 2}'), Log(5, 20), begun_at=7)
    assert (announcement.offset, announcement.careful_until) == (7, 20)


@pytest.mark.parametrize(
    ("found", "deaths"),
    [
        (at(7, '{"reading": 2}'), 1),  # what this replica committed last: it lives, so only those before it died
        (at(7, '{"reading": 3}'), 3),  # another came in between, and died
        (at(8, '{"reading": 2}'), 2),
        (None, 0),
    ],
)
def test_this_replica_s_own_announcement_is_no_death(found: Position | None, deaths: int) -> None:
    """As long as it is what is committed."""
    assert announced(found, ours=(at(7, '{"reading": 2}'), 1)).deaths == deaths


def test_this_replica_s_first_announcement_makes_no_suspect() -> None:
    """It was alone, and nobody had died before."""
    found = at(7, '{"reading": 1}')
    announcement = announced(found, ours=(found, 0))
    assert (announcement.deaths, announcement.careful_until) == (0, 0)


@pytest.mark.parametrize("told", ["", ', "fresh": true', ', "reading": 2', ', "starts": {"3": 1}'])
def test_what_is_committed_of_another_log_says_nothing(told: str) -> None:
    """Neither where to read from, nor what died there; but it is there, and to be replaced."""
    found = at(3, '{"log": "c:old"' + told + "}")
    announcement = announced(found, Log(begin=0, end=9), log_id="c:new")
    assert announcement == Announcement(partition=T0, found=found, log_id="c:new", offset=0, is_fresh=True)
    assert announcement.is_another_logs
    assert announcement.told == ""


@pytest.mark.parametrize("told", ["", '{"log": ""}', '{"log": 7}', '{"log": "c:now"}', '{"log": "other:old"}', "c:old"])
def test_what_is_committed_of_this_log_or_of_none_stays_true(told: str) -> None:
    """Also what a mirror of the group handed on from another cluster: it was translated for this log."""
    announcement = announced(at(3, told), Log(begin=0, end=9), log_id="c:now")
    assert (announcement.offset, announcement.is_fresh, announcement.is_another_logs) == (3, False, False)
    assert announced(at(3, '{"log": "c:old"}')).offset == 3  # where nobody gives ids
