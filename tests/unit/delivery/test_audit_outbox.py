"""An audit topic that takes nothing, where that need not stop work: what is published, counted and told."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced, TopicUnavailable
from consumer.core.model import Message, TopicPartition
from consumer.core.ports import Commit, Position
from consumer.delivery.audit_outbox import RETRY_S, OptionalAuditOutbox
from harness.clock import ManualClock


def a_commit(*events: bytes, outcome: bytes = b"result") -> Commit:
    return Commit(
        partition=TopicPartition("requests", 0),
        position=Position(offset=1),
        membership=object(),
        messages=(Message(topic="results", key=None, value=outcome),),
        audit=tuple(Message(topic="audit", key=None, value=event) for event in events),
    )


class Topics:
    """An outbox whose topics may each take nothing; `raises` is what happens instead of the next calls."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.raises: list[Exception] = []
        self.published: list[bytes | None] = []
        self.calls, self.waits_for = 0, ""
        self.opened_for_s, self.is_closed = 0.0, False

    def open(self, timeout_s: float) -> None:
        self.opened_for_s = timeout_s

    def close(self) -> None:
        self.is_closed = True

    def publish(self, commits: Sequence[Commit]) -> None:
        self.calls += 1
        if self.raises:
            raise self.raises.pop(0)
        messages = [message for commit in commits for message in commit.published]
        for message in messages:
            if message.topic in self.missing:
                raise TopicUnavailable(f"topic {message.topic}: unknown")
        self.published += [message.value for message in messages]


class World:
    def __init__(self) -> None:
        self.topics, self.lost = Topics(), 0
        self.clock = ManualClock(now_s=0.5)  # of a machine that was just switched on
        self.outbox = OptionalAuditOutbox(self.topics, self._lose, clock=self.clock)

    def _lose(self, count: int) -> None:
        self.lost += count


@pytest.fixture
def world() -> World:
    return World()


def test_while_the_topic_takes_them_nothing_is_lost(world: World) -> None:
    """One transaction has all of it."""
    world.outbox.publish([a_commit(b"e1"), a_commit(b"e2")])
    assert world.topics.published == [b"result", b"e1", b"result", b"e2"]
    assert (world.topics.calls, world.lost, world.outbox.trouble) == (1, 0, "")


def test_outcomes_go_on_without_what_the_topic_does_not_take(world: World) -> None:
    """The events are counted, each once, and the reason is told."""
    world.topics.missing = {"audit"}
    with capture_logs() as logs:
        world.outbox.publish([a_commit(b"e1", b"e2"), a_commit(b"e3")])
    assert world.topics.published == [b"result", b"result"]
    assert world.lost == 3
    assert world.outbox.trouble == "topic audit: unknown"
    assert [(line["event"], line["count"]) for line in logs] == [("audit.lost", 3)]


def test_it_is_tried_again_when_it_is_due_and_not_before(world: World) -> None:
    """In between nothing waits for a topic that is not there."""
    world.topics.missing = {"audit"}
    world.outbox.publish([a_commit(b"e1")])
    world.clock.advance(RETRY_S / 2)
    world.outbox.publish([a_commit(b"e2")])
    assert (world.topics.calls, world.lost) == (3, 2)
    world.topics.missing = set()
    world.clock.advance(RETRY_S / 2)
    with capture_logs() as logs:
        world.outbox.publish([a_commit(b"e3")])
    assert (world.topics.published[-1], world.lost, world.outbox.trouble) == (b"e3", 2, "")
    assert [line["event"] for line in logs] == ["audit.taken_again"]


def test_another_topic_s_refusal_loses_no_event(world: World) -> None:
    """It is told as it is, since the outcome can't be published either; the event goes with it later."""
    world.topics.missing = {"results"}
    with pytest.raises(TopicUnavailable, match="topic results"):
        world.outbox.publish([a_commit(b"e1")])
    assert (world.lost, world.outbox.trouble) == (0, "")
    world.topics.missing = set()
    world.outbox.publish([a_commit(b"e1")])
    assert world.topics.published == [b"result", b"e1"]


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), OwnershipLost("gone"), ProducerFenced("fenced")])
def test_whatever_else_goes_wrong_is_not_the_topic_s(world: World, error: Exception) -> None:
    """It is the committer's to deal with, and nothing is tried without events."""
    world.topics.raises = [error]
    with pytest.raises(type(error)):
        world.outbox.publish([a_commit(b"e1")])
    assert (world.topics.calls, world.lost, world.outbox.trouble) == (1, 0, "")


@pytest.mark.parametrize(("error", "lost"), [(ProducerFenced("fenced"), 1), (BrokerUnavailable("away"), 0)])
def test_what_may_have_been_published_without_events_counts(world: World, error: Exception, lost: int) -> None:
    """After a fenced producer nobody knows; after an abort it is known that nothing happened."""
    world.topics.raises = [TopicUnavailable("topic audit: unknown"), error]
    with pytest.raises(type(error)):
        world.outbox.publish([a_commit(b"e1")])
    assert world.lost == lost


def test_positions_alone_say_nothing_of_the_topic(world: World) -> None:
    """A commit without events goes through as it is, and ends no trouble."""
    world.topics.missing = {"audit"}
    world.outbox.publish([a_commit(b"e1")])
    world.clock.advance(RETRY_S)
    world.outbox.publish([a_commit(outcome=b"late")])
    assert (world.topics.published, world.lost) == ([b"result", b"late"], 1)
    assert world.outbox.trouble == "topic audit: unknown"


def test_all_else_is_the_outbox_s_own(world: World) -> None:
    """It is opened and closed with this one, and tells what it waits for and how often it called the brokers."""
    world.outbox.open(12.0)
    assert (world.topics.opened_for_s, world.topics.is_closed) == (12.0, False)
    world.topics.calls, world.topics.waits_for = 7, "brokers"
    assert (world.outbox.calls, world.outbox.waits_for) == (7, "brokers")
    world.outbox.close()
    assert world.topics.is_closed
