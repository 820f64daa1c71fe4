"""The ring of samples: an hour, a sample for each half minute, and what could not be read."""

import asyncio

import pytest

from consumer.gateway.history.keeping import keep_sampled
from consumer.gateway.history.samples import Sample, SampleRing

NOON_S = 1_764_504_000.0  # a whole half minute


def test_it_holds_the_last_hour_and_no_more() -> None:
    """Whoever asks how often: 120 samples at most, the oldest first, and none once an hour has gone by."""
    ring = SampleRing()
    for second in range(0, 3 * 3600, 7):
        ring.note_lag(NOON_S + second, messages=second, seconds=1.0)
        assert len(ring.samples(NOON_S + second)) <= 120
    end_s = NOON_S + 3 * 3600
    told = ring.samples(end_s)
    assert [each.at_s for each in told] == sorted(each.at_s for each in told)
    assert len(told) == 119  # of the half minute that has just begun nothing is known
    assert told[0].at_s > end_s - 3600
    assert ring.samples(end_s + 1800)[-1] == told[-1]
    assert ring.samples(end_s + 3600) == []


def test_the_later_of_two_in_one_span_counts() -> None:
    """Lag and replicas come together in one sample; a failure takes nothing away that is known."""
    ring = SampleRing()
    ring.note_lag(NOON_S, messages=5, seconds=3.0)
    ring.note_replicas(NOON_S + 1, 2)
    ring.note_lag(NOON_S + 29, messages=7, seconds=4.0)
    ring.note_nothing(NOON_S + 29.5)
    assert ring.samples(NOON_S + 30) == [Sample(at_s=NOON_S + 29.5, messages=7, seconds=4.0, replicas=2)]
    ring.note_nothing(NOON_S + 31)
    assert ring.samples(NOON_S + 31)[1:] == [Sample(at_s=NOON_S + 31)]


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """Samples are never out of their order."""
    ring = SampleRing()
    ring.note_replicas(NOON_S, 1)
    ring.note_replicas(NOON_S - 7200, 2)
    assert ring.samples(NOON_S - 7200) == [Sample(at_s=NOON_S - 7200, replicas=2)]


def test_sampling_goes_on_until_it_is_cancelled() -> None:
    """Once each half minute, the first after one."""
    waited: list[float] = []
    taken = 0

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 4:
            raise asyncio.CancelledError

    async def sample() -> None:
        nonlocal taken
        taken += 1

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_sampled(sample, sleep=sleep))
    assert (waited, taken) == ([30] * 4, 3)
