"""A topic that is deleted and made anew: what the poll loop does while it can't tell, and of what is not its own."""

from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable
from consumer.core.ports import Position
from harness.poll_loop import REQUESTS, RETRY, LoopHarness

OLD = [b"old 0", b"old 1", b"old 2"]


@pytest.fixture
def harness() -> LoopHarness:
    """One that has read and published three records of the old log, to its end."""
    harness = LoopHarness()
    for value in OLD:
        harness.broker.send(REQUESTS.topic, value)
    harness.join()
    harness.steps(8)
    assert [harness.work().record.value for _ in OLD] == OLD
    harness.publish()
    harness.steps()
    return harness


def make_anew(harness: LoopHarness, records: int) -> list[bytes]:
    """The topic, with so many records; returns their values."""
    harness.broker.recreate(REQUESTS.topic)
    new = [b"new %d" % number for number in range(records)]
    for value in new:
        harness.broker.send(REQUESTS.topic, value)
    return new


def test_nothing_is_begun_while_nobody_can_tell_which_log_it_is(harness: LoopHarness) -> None:
    """A record behind the old log's end may be the old log's next or another's last: it waits for the answer."""
    heard = dict(harness.broker.log_ids)
    harness.source.log_ids = lambda: heard  # type: ignore[method-assign]
    tell = harness.source.log_id

    def away(topic: str) -> str:
        raise BrokerUnavailable(topic)

    harness.source.log_id = away  # type: ignore[method-assign]
    new = make_anew(harness, 4)
    harness.steps(8)
    assert harness.dispatcher.next(0) is None
    harness.source.log_id = tell  # type: ignore[method-assign]
    harness.steps(16)
    assert [harness.work().record.value for _ in new] == new


def test_nothing_of_a_topic_that_was_missing_is_begun_before_it_is_known_which_it_is(harness: LoopHarness) -> None:
    """It went and came between two looks at the ids, of which the first found none."""
    tell, gone = harness.source.log_id, dict(harness.broker.log_ids)
    del gone[REQUESTS.topic]
    harness.source.log_ids = lambda: gone  # type: ignore[method-assign]
    new = make_anew(harness, 4)
    harness.source.log_id = gone.get  # type: ignore[assignment, method-assign]
    harness.steps(8)
    assert harness.dispatcher.next(0) is None
    harness.source.log_id = tell  # type: ignore[method-assign]
    harness.steps(16)
    assert [harness.work().record.value for _ in new] == new
    assert harness.dispatcher.next(0) is None


def test_reading_goes_on_where_the_client_could_not_go_back(harness: LoopHarness) -> None:
    """In a topic that is gone a client can't seek; once it can, nothing is passed over."""
    tell, seek = harness.source.log_id, harness.source.rewind

    def away(*_: object) -> NoReturn:
        raise BrokerUnavailable("the topic is gone")

    harness.source.log_id = away  # type: ignore[assignment, method-assign]
    harness.source.rewind = away  # type: ignore[assignment, method-assign]
    new = make_anew(harness, 4)
    harness.steps(8)
    assert harness.dispatcher.next(0) is None
    harness.source.log_id, harness.source.rewind = tell, seek  # type: ignore[method-assign]
    harness.steps(24)
    assert [harness.work().record.value for _ in new] == new
    assert harness.dispatcher.next(0) is None


def test_a_commit_of_the_old_log_says_nothing_of_the_new_one(harness: LoopHarness) -> None:
    """One that was on its way when the topic went arrives in the new one's name; its records are done all the same."""
    new = make_anew(harness, 3)
    harness.broker.committed[REQUESTS] = Position(offset=len(OLD))
    harness.steps(16)
    assert [harness.work().record.value for _ in new] == new
    assert harness.dispatcher.next(0) is None


def test_reading_does_not_begin_at_what_is_committed_of_another_log() -> None:
    """The client itself begins there, as it knows nothing of logs."""
    harness = LoopHarness()
    for value in OLD:
        harness.broker.send(REQUESTS.topic, value)
    harness.broker.committed[REQUESTS] = Position(offset=2, offset_metadata='{"log": "0"}')
    harness.join()
    harness.steps(8)
    assert [harness.work().record.value for _ in OLD] == OLD
    assert harness.dispatcher.next(0) is None


def test_an_id_that_is_heard_of_late_goes_with_the_commits() -> None:
    """Until then they say nothing of their log."""
    harness = LoopHarness()
    known = dict(harness.broker.log_ids)
    harness.broker.log_ids.clear()
    harness.join()
    for _ in range(2):
        harness.broker.send(REQUESTS.topic, b"v")
        harness.steps()
        harness.work()
        harness.publish()
        harness.broker.log_ids |= known
        harness.steps()
    told = [commit.position.offset_metadata for commits in harness.broker.transactions for commit in commits]
    assert (told[0], told[-1]) == ("", '{"log": "1"}')


def test_the_log_of_a_partition_that_went_is_another_members_matter(harness: LoopHarness) -> None:
    """Made anew after it was given away, it is neither looked at nor read from its beginning here."""
    with capture_logs():
        harness.loop.lost([REQUESTS])
    harness.source.positions.pop(REQUESTS)
    harness.broker.recreate(REQUESTS.topic)
    with capture_logs() as logs:
        for _ in range(4):
            harness.loop.step(0)
    assert [line["event"] for line in logs] == []
    assert list(harness.assignments.partitions()) == [RETRY]
