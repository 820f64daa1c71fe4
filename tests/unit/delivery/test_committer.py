import threading

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced
from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import Position
from consumer.delivery import committer as module
from consumer.delivery.assignment import Offer
from consumer.delivery.committer import Publisher
from consumer.delivery.dispatcher import Ledger
from harness.fakes import FakeBroker, FakeOutbox, FakeSource, a_record, a_redelivery

TOPICS = ("t0", "t1")


class Bench:
    """A ledger with one settled record in each of two partitions, and a publisher over an outbox with a script."""

    def __init__(self, *script: Exception | None, applies_first: bool = False) -> None:
        self.broker = FakeBroker(*TOPICS)
        self.source = FakeSource(self.broker)
        self.outbox = FakeOutbox(self.broker, *script, applies_first=applies_first)
        self.ledger = Ledger(object)
        self.observed: list[Offer] = []
        self.publisher = Publisher(self.ledger, self.outbox, self.source, self.observed.append)
        for topic in TOPICS:
            record = a_record(topic=topic)
            self.ledger.open([record.topic_partition])
            self.ledger.begin(record.topic_partition, None)
            self.ledger.admit(record, a_redelivery(record))
        for _ in TOPICS:
            ticket = self.ledger.next(0)
            assert ticket
            self.ledger.settle(ticket, Done(result=Message(topic="results", key=None, value=b"v")))

    def publish(self) -> None:
        with capture_logs():
            self.publisher.publish(self.ledger.offers(0))

    @property
    def committed(self) -> dict[str, int]:
        return {partition.topic: position.offset for partition, position in self.broker.committed.items()}

    @property
    def counted(self) -> list[str]:
        return sorted(offer.lease.partition.topic for offer in self.observed)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)


def test_all_that_is_ready_goes_into_one_transaction() -> None:
    """Several partitions' outcomes are published and committed together, and each is told of once."""
    bench = Bench()
    bench.publish()
    assert len(bench.broker.transactions) == 1
    assert bench.committed == {"t0": 1, "t1": 1}
    assert bench.counted == ["t0", "t1"]
    assert bench.ledger.offers(0) == []


def test_a_lost_partition_does_not_hold_up_the_others() -> None:
    """Where one partition spoils the transaction, each is published by itself, and the lost one is let go."""
    bench = Bench(OwnershipLost("together"), OwnershipLost("t0 alone"))
    bench.publish()
    assert bench.committed == {"t1": 1}
    assert bench.counted == ["t1"]
    assert list(bench.ledger.take_refused()) == [TopicPartition("t0", 0)]
    assert bench.ledger.offers(0) == []


def test_a_broker_that_is_away_is_asked_again() -> None:
    """What could not be published is offered again, and nothing is told of until it is."""
    bench = Bench(BrokerUnavailable("away"))
    bench.publish()
    assert (bench.committed, bench.counted) == ({}, [])
    assert bench.publisher.trouble == "away"
    bench.publish()
    assert bench.counted == ["t0", "t1"]
    assert bench.publisher.trouble == ""


def test_what_the_outbox_waits_for_is_told_while_it_waits() -> None:
    """A call that goes on for as long as an outage is a trouble too, before anything is raised."""
    bench = Bench()
    assert bench.publisher.trouble == ""
    bench.outbox.waits_for = "coordinator is away"
    assert bench.publisher.trouble == "coordinator is away"


@pytest.mark.parametrize("went_through", [True, False])
def test_a_fenced_producer_learns_what_became_of_its_transaction(went_through: bool) -> None:
    """After a fence the committed positions decide: what went through is not published again, what did not is."""
    bench = Bench(ProducerFenced("fenced"), applies_first=went_through)
    bench.broker.committed = {TopicPartition(topic, 0): Position(offset=0, note="earlier") for topic in TOPICS}
    bench.publish()
    assert bench.counted == (["t0", "t1"] if went_through else [])
    bench.publish()
    assert bench.counted == ["t0", "t1"]
    assert len(bench.broker.published) == 2


def test_the_fate_of_a_transaction_is_waited_for() -> None:
    """While the committed positions can't be learnt, nothing is assumed; a stop ends the wait."""
    bench = Bench(ProducerFenced("fenced"), applies_first=True)
    bench.source.away = BrokerUnavailable("away")
    thread = threading.Thread(target=bench.publish)
    thread.start()
    assert bench.counted == []
    bench.source.away = None
    thread.join(20)
    assert bench.counted == ["t0", "t1"]
    bench = Bench(ProducerFenced("fenced"))
    bench.source.away = BrokerUnavailable("away")
    bench.publisher.stop()
    bench.publish()
    assert bench.counted == []


def test_it_runs_until_it_is_stopped() -> None:
    """The publisher publishes what becomes ready, in a thread of its own, and ends when it is told to."""
    bench = Bench()
    thread = threading.Thread(target=bench.publisher.run)
    thread.start()
    bench.broker.wait_for(lambda: bench.committed == {"t0": 1, "t1": 1})
    bench.publisher.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert bench.counted == ["t0", "t1"]


def test_life_shows_as_long_as_calls_return() -> None:
    """The sign of life changes with every call and every turn, and stands still in a call that never returns."""
    bench = Bench()
    entered, leave = threading.Event(), threading.Event()

    def hang(commits: object) -> None:
        bench.outbox.calls += 1
        entered.set()
        leave.wait(20)

    before = bench.publisher.sign_of_life()
    bench.outbox.publish = hang  # type: ignore[method-assign]
    thread = threading.Thread(target=bench.publisher.run)
    thread.start()
    assert entered.wait(20)
    during = bench.publisher.sign_of_life()
    assert during != before
    assert bench.publisher.sign_of_life() == during
    bench.publisher.stop()
    leave.set()
    thread.join(20)
    assert not thread.is_alive()
