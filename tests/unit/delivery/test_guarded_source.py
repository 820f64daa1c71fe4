"""What is committed before a partition is read, and how one is read that replicas died over."""

import threading
from collections.abc import Callable, Sequence

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable, OwnershipLost
from consumer.core.model import Done, Message, Record, TopicPartition
from consumer.core.ports import Commit, EndOfPartition, Position
from consumer.delivery.assignments import Assignments
from consumer.delivery.delivery import DeliveryPolicy, make_delivery
from consumer.delivery.poll_loop import PollPolicy, Subscription
from consumer.delivery.start_counts import parse_reading
from harness.clock import ManualClock
from harness.delivery import UNTRACED
from harness.fakes import FakeBroker, FakeOutbox, FakeSource

T0, T1, T2 = (TopicPartition("requests", number) for number in range(3))
ALL = (T0, T1, T2)
DONE = Done(result=Message(topic="results", key=None, value=b"v"))
FRESH = '{"reading": 1, "fresh": true}'


class NotingSource(FakeSource):
    """Takes note of which partitions it could have fetched, and of what is read one by one."""

    def __init__(self, broker: FakeBroker) -> None:
        super().__init__(broker)
        self.fetched: set[TopicPartition] = set()
        self.read: list[tuple[TopicPartition, int]] = []
        self.silent: set[TopicPartition] = set()
        self.unreadable: set[TopicPartition] = set()
        self.leaderless: set[TopicPartition] = set()
        self.unseekable = False
        self.begins: dict[TopicPartition, int] = {}
        self.ends: dict[TopicPartition, int] = {}
        self.asked_for_ends = 0
        self.handed_out: list[tuple[TopicPartition, int]] = []
        self.timeouts_s: list[float] = []

    def beginning(self, partition: TopicPartition) -> int:
        return self.begins.get(partition, super().beginning(partition))

    def end(self, partition: TopicPartition) -> int:
        self.asked_for_ends += 1
        if partition in self.leaderless:
            raise BrokerUnavailable("no leader")
        return self.ends.get(partition, super().end(partition))

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        self.fetched |= set(self.positions) - self.paused
        self.timeouts_s.append(timeout_s)
        event = super().poll(0.0)
        if isinstance(event, Record):
            self.handed_out.append((event.topic_partition, event.offset))
        return event

    def read_one(self, partition: TopicPartition, offset: int, timeout_s: float) -> Record | EndOfPartition | None:
        self.read.append((partition, offset))
        if partition in self.unreadable:
            raise BrokerUnavailable("bad compression")
        return None if partition in self.silent else super().read_one(partition, offset, timeout_s)

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        if self.unseekable:
            raise BrokerUnavailable("not yet")
        return super().rewind(partition, offset)


