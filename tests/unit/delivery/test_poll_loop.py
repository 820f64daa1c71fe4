from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable, Cancelled
from consumer.core.model import OUR_HEADER_PREFIX as PREFIX
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import Position
from harness.poll_loop import POLICY, REQUESTS, RETRY
from harness.poll_loop import LoopHarness as Harness

SAID = (
    b'{"attempt": 2, "not_before_ms": null, "history": [],'
    b' "topic": "requests", "partition": 0, "offset": 5, "timestamp_ms": null}'
)


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_records_are_read_from_where_the_group_stands(harness: Harness) -> None:
    """Reading begins at the committed position, and records become attempts."""
    for _ in range(3):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.broker.committed[REQUESTS] = Position(offset=2)
    harness.join()
    harness.steps()
    assert harness.loop.has_joined
    assert harness.work().record.offset == 2
    assert harness.dispatcher.next(0) is None


def test_only_a_retry_topic_is_believed(harness: Harness) -> None:
    """Our header counts in a retry topic; on a request it is a stranger's."""
    for topic in (REQUESTS.topic, RETRY.topic):
        harness.broker.send(topic, b"v", headers=((f"{PREFIX}redelivery", SAID),))
    harness.join()
    harness.steps()
    told = {(t.record.topic, t.retry_state.attempt, t.retry_state.offset) for t in (harness.work(), harness.work())}
    assert told == {(REQUESTS.topic, 1, 0), (RETRY.topic, 2, 5)}


def test_a_retry_is_due_within_the_longest_delay(harness: Harness) -> None:
    """A header that asks for more than the longest delay, counted from when it was written, does not get it."""
    said = SAID.replace(b'"not_before_ms": null', b'"not_before_ms": 9999999999999')
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for timestamp in (hour_ago, None, datetime.now(UTC) + timedelta(days=9)):
        harness.broker.send(RETRY.topic, b"v", headers=((f"{PREFIX}redelivery", said),), timestamp=timestamp)
    harness.join()
    harness.steps(6)
    assert harness.work().retry_state.not_before == hour_ago + timedelta(seconds=60)
    [second, third] = harness.assignments.held[RETRY].queued
    for queued in (second, third):
        assert queued.retry_state.not_before is not None
        assert queued.retry_state.not_before <= datetime.now(UTC) + timedelta(seconds=60)


def test_a_log_that_was_replaced_is_read_from_its_beginning(harness: Harness) -> None:
    """Where the log ends before the committed position, its records are new, and positions begin anew with them."""
    harness.broker.committed[REQUESTS] = Position(offset=100, offset_metadata="x")
    harness.broker.send(REQUESTS.topic, b"v")
    harness.source._listener = harness.loop
    harness.source.assign([REQUESTS])
    harness.source.positions[REQUESTS] = 0  # as the client does, out of range
    harness.steps()
    assert harness.work().record.offset == 0
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == 1


def test_of_a_log_that_ends_before_the_position_what_is_done_is_not_done_again(harness: Harness) -> None:
    """It was cut, or an operator's offset lies behind its end: the outcomes tell where the group stood in it."""
    for _ in range(3):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.broker.done[REQUESTS] = 2
    harness.broker.committed[REQUESTS] = Position(offset=100)
    harness.source._listener = harness.loop
    harness.source.assign([REQUESTS])
    harness.source.positions[REQUESTS] = 0  # as the client does, out of range
    harness.steps(4)
    assert harness.work().record.offset == 2
    assert harness.dispatcher.next(0) is None
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == 3


