"""A topic that does not take an outcome: when its partition is tried again, what is told meanwhile, and what waits."""

from collections.abc import Sequence

import pytest

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.core.ports import Commit
from tests.unit.delivery.test_committer import Harness, Refusing, Stopped

REASON = "topic letters: takes nothing"
RETRY_S = 0.001  # of Refusing


class Turned(Refusing):
    """One whose waits are noted and take no time, and whose tries are counted."""

    def __init__(self, refused: bytes, *values: Sequence[bytes]) -> None:
        super().__init__(refused, *values)
        self.stopped = Stopped()
        self.committer._stopped = self.stopped

    @property
    def order(self) -> list[bytes | None]:
        return [message.value for message in self.broker.published]


def test_each_refusal_doubles_the_wait_to_the_moment() -> None:
    """It is tried at the very moment that it is due, and not before: after once, twice, four times as long."""
    world = Turned(b"bad", [b"bad"])
    world.step()
    for wait_s in (RETRY_S, 2 * RETRY_S, 4 * RETRY_S, 8 * RETRY_S):
        tried, due_s = world.outbox.tried, world.clock.now_s + wait_s
        world.clock.now_s = due_s - RETRY_S / 10
        world.step()
        assert world.outbox.tried == tried
        world.clock.now_s = due_s
        world.step()
        assert world.outbox.tried == tried + 1


@pytest.mark.parametrize("before", [[], [b"a"], [b"a", b"b"]], ids=len)
def test_whatever_lies_before_the_culprit_is_published(before: list[bytes]) -> None:
    """However many there are, each is tried by itself once they are refused together; no clock has to move for that."""
    world = Turned(b"bad", [*before, b"bad", b"z"])
    world.step()
    world.clock.advance(RETRY_S)
    world.step(4)
    assert world.order == before
    assert world.committer.trouble == REASON


def test_a_topic_that_is_mended_gets_all_that_waited_at_once() -> None:
    """Once one outcome is taken there is no trouble any more, and the next need not wait for their turn."""
    world = Turned(b"bad", [b"bad", b"b", b"c"])
    world.step()
    world.outbox.refused = frozenset()
    world.clock.advance(RETRY_S)
    world.step()
    assert world.order == [b"bad"]
    assert world.committer.trouble == ""
    world.step(2)
    assert world.order == [b"bad", b"b", b"c"]


def test_a_topic_that_refuses_again_is_tried_soon_again() -> None:
    """How long it once took says nothing of the next refusal."""
    world = Turned(b"bad", [b"bad", b"worse", b"c"])
    world.step()
    for _ in range(5):
        world.clock.advance(60)
        world.step()
    world.outbox.refused = frozenset({b"worse"})
    world.clock.advance(60)
    world.step(2)
    assert world.order == [b"bad"]
    tried = world.outbox.tried
    world.clock.advance(RETRY_S)
    world.step()
    assert world.outbox.tried == tried + 1


def test_only_what_is_refused_now_is_told_of() -> None:
    """Of two partitions one is taken again while more of it waits; the other's reason is all that is left."""
    world = Turned(b"bad", [b"bad", b"b"], [b"worse"])
    world.outbox.refused = frozenset({b"bad", b"worse"})
    world.step()
    assert world.committer.trouble == REASON
    world.outbox.refused = frozenset({b"worse"})
    world.clock.advance(RETRY_S)
    world.step()
    assert world.order == [b"bad"]
    assert world.committer.trouble == REASON


def test_it_waits_only_while_nothing_can_be_tried() -> None:
    """A turn with nothing to publish waits in the queue alone; one with what is not due yet waits a moment."""
    world = Turned(b"bad", [b"bad"], [b"a"])
    world.step()
    assert world.stopped.waits_s == []
    world.step()
    assert world.stopped.waits_s == [RETRY_S]
    world.clock.advance(RETRY_S)
    world.step()
    assert world.stopped.waits_s == [RETRY_S], "it was due"
    world.parts.assignments.close([TopicPartition("t", 0), TopicPartition("t", 1)], "revoked")
    world.step()
    assert world.stopped.waits_s == [RETRY_S], "nothing is pending"


def test_others_do_not_wait_for_what_is_not_due() -> None:
    """A turn that has published something does not end with a wait."""
    world = Turned(b"bad", [b"bad"], [b"a", b"b"])
    world.step()
    assert sorted(world.order, key=str) == [b"a", b"b"]
    assert world.stopped.waits_s == []


def test_brokers_that_answer_for_one_topic_are_not_away() -> None:
    """After an outage the refusal of a topic is all that is told: what went before it is over."""
    world = Turned(b"bad", [b"bad"])
    publish = world.outbox.publish

    def away(commits: Sequence[Commit]) -> None:
        world.outbox.publish = publish  # type: ignore[method-assign]
        raise BrokerUnavailable("away")

    world.outbox.publish = away  # type: ignore[method-assign]
    world.step()
    assert world.committer.trouble == "away"
    world.step()
    assert world.committer.trouble == REASON


def test_an_idle_turn_waits_nowhere_but_in_the_queue() -> None:
    """Nothing pending, nothing blocked: there is nothing to be patient with."""
    harness = Harness()
    harness.publish()
    harness.committer._stopped = stopped = Stopped()
    harness.committer.step(0)
    assert stopped.waits_s == []
