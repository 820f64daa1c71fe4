"""What is slow to find out, found out once for all who ask within a moment."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from consumer.core.clock import Clock

_FRESH_S = 2.0
T = TypeVar("T")


class Fresh(Generic[T]):
    """Belongs to one event loop; `find` is called in a thread, once at a time. What it raises is nobody's but the
    asker's.
    """

    def __init__(self, find: Callable[[], T], clock: Clock) -> None:
        self._find, self._clock = find, clock
        self._lock = asyncio.Lock()
        self._found: tuple[T, float] | None = None

    async def read(self) -> T:
        """What was found at most two seconds ago."""
        async with self._lock:
            if self._found is None or self._clock.monotonic() - self._found[1] > _FRESH_S:
                self._found = await asyncio.to_thread(self._find), self._clock.monotonic()
            return self._found[0]
