"""One pool of connections to the gateway: requests are sent, answers read, and what may pass is tried again."""

import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from consumer.client.errors import ClientClosed, GatewayUnavailable
from consumer.client.http.answers import Answer, Call, failure_of, trouble_of
from consumer.client.http.credentials import Credentials
from consumer.client.http.documents import improper
from consumer.client.http.local_file import LocalFile, opened
from consumer.client.http.patience import Patience, Tries
from consumer.client.http.wires import Arrived, Wire
from consumer.core.clock import Clock
from consumer.core.errors import ConsumerError, SettingsError

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)  # who waits for a job holds one
_MAX_BYTES = 16 << 20  # of one JSON answer
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An answer whose body is not read yet; its status is any but a redirect's. is_elsewhere: not the gateway's own."""

    arrived: Arrived
    is_elsewhere: bool


class Connection:
    """As thread-safe as its wire. timeout_s: how long the gateway may be silent where nothing is waited for on purpose.

    Raises SettingsError for an address that is none.
    """

    def __init__(
        self, url: str, credentials: Credentials, wire: Wire, *, patience: Patience, timeout_s: float, clock: Clock
    ) -> None:
        self._base, self._credentials, self.wire = _checked(url), credentials, wire
        self._patience, self.timeout_s, self.clock = patience, timeout_s, clock
        self._lock, self._is_closed, self._in_use = threading.Lock(), False, 0

    def tries(self, *, until: float | None = None) -> Tries:
        """As the rule of patience has it; `until` on the clock in place of its own bound."""
        return Tries(self._patience, self.clock, until=until)

    async def ask(self, call: Call, *, until: float | None = None) -> Answer:
        """The answer, if it is a success; what may pass is tried again, as long as patience or `until` allows.

        Raises AccessDenied, RequestRefused, GatewayUnavailable, ClientClosed, and OSError for a file that is not read.
        """
        tries = self.tries(until=until)
        while True:
            try:
                return await self.ask_once(call)
            except GatewayUnavailable as trouble:
                wait_s = tries.failed(trouble)
            await self.pause(wait_s)

    async def ask_once(self, call: Call) -> Answer:
        """As `ask`, without a second try."""
        within_s = call.within_s or self.timeout_s
        async with self._held(), opened(call.file, self.wire) as file:
            try:
                async with self.wire.send(self._request(call, file, within_s)) as arrived:
                    head, body = arrived.head, await self._read(arrived, within_s)
            except ConsumerError:
                raise
            except Exception as error:  # httpx2 has no root of all that it raises, and sockets and TLS have their own
                if file is not None and file.failure is not None:
                    raise file.failure from None
                raise trouble_of(error) from error
        answer = Answer(status=head.status_code, headers=head.headers, body=body)
        if 200 <= answer.status < 300:
            return answer
        raise failure_of(answer, self.clock.now())

    @asynccontextmanager
    async def open(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[Opened]:
        """What lies there, for its bytes to be read; a link to elsewhere is followed, without telling who we are.

        Raises GatewayUnavailable, ClientClosed, and what httpx2 and sockets do.
        """
        async with self._held():
            url, own = httpx2.URL(f"{self._base}{path}"), dict(self._credentials())
            for followed in range(_MOST_REDIRECTS + 1):
                request = self.wire.request("GET", url, headers={**headers, **own})
                async with self.wire.send(request) as arrived:
                    if arrived.head.status_code not in _REDIRECTS:
                        yield Opened(arrived=arrived, is_elsewhere=followed > 0)
                        return
                    url, own = _target(arrived.head), {}
        raise improper("redirects without an end")

    async def pause(self, seconds: float) -> None:
        """Wait so long. Raises ClientClosed, at once where it is closed meanwhile."""
        await self.wire.sleep(seconds)
        self._check_open()

    async def close(self) -> None:
        """Nothing more is asked. Who still waits is told so when the present answer is there."""
        with self._lock:
            self._is_closed = True
            is_unused = self._in_use == 0
        self.wire.wake()
        if is_unused:
            await self.wire.close()

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """The pool is closed by whoever uses it last: closing a connection that another one reads ends badly."""
        with self._lock:
            self._check_open()
            self._in_use += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use -= 1
                is_last = self._in_use == 0 and self._is_closed
            if is_last:
                await self.wire.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ClientClosed("the client was closed")

    def _request(self, call: Call, file: LocalFile | None, within_s: float) -> httpx2.Request:
        headers = {"Accept": "application/json, application/problem+json", **dict(call.headers), **self._credentials()}
        # A list, for its order: what is wanted is read before the file comes.
        parts: list[tuple[str, Any]] | None = None
        content = None if call.json is None else json.dumps(call.json).encode()
        if file is not None:
            parts = [
                ("request", (None, content, "application/json")),
                ("file", ("track", file, "application/octet-stream")),  # its own name is nobody's business
            ]
        elif content is not None:
            headers["Content-Type"] = "application/json"
        return self.wire.request(
            call.method,
            f"{self._base}{call.path}",
            params=list(call.params) or None,
            headers=headers,
            content=None if parts else content,
            files=parts,
            timeout=httpx2.Timeout(self.timeout_s, read=within_s),
        )

    async def _read(self, arrived: Arrived, within_s: float) -> bytes:
        """The body; a timeout of httpx2's counts from one piece of it to the next."""
        until, data = self.clock.monotonic() + within_s, bytearray()
        async with aclosing(arrived.pieces()) as pieces:
            async for piece in pieces:
                data += piece
                if len(data) > _MAX_BYTES or self.clock.monotonic() > until:
                    raise improper("too long")
        return bytes(data)


def _checked(url: str) -> str:
    """The address without a slash behind it. The error leaves out the text, which may hold a password."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        parsed = httpx2.URL("")
    wrong = parsed.userinfo or parsed.query or parsed.fragment
    if parsed.scheme not in ("http", "https") or not parsed.host or wrong:
        raise SettingsError("the gateway's address must be http:// or https:// and a host, with no user, ? or #")
    return url.rstrip("/")


def _target(response: httpx2.Response) -> httpx2.URL:
    try:
        url = response.url.join(response.headers["Location"])
    except (httpx2.InvalidURL, KeyError):
        raise improper("a redirect to nowhere") from None
    if url.scheme not in ("http", "https"):
        raise improper("a redirect to nowhere")
    return url