class Harness:
    """A replica's delivery over a broker in memory, and what it commits, one turn after the other."""

    def __init__(self, **committed: str) -> None:
        self.broker, self.clock = FakeBroker("requests", partitions=len(ALL)), ManualClock()
        self.broker.log_ids.clear()  # as of a broker that gives none
        self.commits_while_waiting = False
        self.tried: list[Record] = []
        for name, told in committed.items():
            self.broker.committed[TopicPartition("requests", int(name[1:]))] = Position(offset=0, offset_metadata=told)
        self.wire()

    def wire(self) -> None:
        """Another replica takes the place of the one before, which has died."""
        self.source, self.outbox = NotingSource(self.broker), FakeOutbox(self.broker)
        self.broker._owners.clear()
        subscription = Subscription(
            topics=["requests"], retry_topics=[], max_retry_delay_s=0.0, try_out=self.tried.append
        )
        delivery = make_delivery(
            self.source, self.outbox, subscription, lambda pending: None,
            policy=DeliveryPolicy(poll=PollPolicy(revoke_grace_s=0.0, pause_above=4, resume_below=2)),
            assignments=Assignments(clock=self.clock, wait=self.wait),
        )  # fmt: skip
        self.loop, self.dispatcher, self.committer = delivery.poll_loop, delivery.dispatcher, delivery.committer
        self.assignments, self.guard = delivery.assignments, delivery.poll_loop._source
        self.reading_counter, self.stop = delivery.reading_counter, delivery.poll_loop._on_stop

    def wait(self, changed: threading.Condition, condition: Callable[[], object], timeout_s: float) -> object:
        """There is one thread here: if anything happens while it waits, the committer's turn does."""
        if self.commits_while_waiting:
            self.commits_while_waiting = False
            self.committer.step(0.0)
        return condition()

    def send(self, place: TopicPartition, count: int = 1) -> None:
        for _ in range(count):
            self.broker.send(place.topic, b"v", partition=place.partition)

    def join(self) -> None:
        with capture_logs():
            self.guard.subscribe(["requests"], self.loop)

    def steps(self, count: int = 1) -> None:
        with capture_logs():
            for _ in range(count):
                self.loop.step(0.0)

    def commit(self) -> list[Commit]:
        """What the committer would do next; returns that transaction."""
        before = len(self.broker.transactions)
        self.committer.step(0.0)
        return [commit for commits in self.broker.transactions[before:] for commit in commits]

    def turns(self, count: int = 12) -> None:
        """Poll and commit, so often; no time passes."""
        for _ in range(count):
            self.steps()
            self.commit()

    def work(self) -> Record:
        attempt = self.dispatcher.next(0.0)
        assert attempt
        self.dispatcher.complete(attempt, DONE, UNTRACED)
        return attempt.record

    def committed(self, place: TopicPartition) -> tuple[int, str]:
        position = self.broker.committed[place]
        return position.offset, position.offset_metadata


def test_nothing_is_fetched_before_it_is_committed_that_it_will_be() -> None:
    """One transaction for all partitions, at the offsets where they stand; only after it is any of them fetched."""
    harness = Harness(p1="")
    harness.broker.committed[T1] = Position(offset=1)
    harness.send(T1, 2)
    harness.join()
    harness.steps(3)
    assert harness.source.fetched == set()
    commits = harness.commit()
    assert {commit.partition: commit.position for commit in commits} == {
        T0: Position(offset=0, offset_metadata=FRESH),
        T1: Position(offset=1, offset_metadata='{"reading": 1}'),
        T2: Position(offset=0, offset_metadata=FRESH),
    }
    harness.steps(4)
    assert harness.source.fetched == set(ALL)
    assert harness.work().offset == 1
    assert [record.offset for record in harness.tried] == [1], "the first is tried out, before it is handed on"


def test_what_came_through_is_forgotten_with_an_outcome_or_a_second_later() -> None:
    """A partition with a record forgets with its outcome, without a commit of its own; the others within a second."""
    harness = Harness()
    harness.send(T0)
    harness.join()
    harness.turns(6)
    assert [harness.committed(place) for place in ALL] == [(0, FRESH)] * 3
    harness.work()
    [commit] = harness.commit()
    assert (commit.partition, commit.position, len(commit.messages)) == (T0, Position(offset=1), 1)
    harness.clock.advance(0.9)
    harness.steps(1)
    assert harness.commit() == []
    harness.clock.advance(0.1)
    harness.steps(1)
    assert {commit.partition for commit in harness.commit()} == {T1, T2}
    assert [harness.committed(place) for place in ALL] == [(1, ""), (0, ""), (0, "")]


@pytest.mark.parametrize("reads", [0, 1], ids=["announced", "reading"])
@pytest.mark.parametrize("ends", ["stop", "revoke"])
def test_an_end_in_good_order_takes_it_back(reads: int, ends: str) -> None:
    """What was found is committed again, and the next replica reads as if this one had never begun."""
    harness = Harness(p0='{"starts": {"3": 1}}', p1="", p2="")
    harness.join()
    harness.steps(2)
    assert harness.commit()
    harness.source.silent = set(ALL)
    for place in ALL:
        harness.source._ends_told[place] = 0  # so nothing comes of them
    harness.steps(reads)
    if ends == "stop":
        harness.stop()
        assert harness.commit()
    else:
        harness.commits_while_waiting = True
        with capture_logs():
            harness.source.revoke(ALL)
    assert [harness.committed(place) for place in ALL] == [(0, '{"starts": {"3": 1}}'), (0, ""), (0, "")]
    harness.steps(3)
    assert harness.commit() == [], "nothing is begun any more"


