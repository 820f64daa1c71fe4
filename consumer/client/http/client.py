"""For platform code that reaches the service by HTTP alone: send requests, wait for their outcomes, list them."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from consumer.client.errors import GatewayUnavailable
from consumer.client.http.answers import Call
from consumer.client.http.connection import Connection
from consumer.client.http.credentials import Credentials, api_key
from consumer.client.http.documents import JobPage, JobView, body_of, improper, parse
from consumer.client.http.job import HttpJob, cancel, path_of
from consumer.client.http.patience import Patience, Pause
from consumer.client.sources import object_of
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Code, Rejected, SettingsError
from consumer.core.events import REQUEST_ID, OutputOptions, SeparationRequest, SourceObject
from consumer.pipeline.stages.validate import check_request

TIMEOUT_S = 30.0  # how long the gateway may be silent
_UPLOADED_S = 120.0  # and after a file, which it has to store
_JOBS = "/v1/separations"
_IDS_AT_ONCE, _PAGE = 50, 100
_LONGEST_KEY = 255


class HttpClient:
    """Thread-safe; one for the whole life of a process. Close it, or leave it as a context manager.

    It holds one pool of connections, and nothing else. What may pass is tried again, as `patience` has it. Every method
    that asks the gateway raises GatewayUnavailable where it does not do what is asked, AccessDenied where the key is
    none or lacks a right, RequestRefused for what it refuses whoever asks, and ClientClosed. timeout_s: how long it may
    be silent. pause: waits so many seconds; a wait that is not handed in ends when the client is closed.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        timeout_s: float = TIMEOUT_S,
        clock: Clock = SYSTEM_CLOCK,
        pause: Pause | None = None,
    ) -> None:
        self._connection = Connection(
            url, credentials, patience=patience, timeout_s=timeout_s, clock=clock, pause=pause
        )

    @classmethod
    def from_env(cls) -> Self:
        """One that is configured by SPLEETER_API_URL and SPLEETER_API_KEY, or SPLEETER_API_KEY_FILE, which is followed.

        Of several keys the first is used. Raises SettingsError, which names the variable.
        """
        from consumer.settings import AccessSettings, HttpClientSettings

        url, keys = HttpClientSettings.load().spleeter_api_url, AccessSettings.load().plain_keys()
        if url is None:
            raise SettingsError("SPLEETER_API_URL must be set", variables=("SPLEETER_API_URL",))
        if keys is None:
            raise SettingsError("SPLEETER_API_KEY must be set", variables=("SPLEETER_API_KEY",))
        return cls(url, api_key(lambda: keys()[0]))

    def separate(
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
    ) -> HttpJob:
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
        return self._submit(asked, source if isinstance(source, Path) else None, idempotency_key)

    def job(self, request_id: str) -> HttpJob:
        """Take up again what was sent earlier, or by somebody else of the same tenant.

        Raises RequestRefused(NOT_FOUND) where there is none.
        """
        answer = self._connection.ask(Call(method="GET", path=path_of(_checked_id(request_id))))
        return HttpJob(self._connection, parse(answer.body, JobView))

    def cancel(self, request_id: str) -> None:
        """Ask that a request be stopped, or not begun; returns when the brokers have that wish.

        The request then ends as a dead letter CANCELLED, unless it is done already.
        """
        cancel(self._connection, _checked_id(request_id))

    def jobs(self, *, state: str | None = None, ids: Iterable[str] | None = None) -> Iterator[HttpJob]:
        """The tenant's jobs, the latest first, page by page as they are wanted: all of them, or those of one state.

        state: queued, running, succeeded, failed or cancelled. ids: these alone, in their order; those that are not the
        tenant's are left out.
        """
        if ids is None:
            return self._all_jobs(state)
        return self._named_jobs(state, [_checked_id(each) for each in dict.fromkeys(ids)])

    def close(self) -> None:
        """End all connections. Whoever still waits for a job gets ClientClosed, within half a minute.

        Closing twice does nothing.
        """
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _submit(self, asked: SeparationRequest, file: Path | None, idempotency_key: str | None) -> HttpJob:
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
            answer = self._connection.ask(call)
            view = parse(answer.body, JobView)
        except GatewayUnavailable as trouble:
            trouble.idempotency_key = key
            raise
        return HttpJob(self._connection, view, position=answer.headers.get("Separation-Position"))

    def _all_jobs(self, state: str | None) -> Iterator[HttpJob]:
        cursor: str | None = None
        while True:
            page = self._page([("limit", str(_PAGE)), ("state", state), ("cursor", cursor)])
            yield from self._jobs_of(page)
            if page.next_cursor is None:
                return
            if page.next_cursor == cursor:
                raise improper("pages without an end")
            cursor = page.next_cursor

    def _named_jobs(self, state: str | None, ids: Sequence[str]) -> Iterator[HttpJob]:
        for begin in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[begin : begin + _IDS_AT_ONCE]
            yield from self._jobs_of(self._page([*(("id", each) for each in some), ("state", state)]))

    def _page(self, params: Iterable[tuple[str, str | None]]) -> JobPage:
        told = tuple((name, value) for name, value in params if value is not None)
        return parse(self._connection.ask(Call(method="GET", path=_JOBS, params=told)).body, JobPage)

    def _jobs_of(self, page: JobPage) -> Iterator[HttpJob]:
        return (HttpJob(self._connection, view) for view in page.items)


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
