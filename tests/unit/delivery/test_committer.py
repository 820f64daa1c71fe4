import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced, TopicUnavailable
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import Commit, Position
from consumer.delivery.assignment import PendingCommit
from consumer.delivery.committer import Committer
from harness.clock import ManualClock
from harness.delivery import UNTRACED, Parts, admit, take
from harness.fakes import FakeBroker, FakeOutbox, FakeSource, a_record, a_retry_state

TOPICS = ("t0", "t1")


class Harness:
    """A dispatcher with one settled record in each of two partitions, and a committer over an outbox with a script."""

    def __init__(self, *script: Exception | None, applies_first: bool = False) -> None:
        self.broker = FakeBroker(*TOPICS)
        self.source = FakeSource(self.broker)
        self.outbox = FakeOutbox(self.broker, *script, applies_first=applies_first)
        delivery = Parts()
        self.dispatcher, self.assignments, self.queue = (
            delivery.dispatcher,
            delivery.assignments,
            delivery.commit_queue,
        )
        self.observed: list[PendingCommit] = []
        self.committer = Committer(self.queue, self.outbox, self.source, self.observed.append, retry_s=0.001)
        for topic in TOPICS:
            record = a_record(topic=topic)
            self.assignments.open([record.topic_partition])
            self.assignments.begin(record.topic_partition, None)
            self.dispatcher.admit(record, a_retry_state(record))
        for _ in TOPICS:
            attempt = self.dispatcher.next(0)
            assert attempt
            self.dispatcher.complete(attempt, Done(result=Message(topic="results", key=None, value=b"v")), UNTRACED)

    def publish(self) -> None:
        with capture_logs():
            self.committer.publish(self.queue.pending(0))

    @property
    def committed(self) -> dict[str, int]:
        return {partition.topic: position.offset for partition, position in self.broker.committed.items()}

    @property
    def counted(self) -> list[str]:
        return sorted(pending.assignment.partition.topic for pending in self.observed)


def test_all_that_is_ready_goes_into_one_transaction() -> None:
    """Several partitions' outcomes are published and committed together, and each is told of once."""
    harness = Harness()
    harness.publish()
    assert len(harness.broker.transactions) == 1
    assert harness.committed == {"t0": 1, "t1": 1}
    assert harness.counted == ["t0", "t1"]
    assert harness.queue.pending(0) == []


def test_a_lost_partition_does_not_hold_up_the_others() -> None:
    """Where one partition spoils the transaction, each is published by itself, and the lost one is let go."""
    harness = Harness(OwnershipLost("together"), OwnershipLost("t0 alone"))
    harness.publish()
    assert harness.committed == {"t1": 1}
    assert harness.counted == ["t1"]
    assert list(harness.assignments.take_refused()) == [TopicPartition("t0", 0)]
    assert harness.queue.pending(0) == []


def test_a_broker_that_is_away_is_asked_again() -> None:
    """What could not be published is offered again, and nothing is told of until it is."""
    harness = Harness(BrokerUnavailable("away"))
    harness.publish()
    assert (harness.committed, harness.counted) == ({}, [])
    assert harness.committer.trouble == "away"
    harness.publish()
    assert harness.counted == ["t0", "t1"]
    assert harness.committer.trouble == ""


def test_what_the_outbox_waits_for_is_told_while_it_waits() -> None:
    """A call that goes on for as long as an outage is a trouble too, before anything is raised."""
    harness = Harness()
    assert harness.committer.trouble == ""
    harness.outbox.waits_for = "coordinator is away"
    assert harness.committer.trouble == "coordinator is away"


@pytest.mark.parametrize("went_through", [True, False])
def test_a_fenced_producer_learns_what_became_of_its_transaction(went_through: bool) -> None:
    """After a fence the committed positions decide: what went through is not published again, what did not is."""
    harness = Harness(ProducerFenced("fenced"), applies_first=went_through)
    harness.broker.committed = {
        TopicPartition(topic, 0): Position(offset=0, offset_metadata="earlier") for topic in TOPICS
    }
    harness.publish()
    assert harness.counted == (["t0", "t1"] if went_through else [])
    harness.publish()
    assert harness.counted == ["t0", "t1"]
    assert len(harness.broker.published) == 2


