"""The REST API of a schema registry, by httpx2: its own answers alone, whoever else may stand on the way.

Its errors have a code of their own beside the status, as JSON. Whatever has none (a proxy's page, a redirect, nothing
at all) was not said by the registry, and so says nothing about what it holds.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NoReturn
from urllib.parse import quote

import httpx2

from consumer.adapters.network_errors import is_of_a_certificate, reason_of
from consumer.core.errors import RegistryRefusal, RegistryUnavailable, SettingsError

_ACCEPTED = "application/vnd.schemaregistry.v1+json, application/json"
_MAX_BYTES = 16 << 20  # of one answer
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


class RegistryClient:
    """Asks the first of its addresses that answers. Thread-safe, and without a memory.

    urls: with commas between them, each with user and password where there are any; those of the first are used where
    another has none; or what gives them as they are now. timeout_s: for one answer of one address.
    """

    def __init__(self, urls: str | Callable[[], str], *, timeout_s: float) -> None:
        self._urls = urls if callable(urls) else lambda: urls
        self._http = httpx2.Client(timeout=timeout_s, follow_redirects=False, verify=_trusted())
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
        headers = {"Accept": _ACCEPTED}
        if body is not None:
            headers["Content-Type"] = "application/vnd.schemaregistry.v1+json"
        content = None if body is None else json.dumps(body)
        try:
            with self._http.stream(method, url, params=query, headers=headers, content=content, auth=user) as response:
                data = self._read(response)
        except RegistryUnavailable:
            raise
        except Exception as error:  # httpx2 has no root of all that it raises, and sockets and TLS have their own
            reason = reason_of(error)
            kind = RegistryRefusal if is_of_a_certificate(reason) else RegistryUnavailable
            raise kind(f"the schema registry can't be reached ({reason})") from error
        if response.status_code != 200:
            _refuse(response, data)
        if not _may_be_json(response):
            raise RegistryUnavailable("the schema registry gave no proper answer (it is not JSON)")
        try:
            return json.loads(data)
        except ValueError as error:
            told = f"the schema registry can't be reached ({type(error).__name__}: no JSON)"
            raise RegistryUnavailable(told) from error

    def _read(self, response: httpx2.Response) -> bytes:
        """The body; a timeout of httpx2's counts from one piece of it to the next."""
        until, data = time.monotonic() + self._timeout_s, bytearray()
        for piece in response.iter_bytes():
            data += piece
            if len(data) > _MAX_BYTES or time.monotonic() > until:
                raise RegistryUnavailable("the schema registry gave no proper answer (too long)")
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
    except ValueError:
        answer = None
    said = answer if isinstance(answer, dict) else {}
    code = said.get("error_code")
    if isinstance(code, int) and status >= 400 and status in (code, code // 100):
        raise Refused(status, code, str(said.get("message", "")))
    raise RegistryUnavailable(f"the schema registry answered {status}, not in its own words")


def _may_be_json(response: httpx2.Response) -> bool:
    """Whether the answer does not call itself something else."""
    return "json" in response.headers.get("Content-Type", "json").lower()
