"""Applies what records mean to the index's rows."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import msgspec

from consumer.core.events import SeparationProgress
from consumer.gateway.index.entry import Asked, Ended, JobEntry, JobState
from consumer.gateway.index.event_table import EventKind, Place
from consumer.gateway.index.interpret import Meaning
from consumer.gateway.index.table import JobTable

_CLOCKS_DIFFER_MS = 60_000
_MOST_PROGRESS = 20_000  # jobs; best effort, so the oldest may be forgotten


class ProgressBook:
    """The latest progress of jobs under way. Written by one thread, read by any."""

    def __init__(self, most: int = _MOST_PROGRESS) -> None:
        self._most = most
        self._latest: OrderedDict[str, SeparationProgress] = OrderedDict()

    def get(self, request_id: str) -> SeparationProgress | None:
        """What was last heard of a job."""
        return self._latest.get(request_id)

    def note(self, progress: SeparationProgress) -> None:
        """Something was heard."""
        self._latest[progress.request_id] = progress
        self._latest.move_to_end(progress.request_id)
        while len(self._latest) > self._most:
            self._latest.popitem(last=False)

    def forget(self, request_id: str) -> None:
        """The job has ended, or begins anew."""
        self._latest.pop(request_id, None)


OnChange = Callable[[JobEntry | None, JobEntry, Meaning], None]


def _ignore(before: JobEntry | None, after: JobEntry, meaning: Meaning) -> None:
    pass


class IndexWriter:
    """Used by one thread. What is applied is seen by others after `commit`. jobs: how many it has made.

    requests_topic: of whose records alone a job is accepted; a dead letter tells the request too. on_change: told of
    each change as it is applied, by the job before and after.
    """

    def __init__(
        self, table: JobTable, progress: ProgressBook, *, requests_topic: str = "", on_change: OnChange = _ignore
    ) -> None:
        self._table, self._progress, self._requests_topic = table, progress, requests_topic
        self._on_change = on_change
        self.jobs = 0

    @property
    def last_event(self) -> int:
        """The number of the last event that was noted."""
        return self._table.events.last

    def commit(self) -> None:
        """What was applied is seen by others from now on."""
        self._table.commit()

    def forget(self, request_id: str, tenant: str | None) -> JobEntry | None:
        """From now on nothing is kept of that request; the job since then, None where nothing changed."""
        is_new, before = self._table.add_forgotten(request_id, tenant), self._table.get_own(request_id)
        if not is_new or before is None or before.tenant != tenant:
            return None
        self._progress.forget(request_id)
        self._table.events.remove(tenant, request_id)
        after = before.forgotten()
        self._table.put(after)
        return after

    def apply_record(self, meaning: Meaning, place: Place) -> JobEntry | None:
        """The job since then, with what happened to it noted at this place.

        None where nothing changed, or nothing is known of it but this.
        """
        before = self._table.get_own(meaning.request_id)
        after = self._apply(before, meaning)
        if after is not None:
            self._on_change(before, after, meaning)
        is_shown = after is not None and after.request is not None and not after.is_forgotten
        if after is not None and is_shown and (kind := self._kind(before, after, meaning, place)):
            self._table.events.add(place, kind, after, _told(after, meaning))
        return after

    def _kind(self, before: JobEntry | None, after: JobEntry, meaning: Meaning, place: Place) -> EventKind | None:
        """One record is one event at most, and the same one on each replica."""
        match meaning:
            case SeparationProgress():
                return EventKind.PROGRESS
            case Asked():
                is_begun = before is not None and before.request is not None and not before.state.has_ended
                return EventKind.ACCEPTED if place[0].topic == self._requests_topic and not is_begun else None
            case Ended():  # the same end, told again, is none
                return None if before is not None and before.state is after.state else EventKind(after.state.value)

    def _apply(self, before: JobEntry | None, meaning: Meaning) -> JobEntry | None:
        match meaning:
            case SeparationProgress():
                return self._apply_progress(before, meaning)
            case Asked():
                after = JobEntry.of_request(meaning) if before is None else before.asked_again(meaning)
            case Ended():
                after = JobEntry.of_outcome(meaning) if before is None else before.ended(meaning)
        if self._is_forgotten(after):
            after = after.forgotten()
        if after == before:
            return None
        if after.state.has_ended or after.state is JobState.QUEUED:
            self._progress.forget(after.request_id)
        self.jobs += before is None
        self._table.put(after)
        return after

    def _is_forgotten(self, entry: JobEntry) -> bool:
        return entry.is_forgotten or self._table.is_forgotten_own(entry.request_id, entry.tenant)

    def _apply_progress(self, before: JobEntry | None, progress: SeparationProgress) -> JobEntry | None:
        if before is None or before.state.has_ended or before.is_forgotten:
            return None
        if progress.at.timestamp() * 1000 < before.accepted_ms - _CLOCKS_DIFFER_MS:  # of an earlier try
            return None
        self._progress.note(progress)
        if before.state is JobState.QUEUED:
            after = replace(before, state=JobState.RUNNING, changed_ms=round(progress.at.timestamp() * 1000))
            self._table.put(after)
            return after
        return before


def _told(entry: JobEntry, meaning: Meaning) -> bytes | None:
    """A success stays in its entry for ever; what else is told may be replaced there."""
    match meaning:
        case SeparationProgress():
            return msgspec.json.encode(meaning)
        case Ended() if entry.state is not JobState.SUCCEEDED:
            return entry.outcome
        case _:
            return None
