from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable, Cancelled
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import Position
from consumer.delivery import poll_loop as module
from consumer.delivery.dispatcher import Ledger
from consumer.delivery.poll_loop import PAUSE_ABOVE, RESUME_BELOW, Loop
from consumer.delivery.retry_headers import PREFIX
from harness.fakes import FakeBroker, FakeOutbox, FakeSource

REQUESTS, RETRY = TopicPartition("requests", 0), TopicPartition("requests.retry-1", 0)
DONE = Done(result=Message(topic="results", key=None, value=b"v"))
SAID = (
    b'{"attempt": 2, "not_before_ms": null, "history": [],'
    b' "topic": "requests", "partition": 0, "offset": 5, "timestamp_ms": null}'
)


class Bench:
    """A loop over a source with one partition each of requests and their retry topic."""

    def __init__(self) -> None:
        self.broker = FakeBroker(REQUESTS.topic, RETRY.topic)
        self.source = FakeSource(self.broker)
        self.ledger = Ledger(self.source.membership)
        self.outbox = FakeOutbox(self.broker)
        self.loop = Loop(
            self.source, self.ledger, topics=[REQUESTS.topic], retry_topics=[RETRY.topic], max_retry_delay_s=60.0,
            revoke_grace_s=0.0,
        )  # fmt: skip

    def join(self) -> None:
        self.source.subscribe([REQUESTS.topic, RETRY.topic], self.loop)

    def steps(self, count: int = 4) -> None:
        with capture_logs():
            for _ in range(count):
                self.loop.step(0)

    def work(self) -> Any:
        ticket = self.ledger.next(0)
        assert ticket
        self.ledger.settle(ticket, DONE)
        return ticket

    def publish(self) -> None:
        for offer in self.ledger.offers(0):
            self.outbox.publish([offer.commit])
            self.ledger.confirm(offer)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_records_are_read_from_where_the_group_stands(bench: Bench) -> None:
    """Reading begins at the committed position, and records become tickets."""
    for _ in range(3):
        bench.broker.send(REQUESTS.topic, b"v")
    bench.broker.committed[REQUESTS] = Position(offset=2)
    bench.join()
    bench.steps()
    assert bench.loop.has_joined
    assert bench.work().record.offset == 2
    assert bench.ledger.next(0) is None


def test_only_a_retry_topic_is_believed(bench: Bench) -> None:
    """Our header counts in a retry topic; on a request it is a stranger's."""
    for topic in (REQUESTS.topic, RETRY.topic):
        bench.broker.send(topic, b"v", headers=((f"{PREFIX}redelivery", SAID),))
    bench.join()
    bench.steps()
    told = {(t.record.topic, t.redelivery.attempt, t.redelivery.offset) for t in (bench.work(), bench.work())}
    assert told == {(REQUESTS.topic, 1, 0), (RETRY.topic, 2, 5)}


def test_a_retry_is_due_within_the_longest_delay(bench: Bench) -> None:
    """A header that asks for more than the longest delay, counted from when it was written, does not get it."""
    said = SAID.replace(b'"not_before_ms": null', b'"not_before_ms": 9999999999999')
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for timestamp in (hour_ago, None, datetime.now(UTC) + timedelta(days=9)):
        bench.broker.send(RETRY.topic, b"v", headers=((f"{PREFIX}redelivery", said),), timestamp=timestamp)
    bench.join()
    bench.steps(6)
    assert bench.work().redelivery.not_before == hour_ago + timedelta(seconds=60)
    [second, third] = bench.ledger._leases[RETRY].waiting
    for ticket in (second, third):
        assert ticket.redelivery.not_before is not None
        assert ticket.redelivery.not_before <= datetime.now(UTC) + timedelta(seconds=60)


def test_a_log_that_was_replaced_is_read_from_its_beginning(bench: Bench) -> None:
    """Where the log ends before the committed position, its records are new, and positions begin anew with them."""
    bench.broker.committed[REQUESTS] = Position(offset=100, note="x")
    bench.broker.send(REQUESTS.topic, b"v")
    bench.source._assignments = bench.loop
    bench.source.assign([REQUESTS])
    bench.source.positions[REQUESTS] = 0  # as the client does, out of range
    bench.steps()
    assert bench.work().record.offset == 0
    bench.publish()
    assert bench.broker.committed[REQUESTS].offset == 1


def test_a_log_that_is_replaced_under_way_is_read_from_its_beginning(bench: Bench) -> None:
    """The same where it happens while the partition is ours; what was at work of the old log comes to nothing."""
    for _ in range(3):
        bench.broker.send(REQUESTS.topic, b"old")
    bench.join()
    bench.steps(6)
    old = bench.ledger.next(0)
    assert old
    bench.broker.log[REQUESTS] = []
    bench.source.positions[REQUESTS] = 0
    bench.broker.send(REQUESTS.topic, b"new")
    bench.steps()
    with pytest.raises(Cancelled):
        old.cancellation.check()
    assert bench.work().record.value == b"new"


def test_a_record_that_comes_again_is_no_new_log(bench: Bench) -> None:
    """Offsets below the position are ignored as long as the log reaches as far as we have read."""
    for _ in range(3):
        bench.broker.send(REQUESTS.topic, b"v")
    bench.join()
    bench.steps(6)
    bench.source.positions[REQUESTS] = 0
    bench.steps(6)
    assert [bench.work().record.offset for _ in range(3)] == [0, 1, 2]
    assert bench.ledger.next(0) is None


