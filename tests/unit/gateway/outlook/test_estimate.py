"""The time that a job will take, beside numbers that were worked out by hand."""

import json
import math

import pytest

from consumer.gateway.outlook.estimate import Situation, time_to_go, work_s
from consumer.gateway.outlook.pace import LatestResults, Pace, Spread, guessed, sample_of
from consumer.gateway.outlook.waiting_line import Work, WorkAhead

# A tenth of a second for each second of audio and network; tracks of 200 s, give or take 50; 3 s for the way.
PACE = Pace(
    speed=Spread(mean=0.1, low=0.08, high=0.15),
    audio_s=200.0,
    audio_sd_s=50.0,
    tracks=100,
    way_s=Spread(mean=3, low=2, high=5),
)


def check(found: Spread | None, mean: float, low: float, high: float) -> None:
    """It is that, but for the last digits."""
    assert found is not None
    assert [found.mean, found.low, found.high] == pytest.approx([mean, low, high])


def result(seconds: float = 20.0, audio_s: float = 100.0, **changed: object) -> bytes:
    """The document of a result of two stems that took so long."""
    told = {
        "model": "2stems",
        "source": {"duration_s": audio_s},
        "timings_s": {"fetch": 1.0, "separate": seconds - 0.5, "encode_tail": 0.5, "store": 2.0},
        "deduplicated": False,
    }
    return json.dumps(told | changed).encode()


def test_work_whose_length_is_known() -> None:
    """100 s of audio through 2 networks and 50 s through 4: 400 network seconds."""
    ahead = WorkAhead.of(Work(networks=2, audio_ms=100_000)) + WorkAhead.of(Work(networks=4, audio_ms=50_000))
    check(work_s(ahead, PACE), 40, 32, 60)


def test_work_whose_length_is_not_known() -> None:
    """Four tracks of 2 networks, told of a hundred: 8 x 200 s, give or take 1.645 x 50 s x sqrt(4 x 4 + 64 / 100)."""
    ahead = sum((WorkAhead.of(Work(networks=2)) for _ in range(4)), WorkAhead())
    found = work_s(ahead, PACE)
    apart = 1.645 * 50 * math.sqrt(16.64)
    check(found, 160, 0.08 * (1600 - apart), 0.15 * (1600 + apart))


def test_time_to_go_is_shared_by_separators() -> None:
    """400 network seconds ahead by 4 separators: 10 s; 20 s of its own, and 3 for the way. At the worst its partition's
    300 are one separator's alone: 45 s, then 30, 5 for the way, and 2 until the end is known."""
    situation = Situation(
        own=Work(networks=2, audio_ms=100_000),
        ahead=WorkAhead(jobs=4, network_ms=400_000),
        same_partition=WorkAhead(jobs=3, network_ms=300_000),
        separators=4,
    )
    found = time_to_go(situation, PACE)
    check(found, 33, 24, 82)


def test_without_any_length_nothing_is_told() -> None:
    """A pace that was told from a running job of unknown length."""
    pace = guessed([0.1], [])
    own = Work(networks=2)
    situation = Situation(own=own, ahead=WorkAhead(), same_partition=WorkAhead(), separators=1)
    assert math.isnan(pace.audio_s)
    assert time_to_go(situation, pace) is None


def test_pace_of_results() -> None:
    """20 s for 100 s through 2 networks; the latest alone count, in whatever order they are read."""
    results = LatestResults(most=3)
    assert results.pace() is None
    for at_ms, seconds in ((5, 40.0), (1, 1000.0), (4, 20.0), (6, 30.0), (2, 1000.0)):
        results.note(result(seconds), at_ms)
    pace = results.pace()
    assert pace is not None
    assert pace.speed.mean == pytest.approx(0.15)
    assert [pace.speed.low, pace.speed.high] == [pytest.approx(0.075), pytest.approx(0.3)]  # few tell no spread
    assert pace.way_s.mean == pytest.approx(3.0)


def test_many_results_tell_their_spread() -> None:
    """Of a hundred the range of nine in ten; long tracks count for more in the mean."""
    results = LatestResults()
    for number in range(1, 101):
        results.note(result(seconds=number, audio_s=100.0), number)
    pace = results.pace()
    assert pace is not None
    assert pace.speed.mean == pytest.approx(5050 / (100 * 200))
    assert [pace.speed.low, pace.speed.high] == [pytest.approx(6 / 200), pytest.approx(95 / 200)]
    assert pace.audio_sd_s == 0.0


@pytest.mark.parametrize(
    "broken",
    [
        result(deduplicated=True),
        result(model="9stems"),
        result(audio_s=0.0),
        result(audio_s=-1.0),
        result(audio_s=1e300),
        result(audio_s=1e-300),
        result(timings_s={}),
        result(timings_s={"separate": -5.0}),
        result(timings_s={"separate": 1e300}),
        result(timings_s={"separate": 1.0, "fetch": -1.0}),
        result(timings_s={"separate": "fast"}),
        result(source=None),
        b"{",
        b"[]",
        b"\xff",
    ],
)
def test_what_tells_nothing_counts_for_nothing(broken: bytes) -> None:
    """Copies, and figures that can't be: outcomes are whatever somebody wrote."""
    assert sample_of(broken, 1) is None
    assert sample_of(result(), 1) is not None
