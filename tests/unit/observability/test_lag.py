"""Lag as values: what is unfinished, since when, and how much work that is."""

from typing import Any

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import RegistryUnavailable
from consumer.core.lag import Backlog, Demand, PartitionLag, PendingRecord, ReadAhead, UnfinishedLog
from consumer.core.model import TopicPartition
from consumer.observability.lag import PacedEstimator, RequestEstimator, desired_replicas, held_by_senders
from harness.fakes import FakeRegistry, a_request

HERE = TopicPartition("requests", 0)
CODEC = AvroCodec()


def a_tail(*offsets: int, start: int = 0, audio_s: float | None = None, records: int = 2000) -> UnfinishedLog:
    tail = UnfinishedLog(start, ReadAhead(records=records))
    for offset in offsets:
        tail.add(PendingRecord(offset=offset, at_s=100.0 + offset, model="2stems", audio_s=audio_s))
    return tail


def a_backlog(*messages: int) -> Backlog:
    """A partition of the requests each."""
    lags = [
        PartitionLag(partition=TopicPartition("requests", number), messages=count, oldest_at_s=None)
        for number, count in enumerate(messages)
    ]
    return Backlog(lags=lags, taken_at=0.0)


def test_records_are_counted_and_not_offsets() -> None:
    """Three records among transaction markers are three, and the oldest is the first that has no outcome."""
    tail = a_tail(0, 2, 4)
    tail.reach(6)
    assert tail.lag(HERE, 6).messages == 3
    tail.settle(1)
    lag = tail.lag(HERE, 6)
    assert (lag.messages, lag.oldest_at_s) == (2, 102.0)
    assert lag.waited_s(105.5) == 3.5


def test_drained_is_exactly_nothing() -> None:
    """With only markers left behind the committed position there is no record, no age and no work."""
    tail = a_tail(0, 2, audio_s=0.1)
    tail.reach(4)
    tail.settle(3)
    assert tail.lag(HERE, 4) == PartitionLag(partition=HERE, messages=0, oldest_at_s=None, demand={})
    assert tail.lag(HERE, 4).waited_s(1e9) == 0.0


def test_a_record_is_counted_once() -> None:
    """What is read a second time, as after a reconnect, is no further record."""
    tail = a_tail(5, 6, start=5)
    tail.add(PendingRecord(offset=5, at_s=0.0))
    assert tail.lag(HERE, 7).messages == 2


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    """A producer's timestamp in the future is an age of 0."""
    assert a_tail(0).lag(HERE, 1).waited_s(50.0) == 0.0


def test_what_was_not_read_is_estimated_by_what_was() -> None:
    """Past the bound, offsets count in the proportion of records among those that were read."""
    tail = a_tail(0, 2, 4, records=4)
    is_full = [tail.is_full]
    tail.add(PendingRecord(offset=6, at_s=0.0, model="2stems"))
    assert [*is_full, tail.is_full] == [False, True]
    lag = tail.lag(HERE, 107)
    assert lag.messages == 4 + 58  # 100 offsets, 4 records in 7
    assert lag.demand == {"2stems": Demand(unknown_duration_count=62)}
    tail.settle(6)
    assert tail.is_roomy


def test_large_records_fill_a_tail_too() -> None:
    """Reading ahead is bounded in bytes as well."""
    tail = UnfinishedLog(0, ReadAhead(size_bytes=100))
    tail.add(PendingRecord(offset=0, at_s=0.0, size_bytes=100))
    assert tail.is_full
    tail.settle(1)
    assert tail.is_roomy


def test_demand_is_summed_over_partitions_by_model() -> None:
    """Known durations and records of unknown duration of all partitions add up, each model by itself."""
    lags = [a_tail(0, 1, audio_s=1.5).lag(HERE, 2), a_tail(7, start=7).lag(TopicPartition("requests", 1), 8)]
    assert Backlog(lags=lags, taken_at=0.0).demand() == {"2stems": Demand(audio_ms=3000, unknown_duration_count=1)}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ("2stems", None)),
        ({"model": "4stems", "duration_s": 30.0}, ("4stems", 30.0)),
        ({"model": "a stranger's"}, ("", 0.0)),
        ({"duration_s": float("inf")}, ("", 0.0)),
        ({"duration_s": float("nan")}, ("", 0.0)),
    ],
)
def test_a_request_says_what_work_it_is(fields: dict[str, Any], told: tuple[str, float | None]) -> None:
    """Model and duration as asked for; no work where the request will be refused, and no name that we don't know."""
    assert RequestEstimator(CODEC)(CODEC.encode(a_request(**fields))) == told