def test_suspects_come_first_each_alone_and_by_single_records() -> None:
    """While one is probed nothing else is fetched; its second record is read once the first is committed."""
    harness = Harness(p0='{"reading": 1}', p1='{"reading": 2}', p2="")
    for place in ALL:
        harness.send(place, 2)
    harness.join()
    harness.steps(2)
    [commit] = harness.commit()
    assert (commit.partition, commit.position.offset_metadata) == (T0, '{"reading": 2}')
    harness.steps(1)
    assert (harness.source.read, harness.source.fetched) == ([(T0, 0)], set())
    [forgotten] = harness.commit()
    assert forgotten.position == Position(offset=0), "at once: alone it may not be charged for long"
    harness.steps(1)
    assert harness.commit()[0].position.offset_metadata == '{"reading": 3}'
    harness.turns(6)
    assert harness.source.read == [(T0, 0), (T1, 0)]
    assert harness.source.fetched == {T2}
    for _ in range(4):
        harness.work()  # of the suspects one record each, of the other both
    harness.committer.step(0.0)
    assert harness.committed(T0) == harness.committed(T1) == (1, '{"reading": 1}')
    harness.turns(3)
    assert harness.source.read == [(T0, 0), (T1, 0), (T0, 1), (T1, 1)]
    assert harness.source.fetched == {T2}


