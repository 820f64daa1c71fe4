"""What jobs are told of the time that they will take, as the index reads of them."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.core.events import SeparationProgress
from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import Ended, JobState
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import IndexWriter, ProgressBook
from consumer.gateway.outlook.outlook import Outlook
from harness.clock import ManualClock
from harness.job_log import LETTERS, PROGRESS, REQUESTS, RESULTS, asked, ended

SEGMENT_S = 11.889  # what a segment of progress stands for, as docs/http.md has it


class World:
    """An index that is read as things happen."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.clock, self.table, self.outlook = clock, JobTable(folder), Outlook(clock=clock)
        self._writer = IndexWriter(self.table, ProgressBook(), requests_topic=REQUESTS, on_change=self.outlook.note)
        self.read: list[tuple[str, Meaning]] = []

    def at_ms(self) -> int:
        return round(self.clock.now().timestamp() * 1000)

    def ask(self, job: str, *, partition: int = 0, model: str = "2stems", duration_s: float | None = None) -> None:
        plain = asked(job, partition=partition, offset=len(self.read), at_ms=self.at_ms())
        self.note(REQUESTS, replace(plain, model=model, duration_s=duration_s))

    def go_on(self, job: str, done: int, total: int | None = 10, *, by: str = "a") -> None:
        self.note(
            PROGRESS,
            SeparationProgress(
                request_id=job, stage="separate", segments_done=done, segments_total=total, instance_id=by,
                at=self.clock.now(),
            ),
        )  # fmt: skip

    def succeed(self, job: str, *, audio_s: float = 100.0, separate_s: float = 20.0, model: str = "2stems") -> None:
        document = {"model": model, "source": {"duration_s": audio_s}, "timings_s": {"separate": separate_s}}
        self.note(
            RESULTS,
            Ended(
                request_id=job, state=JobState.SUCCEEDED, tenant="t", fingerprint=None, partition=-1, offset=-1,
                document=json.dumps(document).encode(), at_ms=self.at_ms(),
            ),
        )  # fmt: skip

    def note(self, topic: str, meaning: Meaning) -> None:
        self.read.append((topic, meaning))
        self._writer.apply_record(meaning, (TopicPartition(topic, 0), len(self.read)))
        self.table.commit()

    def of(self, job: str) -> dict[str, Any]:
        entry = self.table.get(job)
        assert entry is not None
        return self.outlook.of(entry)

    def restart(self, folder: Path) -> "World":
        """Another gateway, which reads topic by topic what this one has read."""
        folder.mkdir()
        other = World(folder, self.clock)
        order = (REQUESTS, PROGRESS, RESULTS, LETTERS)
        for topic, meaning in sorted(self.read, key=lambda each: order.index(each[0])):
            other.note(topic, meaning)
        return other


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, ManualClock())


NOTHING = {"seconds": None, "low": None, "high": None}


def test_nobody_works(world: World) -> None:
    """Not known at first, since whoever works may not have been heard yet; after a minute it is said."""
    world.ask("a")
    assert world.of("a") == {
        "eta": {**NOTHING, "reason": "not_known_yet"},
        "queue": {"ahead": 0, "separators": 0, "work_seconds_ahead": None, "reason": "not_known_yet"},
    }
    world.clock.advance(60.001)
    world.ask("b")
    told = world.of("b")
    assert told["eta"] == {**NOTHING, "reason": "nobody_works"}
    assert (told["queue"]["ahead"], told["queue"]["reason"]) == (1, "nobody_works")


def test_one_who_stops_is_nobody_after_a_minute(world: World) -> None:
    """What was known of the pace stays; how long it will take is not known any more."""
    world.ask("a", duration_s=100.0)
    world.go_on("a", 1)
    world.succeed("a")
    world.ask("b", duration_s=100.0)
    assert world.of("b")["eta"]["seconds"] == pytest.approx(20.0)
    world.clock.advance(60.001)
    world.ask("c", duration_s=100.0)
    told = world.of("c")
    assert told["eta"] == {**NOTHING, "reason": "nobody_works"}
    assert told["queue"] == {"ahead": 1, "separators": 0, "work_seconds_ahead": 20.0, "reason": "nobody_works"}


def test_outcomes_are_a_sign_of_life(world: World) -> None:
    """Jobs that fail at once have no progress: somebody is there, and it is not known who."""
    world.ask("a")
    world.clock.advance(55)
    world.ask("b")
    world.note(LETTERS, ended("b", JobState.FAILED, partition=0, offset=1, at_ms=world.at_ms()))
    world.clock.advance(55)
    assert world.of("a")["eta"]["reason"] == "not_known_yet"


def test_a_queue(world: World) -> None:
    """Two separators, 20 s for 100 s of two stems: 2 jobs of 100 s and 4 stems, half of one done, then its own."""
    for job in ("a", "b"):
        world.ask(job, duration_s=100.0)
        world.go_on(job, 1, by=job)
        world.succeed(job)
    world.ask("half", model="4stems")
    world.go_on("half", 5, 10, by="a")
    world.ask("whole", model="4stems", duration_s=100.0)
    world.ask("mine", duration_s=50.0)
    told = world.of("mine")
    ahead_s = 0.1 * 4 * (5 * SEGMENT_S + 100)
    assert told["queue"] == {
        "ahead": 2, "separators": 2, "work_seconds_ahead": pytest.approx(ahead_s, abs=0.1), "reason": None,
    }  # fmt: skip
    assert told["eta"]["seconds"] == pytest.approx(ahead_s / 2 + 10, abs=0.1)
    assert told["eta"]["low"] < told["eta"]["seconds"] < told["eta"]["high"]
    assert told["eta"]["reason"] is None
    mine = world.of("half")
    assert mine["queue"] == {"ahead": 0, "separators": 2, "work_seconds_ahead": 0.0, "reason": None}
    assert mine["eta"]["seconds"] == pytest.approx(0.1 * 4 * 5 * SEGMENT_S, abs=0.1)


