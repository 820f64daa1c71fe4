"""AsyncHttpClient as the tests of HttpClient use it: each call waits for what a loop in another thread has done."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from consumer.client.http import AsyncHttpClient, AsyncHttpJob

T = TypeVar("T")


class Loop:
    """A loop at work in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, asking: Coroutine[Any, Any, T]) -> T:
        """Its value, within what no test takes."""
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result(100)

    def end(self) -> None:
        """Once nothing is at work in it any more."""
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


class TwinJob:
    """As HttpJob."""

    def __init__(self, job: AsyncHttpJob, loop: Loop) -> None:
        self._job, self._loop = job, loop
        self.request_id, self.position = job.request_id, job.position

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._job, name)
        return lambda *args, **kwargs: self._loop.run(method(*args, **kwargs))


class TwinClient:
    """As HttpClient."""

    def __init__(self, client: AsyncHttpClient, loop: Loop) -> None:
        self._client, self._loop = client, loop

    def separate(self, *args: Any, **kwargs: Any) -> TwinJob:
        return TwinJob(self._loop.run(self._client.separate(*args, **kwargs)), self._loop)

    def job(self, request_id: str) -> TwinJob:
        return TwinJob(self._loop.run(self._client.job(request_id)), self._loop)

    def cancel(self, request_id: str) -> None:
        self._loop.run(self._client.cancel(request_id))

    def jobs(self, **kwargs: Any) -> Iterator[TwinJob]:
        return self._each(self._client.jobs(**kwargs))

    def close(self) -> None:
        self._loop.run(self._client.close())

    def _each(self, jobs: AsyncGenerator[AsyncHttpJob, None]) -> Iterator[TwinJob]:
        async def following() -> AsyncHttpJob | None:
            return await anext(jobs, None)

        while (job := self._loop.run(following())) is not None:
            yield TwinJob(job, self._loop)


@contextmanager
def twin(client: AsyncHttpClient) -> Iterator[TwinClient]:
    """Closed afterwards, with its loop."""
    loop = Loop()
    made = TwinClient(client, loop)
    try:
        yield made
    finally:
        made.close()
        loop.end()