def test_a_suspect_that_was_read_to_its_end_is_read_as_usual() -> None:
    """From there on, where its records go on; they are counted anew first."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0, 2)
    harness.join()
    for _ in range(2):
        harness.turns(4)
        harness.work()
    harness.source.fetched.clear()
    harness.send(T0, 2)
    assert harness.commit()[0].position == Position(offset=2)
    harness.turns(4)
    assert T0 in harness.source.fetched
    assert [harness.work().offset for _ in range(2)] == [2, 3]
    assert harness.source.read == [(T0, 0), (T0, 1)]


def test_after_three_deaths_a_record_is_given_up_by_its_place() -> None:
    """It is not read once more; the next one is, alone, and is counted from 1."""
    harness = Harness(p0='{"reading": 3}', p1="", p2="")
    harness.send(T0, 2)
    harness.join()
    harness.turns(4)
    given_up = harness.work()
    assert given_up == Record(topic="requests", partition=0, offset=0, reader_deaths=3)
    assert harness.source.read == []
    assert harness.tried == []
    [commit] = harness.commit()
    assert (commit.position, len(commit.messages)) == (Position(offset=1, offset_metadata='{"reading": 1}'), 1)
    harness.steps(1)
    assert harness.source.read == [(T0, 1)]


def test_where_nothing_lies_nobody_died_of_it() -> None:
    """A partition that was read to its end is no suspect, whatever is counted there."""
    harness = Harness(p0='{"reading": 3}', p1="", p2="")
    harness.join()
    harness.turns(4)
    assert harness.source.read == []
    harness.clock.advance(1.0)
    harness.turns(1)
    assert harness.committed(T0) == (0, "")
    assert harness.broker.published == []


def test_what_was_deleted_is_not_given_up() -> None:
    """Where the log begins behind it nothing is left of what killed, and no dead letter names it."""
    harness = Harness(p0='{"reading": 3}', p1="", p2="")
    harness.send(T0, 3)
    harness.source.begins[T0] = 2
    harness.join()
    harness.turns(4)
    assert harness.source.read == [(T0, 2)]
    assert harness.work().reader_deaths == 0


@pytest.mark.parametrize("told", ['{"reading": 1}', '{"reading": 1, "fresh": true}'])
def test_what_kills_where_the_log_begins_by_now_is_given_up(told: str) -> None:
    """A client begins there, whatever older offset is committed; so deaths are counted there, and three are enough."""
    harness = Harness(p0=told, p1="", p2="")
    harness.send(T0, 4)
    harness.source.begins[T0] = 2
    counts = []
    for _ in range(3):  # each dies as it reads
        harness.join()
        harness.steps(2)
        harness.commit()
        counts.append((harness.committed(T0)[0], parse_reading(harness.committed(T0)[1])))
        harness.wire()
        harness.source.begins[T0] = 2
    assert counts == [(2, 1), (2, 2), (2, 3)]
    harness.join()
    harness.turns(4)
    given_up = harness.work()
    assert (given_up.offset, given_up.reader_deaths) == (2, 3)
    assert harness.source.read == []


def test_a_death_over_starts_makes_a_suspect_too() -> None:
    """What was at work may not be what killed; so it is read record by record, for some records."""
    harness = Harness(p0='{"starts": {"0": 1}}', p1="", p2="")
    harness.send(T0, 40)
    harness.join()
    for _ in range(32):
        harness.turns(4)
        harness.work()
    harness.turns(6)
    assert harness.source.read == [(T0, offset) for offset in range(32)]
    assert harness.work().offset == 32
    assert T0 in harness.source.fetched


def test_a_suspect_of_which_nothing_comes_keeps_others_waiting_for_some_seconds() -> None:
    """Then they go on, and it is awaited beside them; what it was charged is taken back after some minutes."""
    harness = Harness(p0='{"reading": 1}', p1='{"reading": 1}', p2="")
    for place in ALL:
        harness.send(place, 1)
    harness.source.silent = {T0}
    harness.join()
    harness.turns(4)
    assert harness.committed(T0) == (0, '{"reading": 2}')
    assert harness.source.fetched == set()
    harness.clock.advance(29.9)
    harness.turns(4)
    assert set(harness.source.read) == {(T0, 0)}
    harness.clock.advance(0.1)
    harness.turns(12)
    assert sorted(harness.work().partition for _ in range(2)) == [1, 2]
    harness.clock.advance(89.9)
    harness.turns(4)
    assert harness.committed(T0) == (0, '{"reading": 2}'), "it may still be unpacked"
    harness.clock.advance(0.1)
    harness.turns(1)
    assert harness.committed(T0) == (0, '{"reading": 1}')
    harness.source.silent.clear()
    harness.turns(12)
    assert harness.work().partition == 0


def test_a_suspect_that_can_not_be_read_charges_nobody_and_keeps_nobody_waiting() -> None:
    """Such as one with a batch that the client can't unpack: it is tried again a little later, and again."""
    harness = Harness(p0='{"reading": 2}', p1="", p2="")
    harness.send(T0)
    harness.send(T1)
    harness.source.unreadable = {T0}
    harness.join()
    for _ in range(3):
        harness.turns(12)
        harness.clock.advance(1.0)
    assert harness.work().partition == 1
    assert harness.committed(T0) == (0, '{"reading": 2}')
    harness.source.unreadable.clear()
    harness.turns(12)
    assert (harness.work().partition, harness.committed(T0)) == (0, (0, ""))


