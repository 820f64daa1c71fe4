"""How a poll loop lets go of partitions, stops, and stands by."""

from collections.abc import Callable
from dataclasses import replace
from threading import Condition
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import Cancelled
from consumer.core.ports import EndOfPartition, Position
from consumer.delivery.assignments import Assignments
from consumer.delivery.poll_loop import PollPolicy
from harness.clock import ManualClock
from harness.delivery import UNTRACED
from harness.poll_loop import DONE, POLICY, REQUESTS
from harness.poll_loop import LoopHarness as Harness


@pytest.fixture
def harness() -> Harness:
    return Harness()


class Meanwhile:
    """In place of waiting it does what another thread would, and notes how long it might have taken."""

    def __init__(self) -> None:
        self.limits_s: list[float] = []
        self.happens: Callable[[], object] = lambda: None

    def __call__(self, changed: Condition, condition: Callable[[], object], timeout_s: float) -> object:
        self.limits_s.append(timeout_s)
        if timeout_s > 0 and not condition():
            self.happens()
        return condition()


def test_a_job_that_ends_within_the_grace_is_published_by_this_replica() -> None:
    """What is at work when its partition is called back may end, and is committed here before the partition goes."""
    meanwhile = Meanwhile()
    harness = Harness(PollPolicy(revoke_grace_s=7.0), Assignments(wait=meanwhile))
    harness.broker.send(REQUESTS.topic, b"v")
    harness.broker.send(REQUESTS.topic, b"waits")
    harness.join()
    harness.steps()
    attempt = harness.dispatcher.next(0)
    assert attempt

    def ends() -> None:
        harness.dispatcher.complete(attempt, DONE, UNTRACED)
        harness.publish()

    meanwhile.happens = ends
    with capture_logs():
        harness.source.revoke([REQUESTS])
    assert meanwhile.limits_s[0] == 7.0
    attempt.cancellation.check()
    assert harness.broker.published == [DONE.result]
    assert harness.broker.committed[REQUESTS].offset == 1
    assert harness.dispatcher.next(0) is None, "what waited for its turn is another's"


def test_a_job_that_does_not_end_within_the_grace_is_cancelled() -> None:
    """The grace is no longer than it is: then the job is cancelled, and nothing of it is published."""
    meanwhile = Meanwhile()
    harness = Harness(PollPolicy(revoke_grace_s=7.0), Assignments(wait=meanwhile))
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    attempt = harness.dispatcher.next(0)
    assert attempt
    with capture_logs():
        harness.source.revoke([REQUESTS])
    with pytest.raises(Cancelled):
        attempt.cancellation.check()
    harness.dispatcher.complete(attempt, DONE, UNTRACED)
    harness.publish()
    assert harness.broker.published == []


def test_a_replica_that_ends_gives_no_further_grace() -> None:
    """Its shutdown has had its time: what is at work then is cancelled without waiting once more."""
    meanwhile = Meanwhile()
    harness = Harness(PollPolicy(revoke_grace_s=7.0), Assignments(wait=meanwhile))
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    assert harness.dispatcher.next(0)
    harness.loop.stop(0.0)
    with capture_logs():
        harness.loop.leave()
    assert meanwhile.limits_s[0] == 0.0


