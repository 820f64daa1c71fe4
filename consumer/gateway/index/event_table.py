"""What happened to jobs, in the order in which this replica has read it: the rows that streams of events are read from.

Each row has the place of its record in Kafka, by which another replica goes on.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from consumer.core.model import TopicPartition
from consumer.gateway.index.entry import JobEntry
from consumer.gateway.index.positions import Positions

Place = tuple[TopicPartition, int]
"""A record's partition and offset."""

_SCHEMA = """
CREATE TABLE events (
    number INTEGER PRIMARY KEY, tenant TEXT, request_id TEXT NOT NULL, kind TEXT NOT NULL,
    topic INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, told BLOB
);
CREATE INDEX events_by_tenant ON events (tenant);
"""
_ADD = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_DROP = (
    "DELETE FROM events WHERE number > ? AND number <= ? AND topic = ? AND partition = ? AND offset < ?"
    " RETURNING request_id, kind, at_ms"
)
_COLUMNS = "number, request_id, kind, topic, partition, offset, at_ms, told"
_IN_RANGE = f"SELECT {_COLUMNS} FROM events WHERE tenant IS ? AND number > ? AND number <= ?"  # noqa: S608 - our own
_OF_ALL = f"{_IN_RANGE} ORDER BY number LIMIT ?"
_OF_ONE = f"{_IN_RANGE} AND request_id = ? ORDER BY number LIMIT ?"


class EventKind(StrEnum):
    """What happened to a job; each name is that of an event in a stream."""

    ACCEPTED = "accepted"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDS = frozenset({EventKind.SUCCEEDED, EventKind.FAILED, EventKind.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One record that happened to a job. number: its place in this replica's order, from 1.

    at_ms: when the job changed by that, in milliseconds since 1970. told: what the record said that the job's entry
    may not tell later, as JSON; None where the entry does.
    """

    number: int
    request_id: str
    kind: EventKind
    place: Place
    at_ms: int
    told: bytes | None = None


class EventTable:
    """Rows in the file of the jobs', by the same two connections: what adds and writes is one thread's, the rest one's.

    last: the number of the last row that was added.
    """

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        self._writer, self._reader = writer, reader
        self._writer.executescript(_SCHEMA)
        self._topics: list[str] = []  # each row names its topic by a number; it only grows
        self._added: list[tuple[object, ...]] = []
        self.last = 0

    def add(self, place: Place, kind: EventKind, entry: JobEntry, told: bytes | None = None) -> None:
        """Add a row to this batch; `entry` is the job since then."""
        (topic, partition), offset = place
        if topic not in self._topics:
            self._topics.append(topic)
        self.last += 1
        where = self._topics.index(topic), partition, offset
        row = (self.last, entry.tenant, entry.request_id, kind.value, *where, entry.changed_ms, told)
        self._added.append(row)

    def remove(self, tenant: str | None, request_id: str) -> None:
        """Take out what happened to a job, as far as it was written. Seen by others once the batch is committed."""
        self._writer.execute("DELETE FROM events WHERE tenant IS ? AND request_id = ?", (tenant, request_id))

    def drop(self, begins: Positions, *, after: int, up_to: int) -> list[tuple[str, int]]:
        """Take out the rows with after < number <= up_to whose record lies before where its partition begins.

        Returns the ends among them: request id, and when the job ended in milliseconds since 1970.
        """
        where = [
            (self._topics.index(place.topic), place.partition, begin)
            for place, begin in begins.items()
            if place.topic in self._topics
        ]
        dropped = [row for each in where for row in self._writer.execute(_DROP, (after, up_to, *each))]
        return [(request_id, at_ms) for request_id, kind, at_ms in dropped if kind in _ENDS]

    def write(self) -> None:
        """Hand the rows of this batch to the database, all at once. Seen by others once the batch is committed."""
        self._writer.executemany(_ADD, self._added)
        self._added.clear()

    def page(
        self, tenant: str | None, *, after: int, up_to: int, request_id: str | None = None, limit: int = 1
    ) -> list[JobEvent]:
        """A tenant's rows with after < number <= up_to, of one job or of all, the first `limit` of them."""
        values: list[object] = [tenant, after, up_to]
        if request_id is not None:
            values.append(request_id)
        asked = _OF_ALL if request_id is None else _OF_ONE
        rows = self._reader.execute(asked, (*values, limit))
        return [
            JobEvent(
                number=number,
                request_id=own_id,
                kind=EventKind(kind),
                place=(TopicPartition(self._topics[topic], partition), offset),
                at_ms=at_ms,
                told=told,
            )
            for number, own_id, kind, topic, partition, offset, at_ms, told in rows
        ]
