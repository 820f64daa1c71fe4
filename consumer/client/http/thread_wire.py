"""The wire of threads: whoever asks stands still until the answer is there, and so no loop is needed."""

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from consumer.client.http.patience import Pause

T = TypeVar("T")


def run(asking: Coroutine[Any, Any, T]) -> T:
    """The value of what is asked over a ThreadWire, in this thread, whether or not a loop runs in it."""
    try:
        asking.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    asking.close()
    raise RuntimeError("what is asked by a thread waits for a loop")


def each(items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """What comes over a ThreadWire, as it is wanted; none of it is None."""
    try:
        while (item := run(_next(items))) is not None:
            yield item
    finally:
        run(items.aclose())


async def _next(items: AsyncGenerator[T, None]) -> T | None:
    return await anext(items, None)


@dataclass(frozen=True, slots=True)
class _Arrived:
    head: httpx2.Response

    async def pieces(self, *, as_sent: bool = False) -> AsyncGenerator[bytes, None]:
        for piece in self.head.iter_raw() if as_sent else self.head.iter_bytes():
            yield piece


class ThreadWire:
    """Thread-safe, but for `close`. pause: waits in place of `sleep`, and is not woken."""

    def __init__(self, *, timeout_s: float, limits: httpx2.Limits, pause: Pause | None) -> None:
        self._http = httpx2.Client(timeout=timeout_s, limits=limits, follow_redirects=False)
        self._woken, self._pause = threading.Event(), pause

    def request(self, method: str, url: httpx2.URL | str, **options: Any) -> httpx2.Request:
        """As Wire.request."""
        return self._http.build_request(method, url, **options)

    @asynccontextmanager
    async def send(self, request: httpx2.Request) -> AsyncIterator[_Arrived]:
        """As Wire.send."""
        response = self._http.send(request, stream=True)
        try:
            yield _Arrived(response)
        finally:
            response.close()

    async def apart(self, work: Callable[[], T]) -> T:
        """Here: nobody else waits for this thread."""
        return work()

    async def sleep(self, seconds: float) -> None:
        """As Wire.sleep."""
        if self._pause is not None:
            self._pause(seconds)
        else:
            self._woken.wait(seconds)

    def wake(self) -> None:
        """As Wire.wake."""
        self._woken.set()

    async def close(self) -> None:
        """As Wire.close."""
        self._http.close()
