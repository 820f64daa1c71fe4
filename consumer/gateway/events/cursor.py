"""How far one stream has come: which events it sends, and the id of each."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from consumer.core.events import SeparationProgress
from consumer.gateway.events import wire
from consumer.gateway.events.vector import EventIds
from consumer.gateway.index.entry import JobEntry, JobState
from consumer.gateway.index.event_table import EventKind, JobEvent
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.index.positions import Positions
from consumer.gateway.views import Document, job_document, progress_document

_PAGE = 100  # events that are read at once
_WINDOW = 20_000  # events, of all tenants, among which they are looked for at once
_ALL = (1 << 63) - 1


class Cursor:
    """Reads a tenant's events, of one job or of all, from the index's rows; nothing is kept for a slow reader.

    sent: all of them that lie before these positions were sent. after: the number of an event before them all.
    """

    def __init__(
        self, index: JobIndex, ids: EventIds, tenant: str | None, request_id: str | None, *, sent: Positions, after: int
    ) -> None:
        self._index, self._ids, self._tenant, self._request_id = index, ids, tenant, request_id
        self._sent, self._after = dict(sent), after

    @property
    def id(self) -> str:
        """From where another stream goes on."""
        return self._ids.text(self._sent)

    @property
    def is_behind(self) -> bool:
        """Whether the index holds more."""
        return self._after < self._index.last_event

    def next_events(self) -> bytes:
        """Some that follow, as they are sent; may be none also where there are more."""
        last, read = self._index.last_event, self._index.positions
        up_to = min(last, self._after + _WINDOW)
        page = self._index.table.events.page(
            self._tenant, after=self._after, up_to=up_to, request_id=self._request_id, limit=_PAGE
        )
        self._after = page[-1].number if len(page) == _PAGE else up_to
        told = b"".join(each for event in page for each in self._told(event))
        if self._after >= last:
            self._sent = dict(read)  # whatever lies between was none of ours
        return told

    def has_more_than_read(self) -> bool:
        """Whether events were written that the index has not told of yet, so that its entries are ahead of it."""
        found = self._index.table.events.page(
            self._tenant, after=self._after, up_to=_ALL, request_id=self._request_id, limit=1
        )
        return bool(found)

    def _told(self, event: JobEvent) -> Iterator[bytes]:
        partition, offset = event.place
        if offset < self._sent.get(partition, 0):
            return  # sent by whoever gave the id
        self._sent[partition] = offset + 1
        entry = self._index.find(event.request_id, self._tenant)
        if entry is not None:
            yield wire.event(event.kind.value, self.id, _document(event, entry))


def _document(event: JobEvent, entry: JobEntry) -> Document:
    """The job as it was once this had happened to it, wherever it is now: the same on each replica."""
    match event.kind:
        case EventKind.ACCEPTED:
            then = replace(entry, state=JobState.QUEUED, outcome=None, changed_ms=event.at_ms)
            return job_document(then)
        case EventKind.PROGRESS:
            return progress_document(msgspec.json.decode(event.told or b"", type=SeparationProgress))
        case EventKind.SUCCEEDED:
            return job_document(entry)
        case EventKind.FAILED | EventKind.CANCELLED:
            state = JobState(event.kind.value)
            then = replace(entry, state=state, outcome=event.told, changed_ms=event.at_ms)
            return job_document(then)
