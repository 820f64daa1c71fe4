"""The client for code that runs in asyncio: the same values and errors, and nothing blocks the loop.

async with AsyncClient.from_env() as client:
    job = await client.separate("music/song.mp3")
    result = await job.result(timeout_s=600)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from consumer.client.client import Client
from consumer.client.errors import SeparationFailed, WaitTimeout
from consumer.client.job import Job
from consumer.client.limits import RESULT_S
from consumer.client.log import EventLog, Received
from consumer.core.events import DeadLetter, Event, SeparationProgress, SeparationResult

P = ParamSpec("P")
E = TypeVar("E", bound=Event)


class AsyncJob:
    """A job under way. Waiting for thousands of them takes no thread each."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @property
    def request_id(self) -> str:
        """As Job.request_id."""
        return self._job.request_id

    async def result(self, timeout_s: float = RESULT_S) -> SeparationResult:
        """As Job.result. Cancelling the task that waits leaves the job alone."""
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(self._job.outcome), timeout_s)
        except TimeoutError as error:
            if isinstance(error, WaitTimeout):
                raise
            told = f"no outcome of {self.request_id} within {timeout_s:g} s"
            raise WaitTimeout(told, request_id=self.request_id) from None
        if isinstance(outcome, DeadLetter):
            raise SeparationFailed(outcome)
        return outcome

    def done(self) -> bool:
        """As Job.done."""
        return self._job.done()

    def progress(self) -> SeparationProgress | None:
        """As Job.progress."""
        return self._job.progress()

    async def cancel(self, reason: str | None = None) -> None:
        """As Job.cancel."""
        await asyncio.to_thread(self._job.cancel, reason)

    async def download(self, folder: Path | str, timeout_s: float = RESULT_S) -> dict[str, Path]:
        """As Job.download."""
        await self.result(timeout_s)
        return await asyncio.to_thread(self._job.download, folder)


def _off_the_loop(
    method: Callable[Concatenate[Client, P], Job],
) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, AsyncJob]]:
    """The method of a client, in a thread: it may upload a file, and waits for brokers at first."""

    async def call(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> AsyncJob:
        return AsyncJob(await asyncio.to_thread(method, self._client, *args, **kwargs))

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class AsyncClient:
    """See Client, whose methods these are. Belongs to no loop in particular; close it in any."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def from_env(cls) -> Self:
        """As Client.from_env."""
        return cls(Client.from_env())

    separate = _off_the_loop(Client.separate)
    submit = _off_the_loop(Client.submit)
    job = _off_the_loop(Client.job)

    async def cancel(self, request_id: str, reason: str | None = None) -> None:
        """As Client.cancel."""
        await asyncio.to_thread(self._client.cancel, request_id, reason)

    async def results(
        self, *, since: Mapping[int, int] | None = None, idle_s: float | None = None
    ) -> AsyncIterator[Received[SeparationResult]]:
        """As Client.results."""
        async for received in _each(partial(self._client.results, since=since, idle_s=idle_s)):
            yield received

    async def dead_letters(
        self, *, since: Mapping[int, int] | None = None, idle_s: float | None = None
    ) -> AsyncIterator[Received[DeadLetter]]:
        """As Client.dead_letters."""
        async for received in _each(partial(self._client.dead_letters, since=since, idle_s=idle_s)):
            yield received

    async def close(self) -> None:
        """As Client.close."""
        await asyncio.to_thread(self._client.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


async def _each(open_log: Callable[[], EventLog[E]]) -> AsyncIterator[Received[E]]:
    """A log's events, read in threads; it is closed when nobody wants more."""
    log = await asyncio.to_thread(open_log)
    try:
        while (received := await asyncio.to_thread(next, log, None)) is not None:
            yield received
    finally:
        log.close()