def test_stopping_leaves_what_waits_to_others(harness: Harness) -> None:
    """Told to stop, the loop begins nothing more, ends when all is quiet, and gives its partitions back."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.loop.stop(5.0)
    with capture_logs():
        harness.loop.run()
        assert harness.dispatcher.next(0) is None
        harness.loop.leave()
    assert list(harness.assignments.partitions()) == []
    assert harness.broker.committed == {}


@pytest.mark.parametrize("count", [1, 3, 8], ids=["shorter", "as long", "longer"])
def test_a_topic_that_was_made_anew_is_read_from_its_beginning(harness: Harness, count: int) -> None:
    """Another id is another log: each of its records is done once, also those below the position in the old one."""
    harness.join()
    for number in range(3):
        harness.broker.send(REQUESTS.topic, b"old %d" % number)
    harness.steps(8)
    assert [harness.work().record.value for _ in range(3)] == [b"old 0", b"old 1", b"old 2"]
    harness.publish()
    harness.steps()
    harness.broker.recreate(REQUESTS.topic)
    for number in range(count):
        harness.broker.send(REQUESTS.topic, b"new %d" % number)
    harness.steps(16)
    assert [harness.work().record.value for _ in range(count)] == [b"new %d" % number for number in range(count)]
    assert harness.dispatcher.next(0) is None
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == count


def test_a_first_record_of_a_topic_that_was_made_anew_is_not_begun_at_its_offset(harness: Harness) -> None:
    """Nothing beyond the old position is handed out before what lies below it, even before the id is told of."""
    heard = dict(harness.broker.log_ids)
    harness.source.log_ids = lambda: heard  # type: ignore[method-assign]
    harness.join()
    harness.broker.send(REQUESTS.topic, b"old")
    harness.steps()
    harness.work()
    harness.publish()
    harness.steps()
    harness.broker.recreate(REQUESTS.topic)
    for value in (b"new 0", b"new 1"):
        harness.broker.send(REQUESTS.topic, value)
    harness.steps(8)
    assert [harness.work().record.value for _ in range(2)] == [b"new 0", b"new 1"]


def test_a_topic_that_is_missing_for_a_while_is_the_same(harness: Harness) -> None:
    """Only another id is another log: one that can't be told for a moment changes nothing."""
    harness.join()
    harness.broker.send(REQUESTS.topic, b"a")
    harness.steps()
    harness.work()
    harness.publish()
    known = harness.broker.log_ids.pop(REQUESTS.topic)
    harness.steps()
    harness.broker.log_ids[REQUESTS.topic] = known
    harness.broker.send(REQUESTS.topic, b"b")
    harness.steps()
    assert harness.work().record.value == b"b"
    assert harness.dispatcher.next(0) is None


def test_while_what_is_at_work_ends_polling_goes_on_and_nothing_is_begun() -> None:
    """A replica that was told to stop stays a member until its work is committed, or its time is up."""
    clock = ManualClock()
    harness = Harness(assignments=Assignments(clock=clock))
    for _ in range(2):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    attempt = harness.dispatcher.next(0)
    assert attempt
    poll, polls = harness.source.poll, []

    def noted(timeout_s: float) -> Any:
        polls.append(harness.dispatcher.next(0))
        if len(polls) == 3:
            harness.dispatcher.complete(attempt, DONE, UNTRACED)
            harness.publish()
        return poll(0)

    harness.source.poll = noted  # type: ignore[method-assign]
    harness.source.subscribe = lambda topics, listener: None  # type: ignore[method-assign]
    harness.loop.stop(5.0)
    with capture_logs():
        harness.loop.run()
    assert polls == [None] * 3
    assert harness.broker.committed[REQUESTS].offset == 1


def test_a_member_that_was_away_begins_to_wait_anew() -> None:
    """It stands by once it was a member for as long as that takes, without a break, and says so once."""
    clock = ManualClock()
    harness = Harness(replace(POLICY, standby_after_s=10.0), Assignments(clock=clock))
    harness.source._listener = harness.loop
    joined: list[bool] = []
    with capture_logs() as logs:
        for is_up, seconds in (
            (True, 0),
            (True, 9.5),
            (False, 0.25),
            (True, 0.25),
            (True, 9.5),
            (True, 0.5),
            (True, 1),
        ):
            harness.broker.is_up = is_up
            clock.advance(seconds)
            harness.loop.step(0)
            joined.append(harness.loop.has_joined)
    assert joined == [False] * 5 + [True] * 2
    assert [line["event"] for line in logs] == ["partitions.none"]


def test_the_end_of_a_partition_is_committed() -> None:
    """Where transaction markers lie behind the last record, the group's position is behind them."""
    harness = Harness()
    harness.join()
    harness.source.poll = lambda timeout_s: EndOfPartition(topic_partition=REQUESTS, offset=3)  # type: ignore[method-assign]
    harness.steps(1)
    harness.publish()
    assert harness.broker.committed[REQUESTS] == Position(offset=3, offset_metadata='{"log": "1"}')