def test_the_fate_of_a_transaction_is_waited_for() -> None:
    """While the committed positions can't be learnt, nothing is assumed; a stop ends the wait."""
    harness = Harness(ProducerFenced("fenced"), applies_first=True)
    harness.source.away = BrokerUnavailable("away")
    thread = threading.Thread(target=harness.publish)
    thread.start()
    assert harness.counted == []
    harness.source.away = None
    thread.join(60)
    assert harness.counted == ["t0", "t1"]
    harness = Harness(ProducerFenced("fenced"))
    harness.source.away = BrokerUnavailable("away")
    harness.committer.stop()
    harness.publish()
    assert harness.counted == []


def test_it_runs_until_it_is_stopped() -> None:
    """The committer publishes what becomes ready, in a thread of its own, and ends when it is told to."""
    harness = Harness()
    thread = threading.Thread(target=harness.committer.run)
    thread.start()
    harness.broker.wait_for(lambda: harness.committed == {"t0": 1, "t1": 1})
    harness.committer.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert harness.counted == ["t0", "t1"]


def test_life_shows_as_long_as_calls_return() -> None:
    """The sign of life changes with every call and every turn, and stands still in a call that never returns."""
    harness = Harness()
    entered, leave = threading.Event(), threading.Event()

    def hang(commits: object) -> None:
        harness.outbox.calls += 1
        entered.set()
        leave.wait(60)

    before = harness.committer.sign_of_life()
    harness.outbox.publish = hang  # type: ignore[method-assign]
    thread = threading.Thread(target=harness.committer.run)
    thread.start()
    assert entered.wait(60)
    during = harness.committer.sign_of_life()
    assert during != before
    assert harness.committer.sign_of_life() == during
    harness.committer.stop()
    leave.set()
    thread.join(60)
    assert not thread.is_alive()


class RefusingOutbox(FakeOutbox):
    """Takes no message whose value is in `refused`, nor anything that goes with it."""

    refused: frozenset[bytes] = frozenset()
    tried: int = 0

    def publish(self, commits: Sequence[Commit]) -> None:
        self.tried += 1
        if any(message.value in self.refused for commit in commits for message in commit.messages):
            raise TopicUnavailable("topic letters: takes nothing")
        self.broker.apply(commits)


class Refusing:
    """A committer over partitions of one topic, whose records' outcomes have these values, and a clock to turn."""

    def __init__(self, refused: bytes, *values: Sequence[bytes]) -> None:
        self.clock = ManualClock()
        self.broker = FakeBroker("t", partitions=len(values))
        self.outbox = RefusingOutbox(self.broker)
        self.outbox.refused = frozenset({refused})
        self.parts = Parts()
        source = FakeSource(self.broker)
        self.committer = Committer(
            self.parts.commit_queue, self.outbox, source, lambda _: None, retry_s=0.001, clock=self.clock
        )
        for number, outcomes in enumerate(values):
            place = TopicPartition("t", number)
            self.parts.assignments.open([place])
            self.parts.assignments.begin(place, None)
            admit(self.parts, place, *range(len(outcomes)))
            for value in outcomes:
                self.complete(value)

    def complete(self, value: bytes) -> None:
        self.parts.dispatcher.complete(
            take(self.parts), Done(result=Message(topic="results", key=None, value=value)), UNTRACED
        )

    def step(self, times: int = 1) -> list[Any]:
        with capture_logs() as logs:
            for _ in range(times):
                self.committer.step(0)
        return logs

    @property
    def published(self) -> set[bytes | None]:
        return {message.value for message in self.broker.published}


def test_what_one_topic_refuses_keeps_no_other_partition_waiting() -> None:
    """All others are published; the line and the trouble name the topic; later work of others goes on too."""
    world = Refusing(b"bad", [b"a"], [b"bad"], [b"b"])
    [line] = world.step()
    assert world.published == {b"a", b"b"}
    assert (line["event"], line["partition"]) == ("publish.blocked", TopicPartition("t", 1))
    assert line["reason"] == world.committer.trouble == "topic letters: takes nothing"
    admit(world.parts, TopicPartition("t", 0), 1)
    world.complete(b"c")
    world.step()
    assert world.published == {b"a", b"b", b"c"}
    assert len(world.broker.transactions) == 3
    assert world.committer.trouble == "topic letters: takes nothing"