def test_an_offset_behind_the_end_is_mended_where_nothing_is_left_to_do(harness: Harness) -> None:
    """So that the lag tells of what comes next, and a replica that begins there does not ask again."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.broker.done[REQUESTS] = 1
    harness.broker.committed[REQUESTS] = Position(offset=100)
    harness.source._listener = harness.loop
    harness.source.assign([REQUESTS])
    harness.source.positions[REQUESTS] = 0
    harness.steps(4)
    assert harness.dispatcher.next(0) is None
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == 1


def test_a_log_that_is_replaced_under_way_is_read_from_its_beginning(harness: Harness) -> None:
    """The same where it happens while the partition is ours; what was at work of the old log comes to nothing."""
    for _ in range(3):
        harness.broker.send(REQUESTS.topic, b"old")
    harness.join()
    harness.steps(6)
    old = harness.dispatcher.next(0)
    assert old
    harness.broker.log[REQUESTS] = []
    harness.source.positions[REQUESTS] = 0
    harness.broker.send(REQUESTS.topic, b"new")
    harness.steps()
    with pytest.raises(Cancelled):
        old.cancellation.check()
    assert harness.work().record.value == b"new"


def test_a_record_that_comes_again_is_no_new_log(harness: Harness) -> None:
    """Offsets below the position are ignored as long as the log reaches as far as we have read."""
    for _ in range(3):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps(6)
    harness.source.positions[REQUESTS] = 0
    harness.steps(6)
    assert [harness.work().record.offset for _ in range(3)] == [0, 1, 2]
    assert harness.dispatcher.next(0) is None


def test_a_broker_that_is_away_is_asked_once_a_step(harness: Harness) -> None:
    """However many refused partitions wait to be read again, polling goes on between the questions."""
    harness.join()
    asked: list[Any] = []

    def away(partitions: Any) -> Any:
        asked.append(partitions)
        raise BrokerUnavailable("away")

    harness.source.committed = away  # type: ignore[method-assign]
    harness.loop._refused.update([REQUESTS, RETRY])
    harness.loop._source.poll = lambda timeout_s: None  # type: ignore[method-assign]
    harness.steps(1)
    assert len(asked) == 1


def test_a_member_without_partitions_has_joined() -> None:
    """Where there are more replicas than partitions, one that stands by counts as joined, after a while as a member."""
    harness = Harness()
    harness.source._listener = harness.loop
    harness.steps()
    assert not harness.loop.has_joined
    harness = Harness(replace(POLICY, standby_after_s=0.0))
    harness.source._listener = harness.loop
    harness.broker.is_up = False
    harness.steps()
    assert not harness.loop.has_joined
    harness.broker.is_up = True
    harness.steps()
    assert harness.loop.has_joined


def test_a_member_that_is_assigned_nothing_has_joined_and_says_so(harness: Harness) -> None:
    """Whoever started one replica too many can read why it does nothing."""
    with capture_logs() as logs:
        harness.loop.assigned([])
    assert harness.loop.has_joined
    assert [line["event"] for line in logs] == ["partitions.assigned", "partitions.none"]


def test_of_two_stops_the_earlier_end_counts(harness: Harness) -> None:
    """Patience that was taken away is not given back."""
    harness.loop.stop(0.0)
    ends_at = harness.loop._ends_at
    harness.loop.stop(3600.0)
    assert harness.loop._ends_at == ends_at
    harness.loop.stop(-1.0)
    assert harness.loop._ends_at is not None
    assert ends_at is not None
    assert harness.loop._ends_at < ends_at


def test_a_position_that_can_not_be_learnt_is_asked_for_again(harness: Harness) -> None:
    """While the broker can't tell where the group stands, nothing is admitted and nothing is skipped."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.source.away = BrokerUnavailable("away")
    harness.join()
    harness.steps()
    assert harness.dispatcher.next(0) is None
    harness.source.away = None
    harness.steps()
    assert harness.work().record.offset == 0


def test_reading_stops_where_work_piles_up_and_goes_on_where_it_is_done(harness: Harness) -> None:
    """A partition is paused while much of it waits, and resumed, but never one that is not paused."""
    for _ in range(POLICY.pause_above + 5):
        harness.broker.send(REQUESTS.topic, b"v")
    resumed: list[TopicPartition] = []
    resume = harness.source.resume

    def noted(partitions: Sequence[TopicPartition]) -> None:
        resumed.extend(partitions)
        resume(partitions)

    harness.source.resume = noted  # type: ignore[method-assign]
    harness.join()
    harness.steps(POLICY.pause_above + 10)
    assert harness.source.paused == {REQUESTS}
    assert resumed == []
    while len(harness.dispatcher.queued()) and harness.dispatcher.queued()[REQUESTS] >= POLICY.resume_below:
        harness.work()
    harness.steps(1)
    assert harness.source.paused == set()
    assert resumed == [REQUESTS]


def test_a_partition_that_was_paused_when_it_went_is_read_when_it_comes_back(harness: Harness) -> None:
    """A pause outlives the assignment in the client, so coming back means being resumed."""
    for _ in range(POLICY.pause_above + 5):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps(POLICY.pause_above + 10)
    with capture_logs():
        harness.source.revoke([REQUESTS])
        harness.source.assign([REQUESTS])
    assert harness.source.paused == {REQUESTS}
    harness.steps(2)
    assert harness.source.paused == set()
    assert harness.work().record.offset == 0


