"""The REST API of a schema registry, by httpx2: its own answers alone, whoever else may stand on the way.

Its errors have a code of their own beside the status, as JSON. Whatever has none (a proxy's page, a redirect, nothing
at all) was not said by the registry, and so says nothing about what it holds. And nobody's answer is waited for, or
read, without end.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote

import httpx2

from consumer.adapters.network_errors import is_of_a_certificate, reason_of
from consumer.core.errors import RegistryRefusal, RegistryUnavailable, SettingsError

_ACCEPTED = "application/vnd.schemaregistry.v1+json, application/json"
_MAX_BYTES = 2 << 20  # of one answer: a schema of the largest size, however its text is escaped
_MAX_MESSAGE = 500  # characters of the registry's own words that are passed on
_TRIED_ELSEWHERE = frozenset({408, 429, 500, 502, 503, 504})  # where there is another address of the same registry


_Address = tuple[httpx2.URL, tuple[str, str] | None]  # and its user and password


class Refused(Exception):
    """The registry's own error. code: such as 40403; of three figures where it has no other word than HTTP's status."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def told(self) -> str:
        return f"the schema registry answered {self.status} (error code {self.code})"


class AnswerTooLong(RegistryUnavailable):
    """An answer of more than 2 MiB, under a status of success. Whose fault that is depends on what was asked for."""


class RegistryClient:
    """Asks the first of its addresses that answers. Thread-safe, and without a memory.

    urls: with commas between them, each with user and password where there are any; those of the first are used where
    another has none; or what gives them as they are now. timeout_s: for one answer of one address, from its connection
    to its last byte.
    """

    def __init__(self, urls: str | Callable[[], str], *, timeout_s: float) -> None:
        self._urls = urls if callable(urls) else lambda: urls
        # A connection is used once: its deadline is that of one answer.
        once = httpx2.Limits(max_keepalive_connections=0)
        self._http = httpx2.Client(timeout=timeout_s, follow_redirects=False, verify=_trusted(), limits=once)
        self._timeout_s = timeout_s

    def get(self, *path: str | int, **query: str) -> Any:
        """The JSON that the registry answers with. Raises Refused, RegistryUnavailable."""
        return self._ask("GET", path, query, None)

    def post(self, *path: str | int, body: Mapping[str, Any], **query: str) -> Any:
        """As `get`."""
        return self._ask("POST", path, query, body)

    def close(self) -> None:
        self._http.close()

    def _ask(
        self, method: str, path: tuple[str | int, ...], query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Any:
        place = "/".join(quote(str(part), safe="") for part in path)
        *others, last = self._addresses()
        for address in others:
            try:
                return self._ask_one(address, method, place, query, body)
            except RegistryUnavailable:
                continue
            except Refused as refused:
                if refused.status not in _TRIED_ELSEWHERE:
                    raise
        return self._ask_one(last, method, place, query, body)

    def _addresses(self) -> Sequence["_Address"]:
        """As they are now."""
        try:
            urls = [httpx2.URL(url.strip().rstrip("/")) for url in self._urls().split(",")]
        except SettingsError as error:  # of a file that held some when we began
            raise RegistryUnavailable(str(error)) from error
        users = [(url.username, url.password) if url.userinfo else None for url in urls]
        return [(url, user or users[0]) for url, user in zip(urls, users, strict=True)]

    def _ask_one(
        self, address: "_Address", method: str, place: str, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Any:
        url, user = f"{address[0]}/{place}", address[1]
        # What is packed may be a thousand times as long as it looks.
        headers = {"Accept": _ACCEPTED, "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/vnd.schemaregistry.v1+json"
        content = None if body is None else json.dumps(body)
        deadline = _Deadline(self._timeout_s)
        extensions = {"trace": deadline.trace}
        try:
            with (
                deadline,
                self._http.stream(
                    method, url, params=query, headers=headers, content=content, auth=user, extensions=extensions
                ) as response,
            ):
                data = _read(response)
            if deadline.is_over:  # a body without a length ends with its connection
                raise TimeoutError
        except RegistryUnavailable:
            raise
        except Exception as error:  # httpx2 has no root of all that it raises, and sockets and TLS have their own
            reason = "timed out" if deadline.is_over else reason_of(error)
            kind = RegistryRefusal if is_of_a_certificate(reason) else RegistryUnavailable
            raise kind(f"the schema registry can't be reached ({reason})") from error
        if response.status_code != 200:
            _refuse(response, data)
        if not _may_be_json(response):
            raise RegistryUnavailable("the schema registry gave no proper answer (it is not JSON)")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            told = f"the schema registry can't be reached ({type(error).__name__}: no JSON)"
            raise RegistryUnavailable(told) from error


class _Deadline:
    """Cuts a request's connections when its time is over. httpx2's own timeouts count from one byte to the next."""

    def __init__(self, timeout_s: float) -> None:
        self._timer = threading.Timer(timeout_s, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.is_over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """httpx2's extension of that name: hears of each connection that is made."""
        if event.endswith("connect_tcp.complete"):
            with self._lock:
                self._sockets.append(about["return_value"].get_extra_info("socket"))
            if self.is_over:
                self._cut()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for each in self._sockets:
                with suppress(OSError):  # it is closed
                    socket.socket.shutdown(each, socket.SHUT_RDWR)  # whoever reads from it wakes up, under TLS too


def _read(response: httpx2.Response) -> bytes:
    """The body, as it came."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RegistryUnavailable("the schema registry gave no proper answer (it is packed)")
    data = bytearray()
    for piece in response.iter_raw():
        data += piece
        if len(data) > _MAX_BYTES:
            is_its_own = response.status_code == 200 and _may_be_json(response)
            kind = AnswerTooLong if is_its_own else RegistryUnavailable
            raise kind("the schema registry gave no proper answer (too long)")
    return bytes(data)


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities of SSL_CERT_FILE, else those that everybody trusts; reading them takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _refuse(response: httpx2.Response, data: bytes) -> NoReturn:
    """Raises Refused if the registry itself has said no, else RegistryUnavailable."""
    status = response.status_code
    try:
        answer = json.loads(data) if _may_be_json(response) else None
    except (ValueError, RecursionError):
        answer = None
    said = answer if isinstance(answer, dict) else {}
    code = said.get("error_code")
    if isinstance(code, int) and status >= 400 and status in (code, code // 100):
        raise Refused(status, code, str(said.get("message", ""))[:_MAX_MESSAGE])
    raise RegistryUnavailable(f"the schema registry answered {status}, not in its own words")


def _may_be_json(response: httpx2.Response) -> bool:
    """Whether the answer does not call itself something else."""
    return "json" in response.headers.get("Content-Type", "json").lower()
