"""What the index tells of the time that jobs will take."""

import threading
from enum import StrEnum
from typing import Any

from consumer.core.catalog import STEM_MODELS
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.events import SeparationProgress
from consumer.gateway.index.entry import Asked, Ended, JobEntry, JobState
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.outlook.at_work import QUIET_MS, SEGMENT_MS, AtWork, RunningJob
from consumer.gateway.outlook.estimate import Situation, time_to_go, work_s
from consumer.gateway.outlook.pace import LatestResults, Pace, Spread, guessed
from consumer.gateway.outlook.waiting_line import WaitingLine, Work, WorkAhead

_LONGEST_AUDIO_S = 7200.0  # a request may name a span that is longer than any file
_TIME_BITS, _TIE_BITS = 43, 20
_NOTHING = WorkAhead()


class Reason(StrEnum):
    """Why the time to go is not told."""

    NOBODY_WORKS = "nobody_works"
    """Something waits, and nothing was heard of any separator for a minute."""
    NOT_KNOWN_YET = "not_known_yet"
    """Too little was heard yet of how many separators there are, how fast they are, or how long tracks are."""


class Outlook:
    """Noted by one thread, asked by any. Bounded by the jobs that have not ended: some 40 bytes each.

    longest_audio_s: what tracks may have.
    """

    def __init__(self, *, longest_audio_s: float = _LONGEST_AUDIO_S, clock: Clock = SYSTEM_CLOCK) -> None:
        self._longest_audio_s, self._clock = longest_audio_s, clock
        self._lock = threading.Lock()
        self._all = WaitingLine()
        self._by_partition: dict[int, WaitingLine] = {}
        self._at_work, self._results = AtWork(), LatestResults()

    def note(self, before: JobEntry | None, after: JobEntry, meaning: Meaning) -> None:
        """A record has changed a job, or told how far it is."""
        with self._lock:
            match meaning:
                case Asked():
                    self._note_asked(before, after, meaning)
                case Ended():
                    self._note_ended(before, after, meaning)
                case SeparationProgress():
                    self._note_progress(after, meaning)

    def of(self, entry: JobEntry) -> dict[str, Any]:
        """`eta` and `queue` of a job that has not ended; a Separation in `bodies` says what the fields are."""
        with self._lock:
            return self._told(entry, round(self._clock.now().timestamp() * 1000))

    def running(self) -> list[RunningJob]:
        """What separators are at, or were a moment ago."""
        with self._lock:
            return self._at_work.jobs(round(self._clock.now().timestamp() * 1000))

    def _told(self, entry: JobEntry, now_ms: int) -> dict[str, Any]:
        place, running = place_of(entry), self._at_work.job(entry.request_id, now_ms)
        line = self._by_partition.get(entry.partition, WaitingLine())
        before = _NOTHING if running else self._all.before(place)
        ahead = before
        for job in () if running else self._at_work.jobs(now_ms):
            if job.place > place:  # it came later, but is begun
                ahead += WorkAhead.of(job.left)
        separators, pace = self._at_work.separators(now_ms), self._pace(now_ms)
        spread: Spread | None = None
        own = self._all.get(place)
        if own is not None and pace is not None and (separators or running):
            same = _NOTHING if running else line.before(place)
            situation = Situation(own=own, ahead=ahead, same_partition=same, separators=max(1, separators))
            spread = time_to_go(situation, pace)
        reason = None if spread else self._reason(separators, now_ms).value
        ahead_s = work_s(ahead, pace) if pace else None
        queue = {
            "ahead": before.jobs,
            "separators": separators,
            "work_seconds_ahead": None if ahead_s is None else round(ahead_s.mean, 1),
            "reason": reason,
        }
        return {"eta": _eta(spread, reason), "queue": queue}

    def _reason(self, separators: int, now_ms: int) -> Reason:
        first = self._all.first()
        waits_since_ms = now_ms if first is None else first >> _TIE_BITS
        quiet_since_ms = max(self._at_work.last_heard_ms, waits_since_ms)
        is_quiet = not separators and now_ms - quiet_since_ms > QUIET_MS
        return Reason.NOBODY_WORKS if is_quiet else Reason.NOT_KNOWN_YET

    def _pace(self, now_ms: int) -> Pace | None:
        if (pace := self._results.pace()) is not None:
            return pace
        jobs = self._at_work.jobs(now_ms)
        speeds = [speed for job in jobs if (speed := job.seconds_per_network_second) is not None]
        return guessed(speeds, [job.total * SEGMENT_MS / 1000 for job in jobs if job.total]) if speeds else None

    def _note_asked(self, before: JobEntry | None, after: JobEntry, asked: Asked) -> None:
        if before is not None and before.state is not after.state:
            self._at_work.ended(after.request_id)  # it begins anew
        if after.state.has_ended:
            return
        left = self._take_out(before) if before else None
        self._put_in(after, left or self._asked_for(asked))

    def _note_ended(self, before: JobEntry | None, after: JobEntry, ended: Ended) -> None:
        self._at_work.heard(min(ended.at_ms, round(self._clock.now().timestamp() * 1000)))
        self._at_work.ended(after.request_id)
        if before is not None:
            self._take_out(before)
        if after.state is JobState.SUCCEEDED:
            self._results.note(ended.document, ended.at_ms)

    def _note_progress(self, after: JobEntry, progress: SeparationProgress) -> None:
        place = place_of(after)
        if (known := self._all.get(place)) is None:
            return
        now_ms = round(self._clock.now().timestamp() * 1000)
        job = self._at_work.note(
            progress, place=place, partition=after.partition, networks=known.networks, now_ms=now_ms
        )
        if job is not None and job.left.audio_ms is not None:
            self._take_out(after)
            self._put_in(after, job.left)

    def _asked_for(self, asked: Asked) -> Work:
        model = STEM_MODELS.get(asked.model)
        is_known = asked.duration_s is not None and 0 < asked.duration_s <= self._longest_audio_s
        audio_ms = round(asked.duration_s * 1000) if asked.duration_s is not None and is_known else None
        return Work(networks=len(model.stems) if model else 2, audio_ms=audio_ms)

    def _put_in(self, entry: JobEntry, work: Work) -> None:
        place = place_of(entry)
        self._all.add(place, work)
        self._by_partition.setdefault(entry.partition, WaitingLine()).add(place, work)

    def _take_out(self, entry: JobEntry) -> Work | None:
        if entry.state.has_ended:
            return None
        place = place_of(entry)
        if (line := self._by_partition.get(entry.partition)) is not None:
            line.remove(place)
            if line.first() is None:
                del self._by_partition[entry.partition]
        return self._all.remove(place)


def place_of(entry: JobEntry) -> int:
    """A job's place in the order of all: by when its request was written, then by where."""
    at_ms = min(max(entry.accepted_ms, 0), (1 << _TIME_BITS) - 1)
    return at_ms << _TIE_BITS | (entry.offset + entry.partition * 7919) % (1 << _TIE_BITS)


def accepted_ms_of(place: int) -> int:
    """When the request of the job at that place was written, in milliseconds since 1970."""
    return place >> _TIE_BITS


def _eta(spread: Spread | None, reason: str | None) -> dict[str, Any]:
    if spread is None:
        return {"seconds": None, "low": None, "high": None, "reason": reason}
    figures = {"seconds": spread.mean, "low": spread.low, "high": spread.high}
    return {**{name: round(value, 1) for name, value in figures.items()}, "reason": None}