def test_a_refused_commit_is_followed_by_reading_again(harness: Harness) -> None:
    """Where the broker refused a commit although the partition is ours, its records are read and worked on anew."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work()
    harness.queue.refuse(harness.queue.pending(0)[0])
    harness.source.away = BrokerUnavailable("away")
    harness.steps(1)
    assert REQUESTS not in harness.assignments.partitions()
    harness.source.away = None
    harness.steps()
    assert harness.work().record.offset == 0
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == 1


def test_a_refused_partition_that_is_gone_stays_gone(harness: Harness) -> None:
    """What was refused because it is another's is not opened again."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work()
    harness.queue.refuse(harness.queue.pending(0)[0])
    harness.source.positions.pop(REQUESTS)
    harness.steps()
    assert list(harness.assignments.partitions()) == [RETRY]


def test_a_lost_partition_is_let_go_at_once(harness: Harness) -> None:
    """Of a partition that has been another's for a while nothing is published."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work()
    with capture_logs():
        harness.loop.lost([REQUESTS])
    assert harness.queue.pending(0) == []
    assert harness.loop.rebalances == 2


def test_what_was_worked_on_and_comes_again_is_not_worked_on_twice(harness: Harness) -> None:
    """A record below our position is no sign of another log as long as the log reaches that far."""
    for _ in range(3):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps(6)
    assert [harness.work().record.offset for _ in range(3)] == [0, 1, 2]
    harness.source.positions[REQUESTS] = 0
    harness.steps(6)
    assert harness.dispatcher.next(0) is None
    harness.publish()
    assert [len(commits[0].messages) for commits in harness.broker.transactions] == [3]


def test_a_broker_that_gives_no_ids_is_asked_for_none(harness: Harness) -> None:
    """Where none was heard of, work goes on as if there were no such thing, and waits for no answer."""

    def ask(topic: str) -> str:
        raise BrokerUnavailable(f"{topic} is unknown here")

    harness.broker.log_ids.clear()
    harness.source.log_id = ask  # type: ignore[method-assign]
    harness.join()
    for value in (b"a", b"b"):
        harness.broker.send(REQUESTS.topic, value)
        harness.steps(4)
        assert harness.work().record.value == value


def test_what_is_done_is_not_done_again_where_its_offset_is_forgotten(harness: Harness) -> None:
    """Brokers forget the offsets of a group without members; its outcomes tell where it stood."""
    for _ in range(5):
        harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work(), harness.work()
    harness.publish()
    harness.broker.committed.clear()
    harness.source.revoke([REQUESTS])
    harness.source.assign([REQUESTS])
    harness.steps(9)
    assert [harness.work().record.offset for _ in range(3)] == [2, 3, 4]
    assert harness.dispatcher.next(0) is None
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == 5


def test_where_the_group_stood_is_committed_before_there_is_anything_new(harness: Harness) -> None:
    """All is done: the offset that was forgotten is committed again at the end of the log."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work()
    harness.publish()
    harness.broker.committed.clear()
    harness.source.revoke([REQUESTS])
    harness.source.assign([REQUESTS])
    harness.steps(6)
    assert harness.dispatcher.next(0) is None
    harness.publish()
    assert harness.broker.committed[REQUESTS].offset == 1


def test_a_log_that_was_made_anew_is_read_from_its_beginning(harness: Harness) -> None:
    """Outcomes of the earlier log say nothing of this one, of which nothing is committed either."""
    harness.broker.send(REQUESTS.topic, b"v")
    harness.join()
    harness.steps()
    harness.work()
    harness.publish()
    harness.source.revoke([REQUESTS])
    harness.broker.recreate(REQUESTS.topic)
    harness.broker.send(REQUESTS.topic, b"new")
    harness.source.assign([REQUESTS])
    harness.steps(6)
    assert harness.work().record.value == b"new"


def test_nothing_is_begun_before_it_is_known_where_the_group_stood(harness: Harness) -> None:
    """As long as outcomes are being read the record waits, and comes again."""
    harness.broker.send(REQUESTS.topic, b"v")
    answers: list[BrokerUnavailable | None] = [BrokerUnavailable("not yet"), BrokerUnavailable("not yet"), None]

    def recalled(first: Record) -> int | None:
        if answer := answers.pop(0):
            raise answer
        return None

    harness.source.recalled = recalled  # type: ignore[method-assign]
    harness.join()
    harness.steps(2)
    assert harness.dispatcher.next(0) is None
    harness.steps(4)
    assert harness.work().record.offset == 0
    assert answers == []
