"""One pool of connections to the gateway: requests are sent, answers read, and what may pass is tried again."""

import json
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

from consumer.client.errors import ClientClosed, GatewayUnavailable
from consumer.client.http.answers import Answer, Call, failure_of, trouble_of
from consumer.client.http.credentials import Credentials
from consumer.client.http.documents import improper
from consumer.client.http.patience import Patience, Pause, Tries
from consumer.core.clock import Clock
from consumer.core.errors import Code, ConsumerError, Rejected, SettingsError

_MAX_BYTES = 16 << 20  # of one JSON answer
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An answer whose body is not read yet; its status is any but a redirect's. is_elsewhere: not the gateway's own."""

    response: httpx2.Response
    is_elsewhere: bool


class Connection:
    """Thread-safe. timeout_s: how long the gateway may be silent where nothing is waited for on purpose."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        patience: Patience,
        timeout_s: float,
        clock: Clock,
        pause: Pause | None,
    ) -> None:
        self._base, self._credentials = _checked(url), credentials
        self._patience, self.timeout_s, self.clock = patience, timeout_s, clock
        self.pause = pause or self._pause
        # As many connections as threads ask at once: who waits for a job holds one.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
        self._http = httpx2.Client(timeout=timeout_s, limits=limits, follow_redirects=False)
        self._lock, self._closed, self._in_use = threading.Lock(), threading.Event(), 0

    def tries(self, *, until: float | None = None) -> Tries:
        """As the rule of patience has it; `until` on the clock in place of its own bound."""
        return Tries(self._patience, self.clock, self.pause, until=until)

    def ask(self, call: Call, *, until: float | None = None) -> Answer:
        """The answer, if it is a success; what may pass is tried again, as long as patience or `until` allows.

        Raises AccessDenied, RequestRefused, GatewayUnavailable, ClientClosed, and OSError for a file that is not read.
        """
        tries = self.tries(until=until)
        while True:
            try:
                return self.ask_once(call)
            except GatewayUnavailable as trouble:
                tries.failed(trouble)

    def ask_once(self, call: Call) -> Answer:
        """As `ask`, without a second try."""
        within_s = call.within_s or self.timeout_s
        with self._held(), _opened(call.file) as file:
            try:
                with self._stream(self._request(call, file, within_s)) as response:
                    answer = Answer(
                        status=response.status_code, headers=response.headers, body=self._read(response, within_s)
                    )
            except ConsumerError:
                raise
            except Exception as error:  # httpx2 has no root of all that it raises, and sockets and TLS have their own
                if file is not None and file.failure is not None:
                    raise file.failure from None
                raise trouble_of(error) from error
        if 200 <= answer.status < 300:
            return answer
        raise failure_of(answer, self.clock.now())

    @contextmanager
    def open(self, path: str, headers: Mapping[str, str]) -> Iterator["Opened"]:
        """What lies there, for its bytes to be read; a link to elsewhere is followed, without telling who we are.

        Raises GatewayUnavailable, ClientClosed, and what httpx2 and sockets do.
        """
        with self._held():
            url, own = httpx2.URL(f"{self._base}{path}"), dict(self._credentials())
            for followed in range(_MOST_REDIRECTS + 1):
                request = self._http.build_request("GET", url, headers={**headers, **own})
                with self._stream(request) as response:
                    if response.status_code not in _REDIRECTS:
                        yield Opened(response=response, is_elsewhere=followed > 0)
                        return
                    url, own = _target(response), {}
        raise improper("redirects without an end")

    def close(self) -> None:
        """Nothing more is asked. Who still waits is told so when the present answer is there."""
        self._closed.set()
        with self._lock:
            is_unused = self._in_use == 0
        if is_unused:
            self._http.close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The pool is closed by whoever uses it last: closing a connection that another thread reads ends badly."""
        with self._lock:
            self._check_open()
            self._in_use += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_use -= 1
                is_last = self._in_use == 0 and self._closed.is_set()
            if is_last:
                self._http.close()

    def _pause(self, seconds: float) -> None:
        self._closed.wait(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ClientClosed("the client was closed")

    def _request(self, call: Call, file: "_LocalFile | None", within_s: float) -> httpx2.Request:
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
        return self._http.build_request(
            call.method,
            f"{self._base}{call.path}",
            params=list(call.params) or None,
            headers=headers,
            content=None if parts else content,
            files=parts,
            timeout=httpx2.Timeout(self.timeout_s, read=within_s),
        )

    @contextmanager
    def _stream(self, request: httpx2.Request) -> Iterator[httpx2.Response]:
        response = self._http.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _read(self, response: httpx2.Response, within_s: float) -> bytes:
        """The body; a timeout of httpx2's counts from one piece of it to the next."""
        until, data = self.clock.monotonic() + within_s, bytearray()
        for piece in response.iter_bytes():
            data += piece
            if len(data) > _MAX_BYTES or self.clock.monotonic() > until:
                raise improper("too long")
        return bytes(data)


class _LocalFile:
    """A file as httpx2 reads it, which remembers why it could not be read: that is not the gateway's fault."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failure: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            self.failure = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


@contextmanager
def _opened(path: Path | None) -> Iterator[_LocalFile | None]:
    """Anew for each try. Raises Rejected(REQUEST_INVALID) for what has no length, such as a pipe; OSError."""
    if path is None:
        yield None
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise Rejected(Code.REQUEST_INVALID, "source must be a file, and no folder, pipe or device")
    with path.open("rb") as file:
        yield _LocalFile(file)


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
