"""What is told beside an offset is how many replicas in a row died there, however each of them lived and ended."""

from enum import Enum, auto

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.model import TopicPartition
from consumer.core.ports import Position
from consumer.delivery.announcement import Announcement, announcement_of
from consumer.delivery.start_counts import parse_reading
from consumer.testing.broker import MemoryBroker
from consumer.testing.source import MemorySource
from tests.unit.delivery.test_reading_counter import Replica

T0 = TopicPartition("requests", 0)
RECORDS, MAX_DEATHS = 40, 3


class End(Enum):
    """How a replica ends that owns the partition. The first three were begun and ended in good order."""

    STOPPED_AT_ONCE = auto()
    STOPPED = auto()
    TAKEN_AWAY = auto()
    DIED_AT_ONCE = auto()  # before it was committed that it would read
    DIED_READING = auto()
    DIED_UNTOLD = auto()  # it came through, which was not committed yet
    DIED_LATER = auto()  # when that was committed
    DIED_AT_THE_NEXT = auto()  # when its first outcome was committed, before anything came of the next record


def deaths_after(before: int, end: End) -> int:
    """The promise: deaths in a row of those that were about to read and had not come through, three at most."""
    match end:
        case End.STOPPED_AT_ONCE | End.STOPPED | End.TAKEN_AWAY | End.DIED_AT_ONCE:
            return before
        case End.DIED_READING | End.DIED_UNTOLD:
            return min(before + 1, MAX_DEATHS)
        case End.DIED_LATER:
            return 0
        case End.DIED_AT_THE_NEXT:
            return 1 if before else 0  # of a suspect the next record is counted beforehand, of others none is


class Lives:
    """The replicas that own the partition one after the other, and what is committed of it."""

    def __init__(self) -> None:
        broker = MemoryBroker("requests")
        for _ in range(RECORDS):
            broker.send("requests", b"v")
        self.source = MemorySource(broker)
        self.committed = Position(offset=1)

    def announce(self, replica: Replica, ours: tuple[Position, int] | None = None) -> Announcement:
        announcement = announcement_of(T0, self.committed, self.source, replica.assignments, log_id="", ours=ours)
        replica.counter.announce(announcement, object())
        return announcement

    def commit(self, replica: Replica) -> None:
        for position in replica.commit():
            self.committed = position

    def live(self, end: End, refused: int) -> None:
        """One of them, whose assignment is opened anew so often before it reads: a refused commit comes to that."""
        replica = Replica()
        announcement = self.announce(replica)
        if end is End.DIED_AT_ONCE:
            return
        if end is not End.STOPPED_AT_ONCE:
            self.commit(replica)
            for _ in range(refused):
                replica.assignments.open([T0])
                announcement = self.announce(replica, ours=(self.committed, announcement.deaths))
                self.commit(replica)
            assert replica.counter.announced(T0) == self.committed
        match end:
            case End.STOPPED_AT_ONCE | End.STOPPED:
                replica.counter.stop()
            case End.TAKEN_AWAY:
                replica.assignments.drain([T0], 0.0, "revoked")
            case End.DIED_UNTOLD:
                replica.counter.come_through(T0, announcement.offset, within_s=1.0)
            case End.DIED_LATER:
                replica.counter.come_through(T0, announcement.offset, within_s=0.0)
            case End.DIED_AT_THE_NEXT:
                replica.counter.come_through(T0, announcement.offset, within_s=0.0)
                replica.assignments.begin(T0, self.committed)
                replica.read(announcement.offset)
                replica.finish()
        self.commit(replica)


@given(ends=st.lists(st.tuples(st.sampled_from(End), st.integers(0, 2)), max_size=RECORDS // 2))
def test_the_count_is_of_deaths_in_a_row(ends: list[tuple[End, int]]) -> None:
    """After each life what the next one finds is what the promise says, at the offset where outcomes have come to."""
    lives, deaths, offset = Lives(), 0, 1
    for end, refused in ends:
        lives.live(end, refused)
        deaths = deaths_after(deaths, end)
        offset += end is End.DIED_AT_THE_NEXT
        assert (lives.committed.offset, parse_reading(lives.committed.offset_metadata)) == (offset, deaths)
