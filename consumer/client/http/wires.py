"""What requests go through. Threads and asyncio differ in how they wait, and in nothing else: each has a wire.

Whatever asks the gateway is written once, as coroutines over a wire. That of threads never suspends them, so that they
can be run without a loop.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import httpx2

T = TypeVar("T")


class Arrived(Protocol):
    """An answer whose head has come, and whose body comes while it is read."""

    @property
    def head(self) -> httpx2.Response:
        """For status, headers and address."""
        ...

    def pieces(self, *, as_sent: bool = False) -> AsyncGenerator[bytes, None]:
        """The body, piece by piece: unpacked, or as it was sent. To be closed where it is not read to its end."""
        ...


class Wire(Protocol):
    """Raises what httpx2 and sockets do."""

    def request(self, method: str, url: httpx2.URL | str, **options: Any) -> httpx2.Request:
        """As httpx2's `Client.build_request`."""
        ...

    def send(self, request: httpx2.Request) -> AbstractAsyncContextManager[Arrived]:
        """The answer's head, as soon as it is there."""
        ...

    async def apart(self, work: Callable[[], T]) -> T:
        """Do what waits for the disk, where nobody else waits for that."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Until then, or until `wake`."""
        ...

    def wake(self) -> None:
        """End all that sleeps, for good."""
        ...

    async def close(self) -> None:
        """End all connections. None is in use."""
        ...
