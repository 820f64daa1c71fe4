"""Starts of the separator: counted where that survives us, and timed from when it really begins."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Code, Rejected, WorkerCrashed
from consumer.core.model import LocalTrack, ObjectFacts, Separation
from consumer.delivery.assignment import Attempt
from consumer.delivery.start_counter import StartCounter
from consumer.observability.metrics import Metrics
from consumer.pipeline.crash_guard import MAX_STARTS, CrashGuard
from consumer.pipeline.fair_lock import FairLock
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.retry import Retrier
from consumer.pipeline.scratch import Scratch
from consumer.pipeline.separation import SeparateTrack
from consumer.pipeline.stage_runner import StageRunner
from consumer.pipeline.trial import Trial
from harness.delivery import UNTRACED, admit, delivery_of, take
from harness.fakes import FakeNotices, FakeSeparator, a_job, a_request
from harness.waiting import wait_for
from tests.unit.delivery.test_dispatcher import T0

BUDGET_S = 3600.0


class Counted(StartCounter):
    """Starts that are durable as soon as they are counted; `meanwhile` is called before."""

    meanwhile: Callable[[Attempt], None] = staticmethod(lambda attempt: None)

    def increment(self, attempt: Attempt) -> None:
        self.meanwhile(attempt)
        attempt.assignment.starts.increment(attempt.record.offset)


class Harness:
    """Guarded separations of records of one partition."""

    def __init__(self, folder: Path, *script: Exception | None) -> None:
        self.folder, self.separator = folder, FakeSeparator(*script)
        self.delivery = delivery_of(T0)
        self.counter = Counted(self.delivery.assignments)
        self.guard = CrashGuard(self.counter)
        metrics = Metrics()
        progress = ProgressReporter(FakeNotices(), AvroCodec(), topic="progress", instance_id="i")
        runner = StageRunner(Retrier({}), metrics)
        self.separate_track = SeparateTrack(
            runner, self.guard, progress, metrics, Trial(Scratch(folder)), max_job_s=BUDGET_S
        )

    def attempt(self, offset: int = 0) -> Attempt:
        admit(self.delivery, T0, offset)
        return take(self.delivery)

    def separate(self, attempt: Attempt, separator: Any = None, **request: Any) -> Separation:
        source = ObjectFacts(bucket="in", key="a.mp3", etag="e", size_bytes=1)
        track = LocalTrack(job=a_job(a_request(**request)), source=source, path=self.folder / "a.mp3", sha256="0" * 64)
        with capture_logs():
            run = JobRun.begin(attempt, UNTRACED)
            return self.separate_track(run, track, separator or self.separator).separation


def test_waiting_to_begin_is_not_the_jobs_time(tmp_path: Path) -> None:
    """The clock stands still while models load and Kafka is waited for, and a start after a crash gets no more time."""
    harness = Harness(tmp_path, WorkerCrashed("signal 9"), None)
    attempt, waiting, working = harness.attempt(), [], []
    separate = harness.separator.separate

    def slow(*arguments: Any, cancel: Any, **rest: Any) -> Separation:
        working.append(cancel.remaining_s())
        cancel.extend(-600.0)  # as if it had taken ten minutes
        return separate(*arguments, cancel=cancel, **rest)

    harness.separator.prepare = lambda cancel: waiting.append(cancel.remaining_s())  # type: ignore[method-assign]
    harness.counter.meanwhile = lambda attempt: waiting.append(attempt.cancellation.remaining_s())
    harness.separator.separate = slow  # type: ignore[method-assign]
    harness.separate(attempt)
    assert waiting == [None] * 4
    assert working == pytest.approx([BUDGET_S, BUDGET_S - 600.0], abs=60.0)
    assert attempt.cancellation.remaining_s() == pytest.approx(BUDGET_S - 1200.0, abs=60.0)


def test_a_start_that_is_no_crash_is_taken_back(tmp_path: Path) -> None:
    """Success and any error but a crash leave no start behind; a crash leaves one, and three are all there are."""
    harness = Harness(tmp_path, None, Rejected(Code.AUDIO_EMPTY, "empty"))
    first, second, third = harness.attempt(0), harness.attempt(1), harness.attempt(2)
    harness.separate(first)
    with pytest.raises(Rejected):
        harness.separate(second)
    assert (harness.counter.count(first), harness.counter.count(second)) == (0, 0)
    harness.separator.script.extend([WorkerCrashed("signal 9")] * MAX_STARTS)
    with pytest.raises(Rejected, match="died over it 3 times"):
        harness.separate(third)
    assert harness.counter.count(third) == MAX_STARTS


def test_a_death_while_the_replica_stops_is_no_crash(tmp_path: Path) -> None:
    """The record is left to others as it was: it is neither charged nor begun again here."""
    harness = Harness(tmp_path)
    attempt = harness.attempt()

    def killed(*arguments: Any, **rest: Any) -> Separation:
        harness.counter.stop()
        raise WorkerCrashed("the separator process died by signal 9")

    harness.separator.separate = killed  # type: ignore[method-assign]
    harness.counter.meanwhile = lambda attempt: harness.counter._under_way.add(attempt)
    with pytest.raises(Cancelled, match="signal 9 while the replica was stopping") as ended:
        harness.separate(attempt)
    assert ended.value.rejection is None
    assert harness.counter.count(attempt) == 0


def test_a_separation_ends_at_its_deadline(tmp_path: Path) -> None:
    """A separation that is under way is stopped when nobody waits for it any more; and no start is left behind."""
    harness = Harness(tmp_path)
    attempt = harness.attempt()

    def endless(*arguments: Any, cancel: Cancellation, **rest: Any) -> Separation:
        while True:
            cancel.sleep(20.0)

    harness.separator.separate = endless  # type: ignore[method-assign]
    with pytest.raises(Cancelled) as ended:
        harness.separate(attempt, deadline=datetime.now(UTC) + timedelta(milliseconds=50))
    assert ended.value.rejection
    assert (ended.value.rejection.code, ended.value.reason) == (Code.DEADLINE_EXCEEDED, "deadline")
    assert harness.counter.count(attempt) == 0


@pytest.mark.parametrize("is_far", [False, True])
def test_a_deadline_is_forgotten_with_its_separation(tmp_path: Path, is_far: bool) -> None:
    deadline = datetime.max.replace(tzinfo=UTC) if is_far else datetime.now(UTC) + timedelta(hours=1)
    harness = Harness(tmp_path)
    before = threading.active_count()
    harness.separate(harness.attempt(), deadline=deadline)
    wait_for(lambda: threading.active_count() == before)


def test_a_track_that_killed_before_is_separated_alone(tmp_path: Path) -> None:
    """A record with earlier starts begins once no other is at work, and the next one once it has ended."""
    harness = Harness(tmp_path)
    attempts = [harness.attempt(offset) for offset in range(3)]
    attempts[1].assignment.starts.increment(1)
    entered, leave = [threading.Event() for _ in attempts], [threading.Event() for _ in attempts]
    harness.counter.meanwhile = lambda attempt: entered[attempt.record.offset].set()

    def at_work(offset: int) -> Any:
        separator = FakeSeparator()
        separate = separator.separate

        def slow(*arguments: Any, **rest: Any) -> Separation:
            assert leave[offset].wait(20)
            return separate(*arguments, **rest)

        separator.separate = slow  # type: ignore[method-assign]
        return separator

    threads = [threading.Thread(target=harness.separate, args=(t, at_work(t.record.offset))) for t in attempts]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 0:
            assert entered[0].wait(20)
        else:
            wait_for(lambda number=number: len(harness.guard.gate._queue) == number)
    for number in range(3):
        assert [event.is_set() for event in entered] == [other <= number for other in range(3)]
        leave[number].set()
        if number < 2:
            assert entered[number + 1].wait(20)
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_tracks_without_a_past_are_separated_side_by_side(tmp_path: Path) -> None:
    """As many as there are separators; also after one that was alone has died again."""
    harness = Harness(tmp_path, WorkerCrashed("signal 9"), WorkerCrashed("signal 9"), None)
    harness.separate(harness.attempt(0))
    together = threading.Barrier(2, timeout=60)

    def meet(attempt: Attempt) -> None:
        together.wait(20)

    harness.counter.meanwhile = meet
    attempts = [harness.attempt(1), harness.attempt(2)]
    threads = [threading.Thread(target=harness.separate, args=(attempt, FakeSeparator())) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not together.broken
    assert harness.guard.gate._inside == 0


def test_a_track_that_waits_to_be_alone_can_be_cancelled() -> None:
    """It leaves the gate as if it had never been there, is charged nothing, and those behind it go on."""
    fair_lock, unwanted = FairLock(), Cancellation()
    with fair_lock.entered(Cancellation(), is_alone=False):
        unwanted.cancel("user")
        with pytest.raises(Cancelled), fair_lock.entered(unwanted, is_alone=True):
            raise AssertionError("it was let in")
        with fair_lock.entered(Cancellation(), is_alone=False):
            pass
    with fair_lock.entered(Cancellation(), is_alone=True):
        pass
