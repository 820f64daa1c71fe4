"""The index's rows, in a file of SQLite's that no other process uses and that goes with this one.

One writer and one reader: what is written in a batch is seen as a whole, and readers never wait for the writer.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

from consumer.gateway.index.entry import FORGOTTEN, JobEntry, JobState
from consumer.gateway.index.event_table import EventTable

_COLUMNS = tuple(field.name for field in fields(JobEntry))
_NAMES = ", ".join(_COLUMNS)
_values_of = attrgetter(*_COLUMNS)
_CACHE_KIB = 32 * 1024
_SCHEMA = """
CREATE TABLE jobs (
    request_id TEXT PRIMARY KEY, tenant TEXT, state TEXT NOT NULL, fingerprint TEXT, payload TEXT,
    request BLOB, outcome BLOB, accepted_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
    partition INTEGER NOT NULL, offset INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_by_tenant ON jobs (tenant, accepted_ms, request_id);
CREATE INDEX jobs_open ON jobs (tenant) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_waiting ON jobs (accepted_ms, request_id) WHERE state IN ('queued', 'running');
CREATE TABLE forgotten (request_id TEXT, tenant TEXT, PRIMARY KEY (request_id, tenant)) WITHOUT ROWID;
"""
_PUT = f"INSERT OR REPLACE INTO jobs ({_NAMES}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own words
_IS_SHOWN = f"request IS NOT NULL AND payload IS NOT '{FORGOTTEN}'"


class JobTable:
    """In `folder`, which is the caller's to remove. The methods up to `commit` belong to one thread, the others to one.

    Holds some 40 MB of memory, however many rows there are. events: what happened to the jobs, in the same batches.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "jobs.sqlite"
        self._writer = _connect(path)
        self._writer.executescript(_SCHEMA)
        self._reader = _connect(path)
        self.events = EventTable(self._writer, self._reader)
        self._reader.execute("PRAGMA query_only = ON")

    def get_own(self, request_id: str) -> JobEntry | None:
        """A row as it will be once the batch is committed; the writer's."""
        return _one(self._writer, request_id)

    def is_known_own(self, request_id: str) -> bool:
        """Whether the request under that id was read; the writer's."""
        entry = self.get_own(request_id)
        return entry is not None and entry.request is not None

    def put(self, entry: JobEntry) -> None:
        """Replace a row. Seen by others after `commit`."""
        self._writer.execute(_PUT, _values_of(entry))

    def remove(self, request_id: str) -> None:
        """Take a row out. Seen by others after `commit`."""
        self._writer.execute("DELETE FROM jobs WHERE request_id = ?", (request_id,))

    def add_forgotten(self, request_id: str, tenant: str | None) -> bool:
        """Whether it was not known that this request is forgotten; the writer's."""
        found = self._writer.execute("INSERT OR IGNORE INTO forgotten VALUES (?, ?)", (request_id, _not_null(tenant)))
        return found.rowcount > 0

    def is_forgotten_own(self, request_id: str, tenant: str | None) -> bool:
        """Whether that is known; the writer's."""
        asked = "SELECT 1 FROM forgotten WHERE request_id = ? AND tenant = ?"
        return self._writer.execute(asked, (request_id, _not_null(tenant))).fetchone() is not None

    def commit(self) -> None:
        """End a batch."""
        self.events.write()
        self._writer.commit()

    def get(self, request_id: str) -> JobEntry | None:
        """A row, None where there is none."""
        return _one(self._reader, request_id)

    def page(
        self, tenant: str | None, *, state: JobState | None, before: tuple[int, str] | None, limit: int
    ) -> list[JobEntry]:
        """A tenant's rows, the latest first: those before (accepted_ms, request_id), at most `limit`."""
        where, values = ["tenant IS ?", _IS_SHOWN], [tenant]
        if state is not None:
            where, values = [*where, "state = ?"], [*values, state]
        parameters: list[object] = list(values)
        if before is not None:
            where.append("(accepted_ms, request_id) < (?, ?)")
            parameters += before
        asked = f"SELECT {_NAMES} FROM jobs WHERE {' AND '.join(where)}"  # noqa: S608 - our own words
        order = " ORDER BY accepted_ms DESC, request_id DESC LIMIT ?"
        return _entries(self._reader.execute(asked + order, (*parameters, limit)))

    def count_open(self, tenant: str | None) -> int:
        """How many of a tenant's jobs have not ended."""
        asked = f"SELECT count(*) FROM jobs WHERE tenant IS ? AND state IN ('queued', 'running') AND {_IS_SHOWN}"  # noqa: S608
        found: tuple[int] = self._reader.execute(asked, (tenant,)).fetchone()
        return found[0]

    def longest_open(self, limit: int) -> list[JobEntry]:
        """The jobs of all tenants that have not ended, those first that wait longest, at most `limit`."""
        asked = f"SELECT {_NAMES} FROM jobs WHERE state IN ('queued', 'running') AND {_IS_SHOWN}"  # noqa: S608
        return _entries(self._reader.execute(f"{asked} ORDER BY accepted_ms, request_id LIMIT ?", (limit,)))

    def close(self) -> None:
        """Nothing may be called afterwards."""
        self._reader.close()
        self._writer.close()


def _not_null(tenant: str | None) -> str:
    """Another text for each tenant, and for none: two of SQLite's NULLs are never the same."""
    return "" if tenant is None else f"t{tenant}"


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    # It is rebuilt after a crash, so nothing has to survive one.
    for pragma in ("journal_mode = WAL", "synchronous = OFF", f"cache_size = -{_CACHE_KIB // 2}"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _one(connection: sqlite3.Connection, request_id: str) -> JobEntry | None:
    asked = f"SELECT {_NAMES} FROM jobs WHERE request_id = ?"  # noqa: S608 - our own words
    found = _entries(connection.execute(asked, (request_id,)))
    return found[0] if found else None


def _entries(rows: Iterable[Sequence[object]]) -> list[JobEntry]:
    found = []
    for row in rows:
        values = dict(zip(_COLUMNS, row, strict=True))
        found.append(JobEntry(**{**values, "state": JobState(str(values["state"]))}))  # type: ignore[arg-type]
    return found