def test_what_comes_before_it_in_its_partition_is_published() -> None:
    """Outcomes of the same partition are tried one by one: those before the culprit go on, those behind it wait."""
    world = Refusing(b"bad", [b"a", b"b", b"bad", b"c"])
    for _ in range(4):
        world.step()
        world.clock.advance(60)
    assert [message.value for message in world.broker.published] == [b"a", b"b"]
    world.outbox.refused = frozenset()
    world.clock.advance(60)
    world.step(3)
    assert [message.value for message in world.broker.published] == [b"a", b"b", b"bad", b"c"]
    assert world.committer.trouble == ""


def test_a_culprit_is_tried_ever_less_often_and_others_are_not() -> None:
    """After each refusal twice as long, half a minute at most; the first try after it is mended ends the trouble."""
    world = Refusing(b"bad", [b"bad"])
    world.step()
    waits: list[float] = []
    while len(waits) < 20:
        tried, waited_s = world.outbox.tried, 0.0
        while world.outbox.tried == tried:
            world.clock.advance(0.001 if waited_s < 0.1 else 0.1)
            waited_s += 0.001 if waited_s < 0.1 else 0.1
            world.step()
        waits.append(waited_s)
    assert waits == sorted(waits)
    assert 29 < waits[-1] < 31
    world.outbox.refused = frozenset()
    world.clock.advance(31)
    world.step(2)
    assert world.published == {b"bad"}
    assert world.committer.trouble == ""


def test_a_blocked_partition_that_moves_away_is_no_trouble_any_more() -> None:
    """What is another replica's now is neither tried nor told of."""
    world = Refusing(b"bad", [b"a"], [b"bad"])
    world.step()
    assert world.committer.trouble
    world.parts.assignments.close([TopicPartition("t", 1)], "revoked")
    world.step()
    assert world.committer.trouble == ""


class Stopped(threading.Event):
    """A stop whose waits take no time; each notes how long it would have been, and then something happens."""

    def __init__(self, happens: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.waits_s: list[float | None] = []
        self._happens = happens

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_s.append(timeout)
        self._happens()
        return self.is_set()


def test_of_two_partitions_only_the_lost_one_is_let_go() -> None:
    """Whichever of them it is, what was published of the other is told of once, and stays ours."""
    harness = Harness(OwnershipLost("together"), None, OwnershipLost("t1 alone"))
    harness.publish()
    assert harness.committed == {"t0": 1}
    assert harness.counted == ["t0"]
    assert list(harness.assignments.partitions()) == [TopicPartition("t0", 0)]
    assert list(harness.assignments.take_refused()) == [TopicPartition("t1", 0)]


def test_a_broker_that_is_away_is_not_asked_without_a_pause() -> None:
    """Between two attempts it waits as long as it was told to, or until it is stopped."""
    harness = Harness(BrokerUnavailable("away"))
    harness.committer._stopped = stopped = Stopped()
    harness.publish()
    assert stopped.waits_s == [0.001]


def test_while_nobody_tells_what_became_of_a_transaction_that_is_its_trouble() -> None:
    """It asks again after a pause, shows signs of life and what it waits for, and is well once it has an answer."""
    harness = Harness(ProducerFenced("fenced"), applies_first=True)
    harness.source.away = BrokerUnavailable("no answer")
    seen: list[tuple[str, object]] = []

    def meanwhile() -> None:
        seen.append((harness.committer.trouble, harness.committer.sign_of_life()))
        if len(seen) == 3:
            harness.source.away = None

    harness.committer._stopped = stopped = Stopped(meanwhile)
    harness.publish()
    assert stopped.waits_s == [0.001] * 3
    assert [trouble for trouble, _ in seen] == ["no answer"] * 3
    assert len({sign for _, sign in seen}) == 3
    assert harness.committer.trouble == ""
    assert harness.counted == ["t0", "t1"]


def test_what_is_anothers_by_now_is_no_trouble() -> None:
    """Once there is nothing to publish any more nothing keeps it from being published; idle turns are signs of life."""
    harness = Harness(BrokerUnavailable("away"))
    harness.publish()
    assert harness.committer.trouble == "away"
    harness.assignments.close(list(harness.assignments.partitions()), "revoked")
    signs: list[object] = []
    pending = harness.queue.pending

    def turn(timeout_s: float, **options: Any) -> Sequence[PendingCommit]:
        signs.append(harness.committer.sign_of_life())
        if len(signs) == 3:
            harness.committer.stop()
        return pending(0, **options)

    harness.queue.pending = turn  # type: ignore[method-assign]
    harness.committer.run()
    assert harness.committer.trouble == ""
    assert len(set(signs)) == 3
