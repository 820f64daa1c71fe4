"""How many files are received at once: each takes memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from consumer.gateway.problems import service_unavailable


class Slots:
    """Belongs to one event loop."""

    def __init__(self, count: int) -> None:
        self._count, self._taken = count, 0
        self._all_free = asyncio.Event()
        self._all_free.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises Problem, 503, where all are taken."""
        if self._taken >= self._count:
            raise service_unavailable("too many files come at once")
        self._taken += 1
        self._all_free.clear()
        try:
            yield
        finally:
            self._taken -= 1
            if not self._taken:
                self._all_free.set()

    async def all_free(self) -> None:
        """Returns once nobody has one."""
        await self._all_free.wait()