def test_garbage_is_no_work() -> None:
    """What can't be decoded is a message that will be gone in no time."""
    assert RequestEstimator(CODEC)(b"garbage") == ("", 0.0)


def test_a_registry_that_is_away_is_not_asked_for_each_record() -> None:
    """Without the registry a record's work is unknown, and for a while the next ones don't wait for it again."""
    registry, now_s = FakeRegistry(), 1000.0
    value = AvroCodec(registry).encode(a_request())
    registry.away = RegistryUnavailable("away")
    describe = RequestEstimator(AvroCodec(registry), clock=lambda: now_s)
    assert describe(value) == ("", None)
    registry.away = AssertionError("asked again")
    assert describe(value) == ("", None)
    registry.away = None
    now_s += 60.0
    assert describe(value) == ("2stems", None)


@pytest.mark.attack
def test_records_that_take_long_to_look_at() -> None:
    """After five seconds of looking at them half of the time is left for it, and the rest is said to be unknown."""
    now_s, looked_at = 1000.0, 0

    class Slow(RequestEstimator):
        def __call__(self, value: bytes | None) -> tuple[str, float | None]:
            nonlocal now_s, looked_at
            now_s += 0.25
            looked_at += 1
            return super().__call__(value)

    value = CODEC.encode(a_request())
    estimate = PacedEstimator(Slow(CODEC), clock=lambda: now_s)
    told = [estimate(value) for _ in range(1000)]
    assert looked_at == 20
    assert (told[0], told[-1]) == (("2stems", None), ("", None))
    now_s += 2.0  # half of which comes back
    told = [estimate(value) for _ in range(1000)]
    assert looked_at == 24
    now_s += 3600.0
    assert estimate(value) == ("2stems", None)


@pytest.mark.parametrize(
    ("messages", "work_s", "separators", "wanted"),
    [
        ((0, 0), 0.0, 1, 0),
        ((1, 0), 0.0, 1, 1),  # a message that is no work still has to be done
        ((3, 0), 60.0, 1, 1),
        ((3, 0), 60.1, 1, 2),
        ((3, 0), 60.1, 2, 1),
        ((9, 9), 6000.0, 1, 2),  # a third replica would get no partition
    ],
)
def test_desired_replicas(messages: tuple[int, ...], work_s: float, separators: int, wanted: int) -> None:
    """As many as do the work in the target time: none for nothing, one for anything, no more than partitions."""
    backlog = a_backlog(*messages)
    assert desired_replicas(backlog, work_s, target_wait_s=60.0, separators=separators, topic="requests") == wanted


def test_what_can_not_be_read_is_counted_by_its_offsets() -> None:
    """A partition that stands at a batch has a lag: what was read of it before, and all offsets from there on."""
    nothing_read = a_tail(start=4).lag(HERE, 9, stands_since_s=50.0)
    assert (nothing_read.messages, nothing_read.oldest_at_s) == (5, 50.0)
    assert nothing_read.demand[""].unknown_duration_count == 5
    at_its_end = a_tail(start=9).lag(HERE, 9, stands_since_s=50.0)
    assert (at_its_end.messages, at_its_end.oldest_at_s) == (0, None)
    something_read = a_tail(0, 1).lag(HERE, 5, stands_since_s=500.0)
    assert (something_read.messages, something_read.oldest_at_s) == (5, 100.0)


def test_who_waits_for_a_senders_transaction_is_told() -> None:
    """Partitions that have stood for longer than a usual transaction takes, each with its offsets and seconds."""
    lags = [
        PartitionLag(partition=TopicPartition("requests", 0), messages=0, oldest_at_s=None, held=5, held_since_s=60.0),
        PartitionLag(partition=TopicPartition("requests", 1), messages=0, oldest_at_s=None, held=9, held_since_s=95.0),
        PartitionLag(partition=TopicPartition("requests", 2), messages=3, oldest_at_s=1.0),
    ]
    backlog = Backlog(lags=lags, taken_at=0.0)
    assert held_by_senders(backlog, now_s=100.0) == (
        "waiting for a sender's transaction to end: requests [0] (5 offsets for 40 s)"
    )
    assert held_by_senders(backlog, now_s=60.5) == held_by_senders(None, now_s=100.0) == ""
