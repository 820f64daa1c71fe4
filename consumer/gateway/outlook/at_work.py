"""Which separators are at work, told from the progress of jobs: a replica that is silent has none."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from consumer.core.events import SeparationProgress
from consumer.gateway.outlook.waiting_line import Work

QUIET_MS = 60_000  # without a word, a separator is at work no longer
_BESIDE_MS = 20_000  # a job that is worked on is heard of more often
SEGMENT_MS = 11_889  # of audio, as progress counts it
_MOST_SEGMENTS = 10**8  # whatever somebody wrote
_MOST_JOBS, _MOST_REPLICAS = 20_000, 10_000
_LEAST_SEGMENTS, _LEAST_MS = 2, 2000  # of which a pace is told


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that a separator is at. Times are milliseconds since 1970, by the replica's clock.

    place: in the order of all jobs; partition: its request's. first_ms and first_done: what was heard first of this
    attempt.
    """

    request_id: str
    place: int
    partition: int
    networks: int
    instance_id: str
    stage: str
    attempt: int
    first_ms: int
    first_done: int
    heard_ms: int
    done: int
    total: int | None

    @property
    def left(self) -> Work:
        """What is left of it."""
        segments = None if self.total is None else min(max(0, self.total - self.done), _MOST_SEGMENTS)
        audio_ms = None if segments is None else segments * SEGMENT_MS
        return Work(networks=self.networks, audio_ms=audio_ms)

    @property
    def seconds_per_network_second(self) -> float | None:
        """Of this job so far; None where too little was heard of it."""
        done, spent_ms = self.done - self.first_done, self.heard_ms - self.first_ms
        if done < _LEAST_SEGMENTS or spent_ms < _LEAST_MS:
            return None
        return spent_ms / (self.networks * done * SEGMENT_MS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replica:
    """peak: the most jobs that were side by side, at peak_ms or since."""

    peak: int
    peak_ms: int
    heard_ms: int


class AtWork:
    """Not thread-safe. last_heard_ms: when anything was heard of any replica, outcomes included."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, RunningJob] = OrderedDict()
        self._replicas: OrderedDict[str, _Replica] = OrderedDict()
        self.last_heard_ms = 0

    def note(
        self, progress: SeparationProgress, *, place: int, partition: int, networks: int, now_ms: int
    ) -> RunningJob | None:
        """A job's progress was read; None where that is too old to tell of now."""
        heard_ms = min(round(progress.at.timestamp() * 1000), now_ms)
        if now_ms - heard_ms > QUIET_MS:
            return None
        self.heard(heard_ms)
        before = self._jobs.get(progress.request_id)
        is_same = before is not None and before.attempt == progress.attempt and before.done <= progress.segments_done
        job = RunningJob(
            request_id=progress.request_id,
            place=place,
            partition=partition,
            networks=networks,
            instance_id=progress.instance_id,
            stage=progress.stage,
            attempt=progress.attempt,
            first_ms=before.first_ms if before and is_same else heard_ms,
            first_done=before.first_done if before and is_same else progress.segments_done,
            heard_ms=heard_ms,
            done=progress.segments_done,
            total=progress.segments_total,
        )
        self._jobs[progress.request_id] = job
        self._jobs.move_to_end(progress.request_id)
        self._note_peak(job)
        self._forget(now_ms)
        return job

    def heard(self, at_ms: int) -> None:
        """Something came of a replica's work then."""
        self.last_heard_ms = max(self.last_heard_ms, at_ms)

    def ended(self, request_id: str) -> None:
        """Nobody is at that job any more."""
        self._jobs.pop(request_id, None)

    def job(self, request_id: str, now_ms: int) -> RunningJob | None:
        """The job, if a separator is at it."""
        job = self._jobs.get(request_id)
        return job if job is not None and now_ms - job.heard_ms <= QUIET_MS else None

    def jobs(self, now_ms: int) -> list[RunningJob]:
        """All that separators are at."""
        return [job for job in self._jobs.values() if now_ms - job.heard_ms <= QUIET_MS]

    def separators(self, now_ms: int) -> int:
        """How many are at work, or were within a minute."""
        return sum(each.peak for each in self._replicas.values() if now_ms - each.heard_ms <= QUIET_MS)

    def _note_peak(self, job: RunningJob) -> None:
        """Jobs of one replica whose times overlap are side by side; those that follow each other have one separator."""
        since_ms = max(job.first_ms, job.heard_ms - _BESIDE_MS)
        count = sum(
            other.instance_id == job.instance_id and other.heard_ms >= since_ms for other in self._jobs.values()
        )
        known = self._replicas.get(job.instance_id)
        if known is None or count >= known.peak or job.heard_ms - known.peak_ms > QUIET_MS:
            known = _Replica(peak=count, peak_ms=job.heard_ms, heard_ms=job.heard_ms)
        self._replicas[job.instance_id] = replace(known, heard_ms=max(known.heard_ms, job.heard_ms))
        self._replicas.move_to_end(job.instance_id)

    def _forget(self, now_ms: int) -> None:
        while self._jobs and (
            len(self._jobs) > _MOST_JOBS or now_ms - next(iter(self._jobs.values())).heard_ms > QUIET_MS
        ):
            self._jobs.popitem(last=False)
        while len(self._replicas) > _MOST_REPLICAS:
            self._replicas.popitem(last=False)
