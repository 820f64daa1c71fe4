"""Threads for what waits on the store, of their own: whoever sends files keeps nobody else waiting."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class StoreThreads:
    """Belongs to one event loop. What was begun is done to its end, also where whoever wanted it has gone."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, "store-upload")
        self._under_way: set[asyncio.Future[Any]] = set()

    def start(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """Begin, and look later."""
        return self._kept(asyncio.get_running_loop().run_in_executor(self._pool, call))

    async def run(self, call: Callable[[], T]) -> T:
        """What it comes to. Cancelled: it goes on all the same."""
        return await asyncio.shield(self.start(call))

    async def to_the_end(self, work: Coroutine[Any, Any, T]) -> T:
        """What it comes to. Cancelled: it goes on all the same."""
        return await asyncio.shield(self._kept(asyncio.ensure_future(work)))

    async def close(self) -> None:
        """Once all that was begun is done."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        self._pool.shutdown()

    def _kept(self, future: "asyncio.Future[T]") -> "asyncio.Future[T]":
        self._under_way.add(future)
        future.add_done_callback(self._drop)
        return future

    def _drop(self, future: "asyncio.Future[Any]") -> None:
        self._under_way.discard(future)
        if not future.cancelled():
            future.exception()  # looked at, so that nobody complains where whoever wanted it has gone