def test_a_suspect_whose_end_nobody_knows_keeps_no_other_waiting() -> None:
    """Such as one without a leader."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0)
    harness.send(T1)
    harness.source.leaderless = {T0}
    harness.join()
    harness.turns(8)
    assert harness.work().partition == 1
    harness.source.leaderless.clear()
    harness.clock.advance(1.0)
    harness.turns(8)
    assert harness.work().partition == 0


def test_a_refused_announcement_of_ours_is_no_death() -> None:
    """The partition is looked at again, and what we had committed ourselves charges nobody."""
    harness = Harness(p0="", p1="", p2="")
    harness.send(T0)
    harness.join()
    harness.turns(2)
    assert harness.committed(T0) == (0, '{"reading": 1}')
    harness.guard.rewind(T0, 0)  # a refused commit comes to this, before anything was read
    harness.assignments.open([T0])
    harness.turns(6)
    assert harness.source.read == []
    assert harness.work().offset == 0


def test_a_commit_that_is_refused_is_announced_again() -> None:
    """As when the partition was away for a moment."""
    harness = Harness(p0="", p1="", p2="")
    harness.send(T0)
    harness.outbox.script.extend([OwnershipLost("t")] * 4)
    harness.join()
    with capture_logs():
        harness.turns(8)
    assert harness.work().offset == 0


def test_brokers_that_are_away_are_asked_again() -> None:
    """Nothing is read until it is known where the group stands."""
    harness = Harness(p0="")
    harness.send(T0)
    harness.source.away = BrokerUnavailable("away")
    harness.join()
    harness.turns(3)
    assert harness.source.fetched == set()
    harness.source.away = None
    harness.turns(3)
    assert harness.source.fetched == set(), "it is not asked at every poll"
    harness.clock.advance(1.0)
    harness.turns(4)
    assert harness.work().offset == 0


def test_a_position_that_can_not_be_set_yet_is_set_later() -> None:
    """Until then the member does not read the partition: it would read from where replicas died."""
    harness = Harness(p0='{"reading": 1}', p1="", p2="")
    harness.send(T0)
    harness.join()
    harness.turns(4)
    harness.work()
    harness.source.unseekable = True
    harness.turns(6)
    assert T0 not in harness.source.fetched
    harness.source.unseekable = False
    harness.turns(4)
    assert T0 in harness.source.fetched
    assert harness.source.positions[T0] == 1


def test_pauses_of_the_poll_loop_and_those_before_reading_are_two_things() -> None:
    """One that the loop had paused when it went stays paused when it comes back, until the loop resumes it."""
    harness = Harness(p0="", p1="", p2="")
    harness.send(T0, 8)
    harness.join()
    harness.turns(12)
    assert T0 in harness.source.paused
    with capture_logs():
        harness.source.revoke([T0])
        harness.source.assign([T0])
    harness.source.fetched.clear()
    harness.steps(1)
    assert T0 not in harness.source.fetched
    harness.turns(6)
    assert [harness.work().offset for _ in range(3)] == [0, 1, 2]


def test_a_partition_whose_position_is_another_log_s_is_read_from_its_beginning() -> None:
    """A commit that came when its topic was made anew already passes nothing over, and its deaths are no record's."""
    harness = Harness()
    harness.broker.log_ids["requests"] = "c:new"
    told = '{"log": "c:old", "reading": 2, "starts": {"2": 3}}'
    harness.broker.committed[T0] = Position(offset=2, offset_metadata=told)
    harness.send(T0, 3)
    harness.join()
    harness.source.positions[T0] = 2  # where the client itself begins
    harness.turns(8)
    assert [harness.work().offset for _ in range(3)] == [0, 1, 2]
    harness.turns(2)
    assert harness.committed(T0) == (3, '{"log": "c:new"}')
    assert harness.source.read == []


def test_a_group_whose_offsets_are_forgotten_stands_where_its_outcomes_say() -> None:
    """An offset that was only committed to count what reads from it is no statement about what is done."""
    harness = Harness()
    harness.send(T0, 5)
    harness.broker.done[T0] = 3
    harness.join()
    harness.steps(2)
    assert harness.commit()
    assert harness.committed(T0) == (0, FRESH)
    harness.wire()
    harness.join()
    harness.turns(12)
    assert harness.work().offset == 3
    harness.commit()
    assert harness.committed(T0) == (4, '{"reading": 1}')


@pytest.mark.parametrize("places", [(), (T0,)])
def test_only_what_is_assigned_is_paused(places: Sequence[TopicPartition]) -> None:
    """A member that gets nothing pauses nothing; a partition that is not ours can't be rewound."""
    harness = Harness()
    harness.guard._listener = harness.loop  # type: ignore[attr-defined]
    with capture_logs():
        harness.guard.assigned(places)  # type: ignore[attr-defined]
    assert harness.source.paused == set(places)
    assert not harness.guard.rewind(T2, 0)
