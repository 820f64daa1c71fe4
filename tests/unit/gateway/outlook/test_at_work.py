"""How many separators are at work, told from progress alone."""

from datetime import UTC, datetime

import pytest

from consumer.core.events import SeparationProgress
from consumer.gateway.outlook.at_work import AtWork

NOW_MS = 1_000_000_000


class Progress:
    """Progress as replicas tell it; times are seconds behind a beginning."""

    def __init__(self) -> None:
        self.work = AtWork()

    def tell(self, job: str, at_s: float, done: int, *, by: str = "a", now_s: float | None = None) -> None:
        now_ms = NOW_MS + round((at_s if now_s is None else now_s) * 1000)
        told = SeparationProgress(
            request_id=job, stage="separate", segments_done=done, segments_total=40, instance_id=by,
            at=datetime.fromtimestamp(NOW_MS / 1000 + at_s, UTC),
        )  # fmt: skip
        self.work.note(told, place=len(job), partition=0, networks=2, now_ms=now_ms)

    def separators(self, at_s: float) -> int:
        return self.work.separators(NOW_MS + round(at_s * 1000))


@pytest.fixture
def told() -> Progress:
    return Progress()


def test_jobs_one_after_the_other_have_one_separator(told: Progress) -> None:
    """Also while what is done is still being stored."""
    for number in range(5):
        for step in range(3):
            told.tell(f"job-{number}", number * 10 + step, step + 1)
    assert told.separators(43) == 1


def test_jobs_side_by_side_have_one_each(told: Progress) -> None:
    """Of one replica or of several; between two jobs a separator is still there."""
    for step in range(3):
        told.tell("one", step, step + 1)
        told.tell("two", step + 0.5, step + 1)
        told.tell("three", step, step + 1, by="b")
    assert told.separators(3) == 3
    told.work.ended("two")
    told.tell("one", 4, 4)
    assert told.separators(4) == 3


def test_fewer_are_told_once_fewer_are_heard_for_a_minute(told: Progress) -> None:
    """A replica that is made smaller."""
    for step in range(3):
        told.tell("one", step, step + 1)
        told.tell("two", step + 0.5, step + 1)
    for step in range(3, 90):
        told.tell("one", step, step + 1)
    assert told.separators(90) == 1


def test_who_is_silent_for_a_minute_is_not_at_work(told: Progress) -> None:
    """Neither replica nor job."""
    told.tell("one", 0, 1)
    assert told.separators(60) == 1
    assert told.work.job("one", NOW_MS + 60_000) is not None
    assert told.separators(60.001) == 0
    assert told.work.job("one", NOW_MS + 60_001) is None
    assert told.work.jobs(NOW_MS + 60_001) == []


def test_what_is_read_at_a_start_tells_of_then(told: Progress) -> None:
    """Progress of an hour ago is nobody at work; that of a moment ago is."""
    told.tell("old", 0, 1, now_s=3600)
    told.tell("new", 3590, 1, by="b", now_s=3600)
    assert told.separators(3600) == 1


def test_a_clock_that_is_ahead_is_not_believed(told: Progress) -> None:
    """Else a replica whose clock is wrong would be at work for ever."""
    told.tell("one", 9000, 1, now_s=0)
    assert told.separators(61) == 0


def test_pace_of_a_running_job(told: Progress) -> None:
    """10 segments of 11.889 s through 2 networks in 20 s; two are too few to tell; another attempt begins anew."""
    told.tell("one", 0, 1)
    told.tell("one", 1, 2)
    job = told.work.job("one", NOW_MS + 1000)
    assert job is not None
    assert job.seconds_per_network_second is None
    told.tell("one", 20, 11)
    job = told.work.job("one", NOW_MS + 20_000)
    assert job is not None
    assert job.seconds_per_network_second == pytest.approx(20 / (10 * 11.889 * 2))
    assert job.left.audio_ms == 29 * 11_889
    told.tell("one", 21, 1)
    job = told.work.job("one", NOW_MS + 21_000)
    assert job is not None
    assert job.seconds_per_network_second is None
