"""The body of a request while it comes: counted, and given up where it comes too slowly or is cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.gateway.problems import Problem

_DRAIN_S, _DRAIN_BYTES = 2.0, 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slowly a body may come.

    idle_s: for so long nothing may come. least_bytes_per_s: on average, once the first idle_s are over; only the time
    that the sender is waited for counts.
    """

    idle_s: float
    least_bytes_per_s: int


class Body:
    """received: told of each number of bytes that came."""

    def __init__(
        self, request: Request, pace: Pace, received: Callable[[int], None], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._request, self._pace, self._received, self._clock = request, pace, received, clock

    def check_length(self, most_bytes: int, too_much: Problem) -> None:
        """What the headers say of the body's length. Raises Problem: 411 where they say nothing, too_much."""
        headers = self._request.headers
        told = headers.get("content-length")
        if told is None and "transfer-encoding" not in headers:
            raise Problem(
                HTTPStatus.LENGTH_REQUIRED, "LENGTH_REQUIRED", "the body has no length and comes in no chunks"
            )
        if told is not None and int(told) > most_bytes:  # the server has read it as a number already
            raise too_much

    async def chunks(self) -> AsyncIterator[bytes]:
        """None is empty. Raises Problem: 400 where the body is cut, 408."""
        waited_s, got = 0.0, 0
        async with aclosing(self._request.stream()) as stream:
            while True:
                earned_s = self._pace.idle_s + got / self._pace.least_bytes_per_s
                begun = self._clock.monotonic()
                try:
                    async with asyncio.timeout(min(self._pace.idle_s, earned_s - waited_s)):
                        chunk = await anext(stream, b"")
                except TimeoutError:
                    raise Problem(HTTPStatus.REQUEST_TIMEOUT, "TOO_SLOW", "the body comes too slowly") from None
                except ClientDisconnect:
                    raise Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", "the body was cut") from None
                if not chunk:
                    return
                waited_s += self._clock.monotonic() - begun
                got += len(chunk)
                self._received(len(chunk))
                yield chunk

    async def drain(self) -> None:
        """Let go by what is still coming, for a while: a sender that is cut off does not read why.

        Not where the sender waits to be told to go on; then nothing was sent.
        """
        if "expect" in self._request.headers:
            return
        left = _DRAIN_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while left > 0:
                    message = await self._request.receive()
                    left -= len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return


def too_large(most_bytes: int) -> Problem:
    """Of a file."""
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "OBJECT_TOO_LARGE", f"a file has at most {most_bytes} bytes")
