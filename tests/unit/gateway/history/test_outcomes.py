"""Outcomes of the last hour, by the times of their records."""

import math
import random
from collections import Counter

import pytest

from consumer.core.events import DeadLetter, SeparationResult, SourceUsed
from consumer.gateway.history.outcomes import Kind, OutcomeCount
from harness.clock import ManualClock

MINUTE_MS = 60_000


def result(duration_s: float = 100.0, *, deduplicated: bool = False) -> SeparationResult:
    return SeparationResult(request_id="r", source=SourceUsed(duration_s=duration_s), deduplicated=deduplicated)


def letter(code: str) -> DeadLetter:
    return DeadLetter(request_id=None, code=code)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def ms(clock: ManualClock) -> int:
    return round(clock.now().timestamp() * 1000)


def test_each_is_counted_in_its_minute_in_whatever_order_they_are_read(clock: ManualClock) -> None:
    """As a count of the same outcomes by hand, where some lie before the hour."""
    count, rng = OutcomeCount(clock), random.Random(22)
    now_ms = ms(clock)
    made = [(rng.choice(["done", "copy", "AUDIO_EMPTY", "CANCELLED"]), now_ms - rng.randrange(90 * MINUTE_MS))
            for _ in range(2000)]  # fmt: skip
    for what, at_ms in made:
        outcome = letter(what) if what.isupper() else result(deduplicated=what == "copy")
        count.note(outcome, at_ms)
    this_minute = now_ms // MINUTE_MS
    in_hour = [(what, at_ms // MINUTE_MS) for what, at_ms in made if at_ms // MINUTE_MS > this_minute - 60]
    by_minute = Counter(in_hour)
    hour = count.hour()
    assert [minute.at_ms for minute in hour.minutes] == [
        each * MINUTE_MS for each in range(this_minute - 59, this_minute + 1)
    ]
    words = {
        Kind.SEPARATED: "done", Kind.COPIED: "copy", Kind.FAILED: "AUDIO_EMPTY", Kind.CANCELLED: "CANCELLED"
    }  # fmt: skip
    for minute in hour.minutes:
        number = minute.at_ms // MINUTE_MS
        assert minute.kinds == {kind: by_minute[word, number] for kind, word in words.items()}
        assert minute.audio_s == 100.0 * by_minute["done", number]
    wanted = Counter(what for what, _ in in_hour if what.isupper())
    assert hour.codes == wanted


def test_nothing_that_somebody_writes_makes_it_grow(clock: ManualClock) -> None:
    """Codes of nobody's are one, times of the future or of none are none, and lengths that can't be are none."""
    count, now_ms = OutcomeCount(clock), ms(clock)
    for number in range(500):
        count.note(letter(f"MADE_UP_{number}"), now_ms)
    for at_ms in (-1, 0, now_ms + 3 * MINUTE_MS, 2**62):
        count.note(letter("AUDIO_EMPTY"), at_ms)
    for duration_s in (math.nan, math.inf, -5.0, 1e300):
        count.note(result(duration_s), now_ms)
    hour = count.hour()
    assert hour.codes == {"OTHER": 500}
    assert (hour.minutes[-1].kinds[Kind.SEPARATED], hour.minutes[-1].audio_s) == (4, 0.0)
    assert sum(sum(minute.kinds.values()) for minute in hour.minutes) == 504


def test_a_clock_that_is_a_little_ahead_loses_nothing(clock: ManualClock) -> None:
    """A record of the minute that begins soon counts now; an hour later nothing is left of it."""
    count = OutcomeCount(clock)
    count.note(letter("AUDIO_EMPTY"), ms(clock) + MINUTE_MS)
    assert count.hour().minutes[-1].kinds[Kind.FAILED] == 1
    clock.advance(3600)
    assert count.hour().codes == {}
