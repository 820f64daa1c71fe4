"""One attempt at a delivery: an HTTP POST to an address that was looked up once, checked, and is then kept to."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import httpx2

from consumer.adapters.network_errors import reason_of
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.version import VERSION
from consumer.webhooks.addresses import AddressWall
from consumer.webhooks.endpoints import Endpoint
from consumer.webhooks.notices import Notice
from consumer.webhooks.signing import signed_headers

_MOST_ADDRESSES = 4
_MOST_ANSWER_BYTES = 16_384
_ANSWER_S = 2.0  # what an answer says beside its status is worth no longer wait
_GONE = 410
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"spleeter-consumer/{VERSION}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class Outcome(StrEnum):
    """What came of an attempt, or of a delivery."""

    DELIVERED = "delivered"
    """the receiver answered 2xx"""
    FAILED = "failed"
    """it answered otherwise, or not in time, or could not be reached"""
    REFUSED = "refused"
    """its name leads to an address that may not be called"""
    GONE = "gone"
    """it answered 410: nothing more is to be sent there"""
    GIVEN_UP = "given_up"
    """the last attempt's time is over"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """reason: why it was not delivered, without addresses. retry_after_s: what the receiver asked for, or 0."""

    outcome: Outcome
    reason: str = ""
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    """connect_s: for one connection, its TLS included. total_s: for an attempt, from the name to the status."""

    connect_s: float
    total_s: float


@dataclass(slots=True)
class _Answer:
    """What came of an attempt, as soon as that is known."""

    attempt: Attempt | None = None


class _Refused(Exception):
    """The name leads where nothing may be sent."""


def system_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system looks them up. Raises OSError."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label of more than 63 characters
        raise socket.gaierror(socket.EAI_NONAME, "no such name can be") from error
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


class Sender:
    """Makes attempts, any number at once, on an event loop in a thread of its own. Thread-safe.

    resolve: the addresses of a host and port, asked once an attempt; raises OSError.

    Nothing of the environment is used but SSL_CERT_FILE and SSL_CERT_DIR: no proxy, no password file. No redirect is
    followed, no cookie kept, no connection used twice: what one endpoint's host says concerns no other.
    """

    def __init__(
        self,
        wall: AddressWall,
        limits: SendLimits,
        *,
        resolve: Callable[[str, int], Sequence[str]] = system_addresses,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._wall, self._limits, self._resolve, self._clock = wall, limits, resolve, clock
        self._trusted: ssl.SSLContext = httpx2.create_ssl_context()
        self._lookups: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="webhook sender", daemon=True)
        self._thread.start()

    def send(self, endpoint: Endpoint, notice: Notice) -> "Future[Attempt]":
        """Begin an attempt; its future never raises, but when this is closed."""
        return asyncio.run_coroutine_threadsafe(self._attempt(endpoint, notice), self._loop)

    def close(self) -> None:
        """End what is under way; returns when the thread has ended."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _attempt(self, endpoint: Endpoint, notice: Notice) -> Attempt:
        answer = _Answer()
        try:
            async with asyncio.timeout(self._limits.total_s) as limit:
                await self._post(endpoint, notice, answer, limit)
        except _Refused:
            return Attempt(outcome=Outcome.REFUSED, reason="its name leads to an address that may not be called")
        except Exception as error:  # noqa: BLE001 - httpx2 has no root of all that it raises, sockets and TLS have their own
            return answer.attempt or Attempt(outcome=Outcome.FAILED, reason=reason_of(error))
        assert answer.attempt
        return answer.attempt

    async def _post(self, endpoint: Endpoint, notice: Notice, answer: "_Answer", limit: asyncio.Timeout) -> None:
        """Once there is a status, nothing that comes after it counts, and it may not take long."""
        url = httpx2.URL(endpoint.url)
        host = url.raw_host.decode("ascii")
        addresses = await self._addresses(host, url.port or (443 if url.scheme == "https" else 80))
        at_s = int(self._clock.now().timestamp())
        headers = {
            **_HEADERS,
            **signed_headers(notice.webhook_id, at_s, notice.body, endpoint.secrets),
            "Host": url.netloc.decode("ascii"),
        }
        timeout = httpx2.Timeout(self._limits.total_s, connect=self._limits.connect_s)
        async with httpx2.AsyncClient(
            verify=self._trusted, timeout=timeout, follow_redirects=False, trust_env=False
        ) as http:
            for number, address in enumerate(addresses, 1):
                request = http.build_request(
                    "POST",
                    url.copy_with(host=address),
                    content=notice.body,
                    headers=headers,
                    extensions={"sni_hostname": host},
                )
                try:
                    response = await http.send(request, stream=True)
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    if number == len(addresses):
                        raise
                    continue
                answer.attempt = _judged(response)
                limit.reschedule(self._loop.time() + _ANSWER_S)
                await _read_a_little(response)
                return

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Those of the host, all of which may be called. Raises _Refused where one may not, and OSError."""
        found = await asyncio.shield(self._lookup(host, port))
        if not found or not all(self._wall.lets_pass(address) for address in found):
            raise _Refused
        return found[:_MOST_ADDRESSES]

    def _lookup(self, host: str, port: int) -> "asyncio.Future[Sequence[str]]":
        """One at a time for a host: a name server that does not answer costs one thread, and no other host's time."""
        place = (host, port)
        if (under_way := self._lookups.get(place)) is not None:
            return under_way
        found: asyncio.Future[Sequence[str]] = self._loop.create_future()
        self._lookups[place] = found
        found.add_done_callback(lambda _: self._looked_up(place, found))
        threading.Thread(target=self._ask, args=(place, found), name="webhook lookup", daemon=True).start()
        return found

    def _looked_up(self, place: tuple[str, int], found: "asyncio.Future[Sequence[str]]") -> None:
        del self._lookups[place]
        if not found.cancelled():
            found.exception()  # nobody may be waiting any more, and that is no error

    def _ask(self, place: tuple[str, int], found: "asyncio.Future[Sequence[str]]") -> None:
        with suppress(RuntimeError):  # this was closed meanwhile
            try:
                addresses = self._resolve(*place)
            except OSError as error:
                self._loop.call_soon_threadsafe(found.set_exception, error)
            else:
                self._loop.call_soon_threadsafe(found.set_result, addresses)


async def _read_a_little(response: httpx2.Response) -> None:
    """Most answers are short, and who is read to the end takes no offence; an endless one is cut."""
    read = 0
    try:
        async for piece in response.aiter_raw():  # as it comes: what is packed is not unpacked
            read += len(piece)
            if read > _MOST_ANSWER_BYTES:
                return
    finally:
        await response.aclose()


def _judged(response: httpx2.Response) -> Attempt:
    status = response.status_code
    if 200 <= status < 300:
        return Attempt(outcome=Outcome.DELIVERED)
    if status == _GONE:
        return Attempt(outcome=Outcome.GONE, reason="it answered 410")
    asked = response.headers.get("retry-after", "")
    retry_after_s = float(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 9 else 0.0
    return Attempt(outcome=Outcome.FAILED, reason=f"it answered {status}", retry_after_s=retry_after_s)
