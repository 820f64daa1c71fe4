"""The wire of asyncio: nothing that waits holds up the loop, neither for the gateway nor for a disk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx2

AsyncPause = Callable[[float], Awaitable[None]]
"""Waits so many seconds."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Arrived:
    head: httpx2.Response

    async def pieces(self, *, as_sent: bool = False) -> AsyncGenerator[bytes, None]:
        async for piece in self.head.aiter_raw() if as_sent else self.head.aiter_bytes():
            yield piece


class _FromDisk(httpx2.AsyncByteStream):
    """A body that has a file in it: httpx2 itself would read that in the loop's thread."""

    def __init__(self, body: httpx2.SyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self._body)
        while (piece := await _in_a_thread(lambda: next(pieces, None))) is not None:
            yield piece


class LoopWire:
    """Belongs to the loop in which it is first used. pause: waits in place of `sleep`, and is not woken."""

    def __init__(self, *, timeout_s: float, limits: httpx2.Limits, pause: AsyncPause | None) -> None:
        self._http = httpx2.AsyncClient(timeout=timeout_s, limits=limits, follow_redirects=False)
        self._woken, self._pause = asyncio.Event(), pause

    def request(self, method: str, url: httpx2.URL | str, **options: Any) -> httpx2.Request:
        """As Wire.request."""
        request = self._http.build_request(method, url, **options)
        if options.get("files"):
            request.stream = _FromDisk(cast(httpx2.SyncByteStream, request.stream))
        return request

    @asynccontextmanager
    async def send(self, request: httpx2.Request) -> AsyncIterator[_Arrived]:
        """As Wire.send."""
        response = await self._http.send(request, stream=True)
        try:
            yield _Arrived(response)
        finally:
            await response.aclose()

    async def apart(self, work: Callable[[], T]) -> T:
        """In a thread."""
        return await _in_a_thread(work)

    async def sleep(self, seconds: float) -> None:
        """As Wire.sleep."""
        if self._pause is not None:
            await self._pause(seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)

    def wake(self) -> None:
        """As Wire.wake."""
        self._woken.set()

    async def close(self) -> None:
        """As Wire.close."""
        await self._http.aclose()


async def _in_a_thread(work: Callable[[], T]) -> T:
    """A task that is cancelled waits for its thread first: what that has in hand is closed or removed afterwards."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        with suppress(Exception):
            await working
        raise