def test_a_broker_that_is_away_is_asked_once_a_step(bench: Bench) -> None:
    """However many refused partitions wait to be read again, polling goes on between the questions."""
    bench.join()
    asked: list[Any] = []

    def away(partitions: Any) -> Any:
        asked.append(partitions)
        raise BrokerUnavailable("away")

    bench.source.committed = away  # type: ignore[method-assign]
    bench.loop._refused.update([REQUESTS, RETRY])
    bench.loop._source.poll = lambda timeout_s: None  # type: ignore[method-assign]
    bench.steps(1)
    assert len(asked) == 1


def test_a_member_without_partitions_has_joined(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more replicas than partitions, one that stands by counts as joined, after a while as a member."""
    bench.source._assignments = bench.loop
    bench.steps()
    assert not bench.loop.has_joined
    monkeypatch.setattr(module, "SETTLED_S", 0.0)
    bench.broker.is_up = False
    bench.steps()
    assert not bench.loop.has_joined
    bench.broker.is_up = True
    bench.steps()
    assert bench.loop.has_joined


def test_of_two_stops_the_earlier_end_counts(bench: Bench) -> None:
    """Patience that was taken away is not given back."""
    bench.loop.stop(0.0)
    ends_at = bench.loop._ends_at
    bench.loop.stop(3600.0)
    assert bench.loop._ends_at == ends_at
    bench.loop.stop(-1.0)
    assert bench.loop._ends_at is not None
    assert ends_at is not None
    assert bench.loop._ends_at < ends_at


def test_a_position_that_can_not_be_learnt_is_asked_for_again(bench: Bench) -> None:
    """While the broker can't tell where the group stands, nothing is admitted and nothing is skipped."""
    bench.broker.send(REQUESTS.topic, b"v")
    bench.source.away = BrokerUnavailable("away")
    bench.join()
    bench.steps()
    assert bench.ledger.next(0) is None
    bench.source.away = None
    bench.steps()
    assert bench.work().record.offset == 0


def test_reading_stops_where_work_piles_up_and_goes_on_where_it_is_done(bench: Bench) -> None:
    """A partition is paused while much of it waits, and resumed, but never one that is not paused."""
    for _ in range(PAUSE_ABOVE + 5):
        bench.broker.send(REQUESTS.topic, b"v")
    resumed: list[TopicPartition] = []
    bench.source.resume = lambda found: (resumed.extend(found), FakeSource.resume(bench.source, found))  # type: ignore[method-assign,assignment]
    bench.join()
    bench.steps(PAUSE_ABOVE + 10)
    assert bench.source.paused == {REQUESTS}
    assert resumed == []
    while len(bench.ledger.waiting()) and bench.ledger.waiting()[REQUESTS] >= RESUME_BELOW:
        bench.work()
    bench.steps(1)
    assert bench.source.paused == set()
    assert resumed == [REQUESTS]


def test_a_partition_that_was_paused_when_it_went_is_read_when_it_comes_back(bench: Bench) -> None:
    """A pause outlives the assignment in the client, so coming back means being resumed."""
    for _ in range(PAUSE_ABOVE + 5):
        bench.broker.send(REQUESTS.topic, b"v")
    bench.join()
    bench.steps(PAUSE_ABOVE + 10)
    with capture_logs():
        bench.source.revoke([REQUESTS])
        bench.source.assign([REQUESTS])
    assert bench.source.paused == {REQUESTS}
    bench.steps(2)
    assert bench.source.paused == set()
    assert bench.work().record.offset == 0


def test_a_refused_commit_is_followed_by_reading_again(bench: Bench) -> None:
    """Where the broker refused a commit although the partition is ours, its records are read and worked on anew."""
    bench.broker.send(REQUESTS.topic, b"v")
    bench.join()
    bench.steps()
    bench.work()
    bench.ledger.refuse(bench.ledger.offers(0)[0])
    bench.source.away = BrokerUnavailable("away")
    bench.steps(1)
    assert REQUESTS not in bench.ledger.partitions()
    bench.source.away = None
    bench.steps()
    assert bench.work().record.offset == 0
    bench.publish()
    assert bench.broker.committed[REQUESTS].offset == 1


def test_a_refused_partition_that_is_gone_stays_gone(bench: Bench) -> None:
    """What was refused because it is another's is not opened again."""
    bench.broker.send(REQUESTS.topic, b"v")
    bench.join()
    bench.steps()
    bench.work()
    bench.ledger.refuse(bench.ledger.offers(0)[0])
    bench.source.positions.pop(REQUESTS)
    bench.steps()
    assert list(bench.ledger.partitions()) == [RETRY]


def test_a_lost_partition_is_let_go_at_once(bench: Bench) -> None:
    """Of a partition that has been another's for a while nothing is published."""
    bench.broker.send(REQUESTS.topic, b"v")
    bench.join()
    bench.steps()
    bench.work()
    with capture_logs():
        bench.loop.lost([REQUESTS])
    assert bench.ledger.offers(0) == []
    assert bench.loop.rebalances == 2


def test_stopping_leaves_what_waits_to_others(bench: Bench) -> None:
    """Told to stop, the loop begins nothing more, ends when all is quiet, and gives its partitions back."""
    bench.broker.send(REQUESTS.topic, b"v")
    bench.loop.stop(5.0)
    with capture_logs():
        bench.loop.run()
        assert bench.ledger.next(0) is None
        bench.loop.leave()
    assert list(bench.ledger.partitions()) == []
    assert bench.broker.committed == {}
