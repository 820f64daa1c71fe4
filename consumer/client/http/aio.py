"""The client over HTTP for code that runs in asyncio: the same values and errors, and nothing blocks the loop.

async with AsyncHttpClient.from_env() as client:
    job = await client.separate("music/song.mp3")
    result = await job.result(timeout_s=600)
"""

from typing import Self

from consumer.client.http.calls import GatewayCalls
from consumer.client.http.client import TIMEOUT_S
from consumer.client.http.connection import LIMITS, Connection
from consumer.client.http.credentials import Credentials
from consumer.client.http.environment import gateway_from_env
from consumer.client.http.loop_wire import AsyncPause, LoopWire
from consumer.client.http.patience import Patience
from consumer.core.clock import SYSTEM_CLOCK, Clock


class AsyncHttpClient(GatewayCalls):
    """See HttpClient, whose methods these are. Belongs to the loop in which it is first used.

    A task that is cancelled leaves its job alone; while a request is being sent, whether the job is there is known by
    asking again under its `idempotency_key`.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        timeout_s: float = TIMEOUT_S,
        clock: Clock = SYSTEM_CLOCK,
        pause: AsyncPause | None = None,
    ) -> None:
        wire = LoopWire(timeout_s=timeout_s, limits=LIMITS, pause=pause)
        super().__init__(Connection(url, credentials, wire, patience=patience, timeout_s=timeout_s, clock=clock))

    @classmethod
    def from_env(cls) -> Self:
        """As HttpClient.from_env."""
        return cls(*gateway_from_env())

    async def close(self) -> None:
        """As HttpClient.close."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()
