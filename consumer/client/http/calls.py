"""What a client asks of the gateway, once for both: as coroutines over a connection, whose wire knows how to wait."""

import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from consumer.client.errors import GatewayUnavailable
from consumer.client.http.answers import Call
from consumer.client.http.connection import Connection
from consumer.client.http.documents import JobPage, JobView, body_of, improper, parse
from consumer.client.http.job import AsyncHttpJob, cancel, path_of
from consumer.client.sources import object_of
from consumer.core.errors import Code, Rejected
from consumer.core.events import REQUEST_ID, OutputOptions, SeparationRequest, SourceObject
from consumer.pipeline.stages.validate import check_request

_UPLOADED_S = 120.0  # how long the gateway may be silent after a file, which it has to store
_JOBS = "/v1/separations"
_IDS_AT_ONCE, _PAGE = 50, 100
_LONGEST_KEY = 255


class GatewayCalls:
    """Each of them raises what `HttpClient` says."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def separate(
        self,
        source: str | Path | SourceObject,
        *,
        model: str = "2stems",
        format: str = "wav",
        bitrate: str | None = None,
        start_s: float | None = None,
        duration_s: float | None = None,
        high_frequencies: str = "zeros",
        track: int | None = None,
        deadline: datetime | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncHttpJob:
        """Ask for the stems of `source`: "bucket/key" or a SourceObject for an object, a Path for a local file.

        A local file is uploaded along with the request. Returns once the brokers have it, or with the job that was
        asked for under this `idempotency_key` before, however long ago; without one the job is a new one, and its tries
        are one job all the same. Raises Rejected(REQUEST_INVALID) for what a replica would answer so, RequestRefused
        for what the gateway refuses, GatewayUnavailable, whose `idempotency_key` asks for the same once more,
        AccessDenied, and OSError for a file that can't be read.
        """
        asked = SeparationRequest(
            request_id="-",  # the gateway names it
            source=object_of(source),
            model=model,
            output=OutputOptions(format=format, bitrate=bitrate),
            start_s=start_s,
            duration_s=duration_s,
            high_frequencies=high_frequencies,
            track=track,
            deadline=deadline,
            requested_at=datetime.now(UTC),
            metadata=dict(metadata or {}),
        )
        check_request(asked)  # before a file is uploaded in vain
        if asked.source.version_id is not None:
            raise Rejected(Code.REQUEST_INVALID, "source.version_id: over HTTP an object is named by its etag")
        return await self._submit(asked, source if isinstance(source, Path) else None, idempotency_key)

    async def job(self, request_id: str) -> AsyncHttpJob:
        """Take up again what was sent earlier, or by somebody else of the same tenant.

        Raises RequestRefused(NOT_FOUND) where there is none.
        """
        answer = await self._connection.ask(Call(method="GET", path=path_of(_checked_id(request_id))))
        return AsyncHttpJob(self._connection, parse(answer.body, JobView))

    async def cancel(self, request_id: str) -> None:
        """Ask that a request be stopped, or not begun; returns when the brokers have that wish.

        The request then ends as a dead letter CANCELLED, unless it is done already.
        """
        await cancel(self._connection, _checked_id(request_id))

    def jobs(self, *, state: str | None = None, ids: Iterable[str] | None = None) -> AsyncGenerator[AsyncHttpJob, None]:
        """The tenant's jobs, the latest first, page by page as they are wanted: all of them, or those of one state.

        state: queued, running, succeeded, failed or cancelled. ids: these alone, in their order; those that are not the
        tenant's are left out.
        """
        if ids is None:
            return self._all_jobs(state)
        return self._named_jobs(state, [_checked_id(each) for each in dict.fromkeys(ids)])

    async def _submit(self, asked: SeparationRequest, file: Path | None, idempotency_key: str | None) -> AsyncHttpJob:
        key = str(uuid.uuid4()) if idempotency_key is None else _checked_key(idempotency_key)
        call = Call(
            method="POST",
            path=_JOBS,
            headers=(("Idempotency-Key", key),),  # of all tries
            json=body_of(asked, with_source=file is None),
            file=file,
            within_s=None if file is None else _UPLOADED_S,
        )
        try:
            answer = await self._connection.ask(call)
            view = parse(answer.body, JobView)
        except GatewayUnavailable as trouble:
            trouble.idempotency_key = key
            raise
        return AsyncHttpJob(self._connection, view, position=answer.headers.get("Separation-Position"))

    async def _all_jobs(self, state: str | None) -> AsyncGenerator[AsyncHttpJob, None]:
        cursor: str | None = None
        while True:
            page = await self._page([("limit", str(_PAGE)), ("state", state), ("cursor", cursor)])
            for view in page.items:
                yield AsyncHttpJob(self._connection, view)
            if page.next_cursor is None:
                return
            if page.next_cursor == cursor:
                raise improper("pages without an end")
            cursor = page.next_cursor

    async def _named_jobs(self, state: str | None, ids: Sequence[str]) -> AsyncGenerator[AsyncHttpJob, None]:
        for begin in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[begin : begin + _IDS_AT_ONCE]
            page = await self._page([*(("id", each) for each in some), ("state", state)])
            for view in page.items:
                yield AsyncHttpJob(self._connection, view)

    async def _page(self, params: Iterable[tuple[str, str | None]]) -> JobPage:
        told = tuple((name, value) for name, value in params if value is not None)
        return parse((await self._connection.ask(Call(method="GET", path=_JOBS, params=told))).body, JobPage)


def _checked_id(request_id: str) -> str:
    if not REQUEST_ID.fullmatch(request_id):
        raise Rejected(Code.REQUEST_INVALID, "request_id must be 1 to 64 characters of A-Za-z0-9_-")
    return request_id


def _checked_key(key: str) -> str:
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable() or key != key.strip():
        raise Rejected(
            Code.REQUEST_INVALID,
            f"idempotency_key must be 1 to {_LONGEST_KEY} of ASCII's printable characters, without blanks around them",
        )
    return key
