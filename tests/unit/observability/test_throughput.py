import pytest

from consumer.core.lag import Demand
from consumer.observability.throughput import ASSUMED_FACTOR, TYPICAL_AUDIO_S, Throughput


def test_speed_is_that_of_recent_tracks() -> None:
    """Audio a second of work, by model; what a replica became is soon seen."""
    speed = Throughput()
    speed.record("2stems", audio_s=100.0, work_s=5.0)
    assert speed.realtime_factors() == {"2stems": 20.0}
    for _ in range(30):
        speed.record("2stems", audio_s=100.0, work_s=10.0)
    assert speed.realtime_factors()["2stems"] == pytest.approx(10.0, rel=0.01)


def test_work_is_known_audio_and_typical_tracks() -> None:
    """Known seconds count as they are; a record that does not say counts as the tracks that were seen."""
    speed = Throughput()
    speed.record("2stems", audio_s=100.0, work_s=5.0)
    assert speed.work_s({"2stems": Demand(audio_ms=40_000, unknown_duration_count=2)}) == pytest.approx(2.0 + 2 * 5.0)


def test_a_model_that_was_not_used_yet_is_reckoned_from_another() -> None:
    """Work grows with the number of networks: four stems take twice as long as two."""
    speed = Throughput()
    speed.record("2stems", audio_s=100.0, work_s=5.0)
    assert speed.work_s({"4stems-16kHz": Demand(audio_ms=10_000)}) == pytest.approx(1.0)


def test_before_anything_was_measured_something_is_assumed() -> None:
    """A fresh replica tells an estimate too, and nothing for nothing."""
    speed = Throughput()
    assert speed.work_s({}) == 0
    assert speed.work_s({"2stems": Demand(unknown_duration_count=1)}) == pytest.approx(TYPICAL_AUDIO_S / ASSUMED_FACTOR)
    assert speed.work_s({"": Demand(unknown_duration_count=1)}) == pytest.approx(TYPICAL_AUDIO_S / ASSUMED_FACTOR)


def test_a_track_without_measurable_work_breaks_nothing() -> None:
    """Zero seconds of work, by a coarse clock, is no division by zero."""
    speed = Throughput()
    speed.record("2stems", audio_s=1.0, work_s=0.0)
    assert speed.realtime_factors()["2stems"] == 1000.0