def test_what_came_later_and_is_begun_is_done_before(world: World) -> None:
    """It is not ahead in the queue, but its separator is taken."""
    world.ask("a", duration_s=100.0)
    world.go_on("a", 1)
    world.succeed("a")
    world.clock.advance(1)
    world.ask("mine", duration_s=100.0)
    world.clock.advance(1)
    world.ask("other", partition=1)
    world.go_on("other", 4, 10)
    told = world.of("mine")
    assert told["queue"]["ahead"] == 0
    assert told["queue"]["work_seconds_ahead"] == pytest.approx(0.1 * 2 * 6 * SEGMENT_S, abs=0.1)


def test_the_first_job_of_all_tells_by_its_own_progress(world: World) -> None:
    """3 of 10 segments in 6 s after the first: 2 s each, 6 are left."""
    world.ask("a")
    world.go_on("a", 1)
    assert world.of("a")["eta"]["reason"] == "not_known_yet"
    world.clock.advance(6)
    world.go_on("a", 4)
    told = world.of("a")["eta"]
    assert told["seconds"] == pytest.approx(12.0, abs=0.1)
    assert told["low"] == pytest.approx(6.0, abs=0.1)
    assert told["high"] >= 24.0
    world.ask("b")  # as long as the one that is known: 10 segments, behind 6 of the first
    assert world.of("b")["eta"]["seconds"] == pytest.approx(12 + 20, abs=0.1)


def test_a_span_that_no_file_has_is_not_believed(world: World) -> None:
    """A request may ask for a billion seconds, which means: to the end."""
    world.ask("a")
    world.go_on("a", 1)
    world.succeed("a")
    world.ask("b", duration_s=1e9)
    assert world.of("b")["eta"]["seconds"] == pytest.approx(20.0)


@pytest.mark.parametrize("done", [-(2**63), 0, 2**63 - 1])
@pytest.mark.parametrize("total", [-(2**63), 0, 2**63 - 1, None])
def test_progress_that_can_not_be_is_borne(world: World, done: int, total: int | None) -> None:
    """Topics hold whatever somebody wrote: the index goes on, and what it tells is a number or none."""
    world.ask("a")
    world.succeed("a")
    world.ask("b")
    world.go_on("b", done, total)
    world.clock.advance(5)
    world.go_on("b", done, total)
    world.ask("c")
    for job in ("b", "c"):
        told = json.dumps(world.of(job), allow_nan=False)
        assert json.loads(told)["eta"]["seconds"] >= 0
    assert [job.request_id for job in world.outlook.running()] == ["b"]


def test_a_gateway_that_starts_tells_the_same(world: World, tmp_path: Path) -> None:
    """From the topics alone, read topic by topic."""
    world.ask("a")
    world.go_on("a", 1)
    world.succeed("a", separate_s=30)
    for number in range(5):
        world.clock.advance(1)
        world.ask(f"b{number}", partition=number % 2, duration_s=10.0 * (number + 1))
    world.go_on("b0", 1, 2)
    world.note(LETTERS, ended("b1", JobState.CANCELLED, partition=1, offset=-1, at_ms=world.at_ms()))
    other = world.restart(tmp_path / "other")
    for job in ("b0", "b2", "b3", "b4"):
        assert other.of(job) == world.of(job)
        assert world.of(job)["eta"]["seconds"] > 0


@pytest.mark.parametrize("separators", [1, 3])
def test_the_end_is_in_the_range_nearly_always(world: World, separators: int) -> None:
    """Separators that take the next job when they are free, tracks and speeds that differ, and someone who looks."""
    dice = random.Random(7)
    jobs = [f"job-{number}" for number in range(60)]
    lengths = {job: dice.uniform(60, 400) for job in jobs}
    for job in jobs:
        world.ask(job, partition=dice.randrange(6))
        world.clock.advance(0.01)
    begun_s, waiting, running = world.clock.now_s, list(jobs), dict[str, tuple[str, float, float]]()
    told: dict[str, list[tuple[float, dict[str, float]]]] = {job: [] for job in jobs}
    ended_s: dict[str, float] = {}
    while len(ended_s) < len(jobs):
        for replica in (f"replica-{number}" for number in range(separators)):
            if waiting and replica not in {by for by, _, _ in running.values()}:
                job = waiting.pop(0)
                running[job] = replica, world.clock.now_s, lengths[job] * dice.uniform(0.08, 0.12)
        world.clock.advance(1)
        for job, (replica, since_s, takes_s) in list(running.items()):
            share, total = (world.clock.now_s - since_s) / takes_s, round(lengths[job] / SEGMENT_S)
            if share >= 1:
                world.succeed(job, audio_s=lengths[job], separate_s=takes_s)
                ended_s[job] = world.clock.now_s
                del running[job]
            else:
                world.go_on(job, int(share * total), total, by=replica)
        if len(ended_s) >= 5 and int(world.clock.now_s - begun_s) % 20 == 0:
            for job in jobs:
                if job not in ended_s:
                    told[job].append((world.clock.now_s, world.of(job)["eta"]))
    looked = [(job, at_s, eta) for job, each in told.items() for at_s, eta in each]
    assert len(looked) > 100
    right = sum(eta["low"] <= ended_s[job] - at_s <= eta["high"] for job, at_s, eta in looked)
    assert right / len(looked) > 0.9
