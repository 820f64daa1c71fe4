"""What only the client for asyncio promises; all the rest is demanded of both kinds by the other modules here."""

import asyncio
import io
import threading
from collections.abc import AsyncIterable, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from consumer.client import ClientClosed, GatewayUnavailable
from consumer.client.http import AsyncHttpClient, HttpClient, Patience, api_key
from consumer.client.http.connection import LIMITS
from consumer.client.http.loop_wire import LoopWire
from tests.unit.client.http.conftest import KEY
from tests.unit.client.http.door import Door, Reply, Seen
from tests.unit.client.http.jobs import CONTENTS, ID, QUEUED, RESULT, SUCCEEDED

pytestmark = pytest.mark.anyio
WAIT_S = 60.0


@pytest.fixture
def anyio_backend() -> str:
    """What the tests of this module run in."""
    return "asyncio"


async def until(told: threading.Event) -> None:
    """Until another thread has said so."""
    assert await asyncio.to_thread(told.wait, WAIT_S)


def held(asked: threading.Event, go_on: threading.Event, reply: Reply) -> Callable[[Seen], Reply]:
    """An answer that says when it was asked for, and comes when it is let go on."""

    def answer(_: Seen) -> Reply:
        asked.set()
        assert go_on.wait(WAIT_S)
        return reply

    return answer


async def test_example(door: Door) -> None:
    """As the module's docstring has it, but for the environment."""
    door.answer(Reply.of(QUEUED, 202), Reply.of(SUCCEEDED))
    async with AsyncHttpClient(door.url, api_key(KEY)) as client:
        job = await client.separate("music/song.mp3")
        assert await job.result(timeout_s=WAIT_S) == RESULT


async def test_many_jobs_wait_at_once(door: Door) -> None:
    """More than there are threads: none is answered before all are asked for."""
    count = 120
    together = threading.Barrier(count, timeout=WAIT_S)

    def poll(_: Seen) -> Reply:
        together.wait(WAIT_S)
        return Reply.of(SUCCEEDED)

    async with AsyncHttpClient(door.url, api_key(KEY)) as client:
        door.answer(Reply.of(QUEUED))
        jobs = [await client.job(ID) for _ in range(count)]
        door.answer(poll)
        assert await asyncio.gather(*(job.result(WAIT_S) for job in jobs)) == [RESULT] * count


async def test_who_stops_waiting_leaves_the_job_alone(door: Door) -> None:
    """A task that is cancelled says nothing to the gateway; the same job is waited for again."""
    asked, go_on = threading.Event(), threading.Event()
    door.answer(Reply.of(QUEUED), held(asked, go_on, Reply.of(QUEUED)), Reply.of(SUCCEEDED))
    async with AsyncHttpClient(door.url, api_key(KEY)) as client:
        job = await client.job(ID)
        waiting = asyncio.create_task(job.result(WAIT_S))
        await until(asked)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await job.result(WAIT_S) == RESULT
        go_on.set()
    assert {seen.method for seen in door.seen} == {"GET"}


async def test_a_download_that_is_cancelled_leaves_nothing(door: Door, tmp_path: Path) -> None:
    """No part of a file, however far it was; what is there already keeps its name."""
    asked, go_on = threading.Event(), threading.Event()
    door.answer(
        Reply.of(SUCCEEDED),
        Reply(body=CONTENTS["vocals"]),
        lambda seen: Reply(body=CONTENTS["accompaniment"], cut=20_000),
        held(asked, go_on, Reply(status=503)),
    )
    async with AsyncHttpClient(door.url, api_key(KEY)) as client:
        job = await client.job(ID)
        downloading = asyncio.create_task(job.download(tmp_path))
        await until(asked)
        assert len(list(tmp_path.glob("*.part"))) == 1
        downloading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await downloading
        go_on.set()
    assert [path.name for path in tmp_path.iterdir()] == ["vocals.wav"]


async def test_a_request_that_is_cancelled_is_asked_for_again(door: Door, tmp_path: Path) -> None:
    """Under its key: whether the gateway took it the first time, nobody knows."""
    song = tmp_path / "song.wav"
    song.write_bytes(bytes(300_000))
    asked, go_on = threading.Event(), threading.Event()
    door.answer(held(asked, go_on, Reply.of(QUEUED, 202)), Reply.of(QUEUED, 200))
    async with AsyncHttpClient(door.url, api_key(KEY)) as client:
        sending = asyncio.create_task(client.separate(song, idempotency_key="mine"))
        await until(asked)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (await client.separate(song, idempotency_key="mine")).request_id == ID
        go_on.set()
    assert {seen.headers["idempotency-key"] for seen in door.seen} == {"mine"}


async def test_who_waits_while_it_is_closed_is_told(door: Door) -> None:
    """One whose poll is under way gets its answer first, one who waits between two tries is told at once."""
    asked, go_on = threading.Event(), threading.Event()
    door.answer(Reply.of(QUEUED), held(asked, go_on, Reply.of(QUEUED)), Reply.problem(503, "UNAVAILABLE"))
    client = AsyncHttpClient(door.url, api_key(KEY))
    polling = asyncio.create_task((await client.job(ID)).result(600))
    await until(asked)
    door.answer(Reply.problem(503, "UNAVAILABLE", Retry_After="50"))
    retrying = asyncio.create_task(client.job(ID))
    while len(door.seen) < 3:
        await asyncio.sleep(0.01)
    await client.close()
    await client.close()
    go_on.set()
    told: list[Awaitable[Any]] = [polling, retrying, client.job(ID)]
    for each in told:
        with pytest.raises(ClientClosed):
            await asyncio.wait_for(each, WAIT_S)


async def test_a_client_that_is_left_by_an_error_is_closed(door: Door) -> None:
    """As any context manager."""
    client = AsyncHttpClient(door.url, api_key(KEY))
    with pytest.raises(ZeroDivisionError):
        async with client:
            raise ZeroDivisionError
    with pytest.raises(ClientClosed):
        await client.job(ID)


async def test_files_are_read_apart_from_the_loop() -> None:
    """A slow disk holds up nobody else: no byte of a file is read in the loop's thread."""

    class Recording(io.BytesIO):
        threads: set[int] = set()  # noqa: RUF012

        def read(self, size: int | None = -1) -> bytes:
            self.threads.add(threading.get_ident())
            return super().read(size)

    wire = LoopWire(timeout_s=1, limits=LIMITS, pause=None)
    files = [("request", (None, b"{}", "application/json")), ("file", ("track", Recording(b"abc" * 99), "a/b"))]
    request = wire.request("POST", "http://127.0.0.1/", files=files)
    stream = request.stream
    assert isinstance(stream, AsyncIterable)
    body = b"".join([piece async for piece in stream])
    assert b"abc" * 99 in body
    assert int(request.headers["content-length"]) == len(body)
    assert Recording.threads
    assert threading.get_ident() not in Recording.threads
    assert await wire.apart(threading.get_ident) != threading.get_ident()
    await wire.close()


async def test_the_client_of_threads_works_where_a_loop_runs(door: Door) -> None:
    """As in a notebook: it stands still until it is done, and leaves the loop alone."""
    door.answer(Reply.of(QUEUED))
    with HttpClient(door.url, api_key(KEY)) as client:
        assert client.job(ID).request_id == ID
        door.answer(Reply.of({"items": [QUEUED], "next_cursor": None}))
        assert [job.request_id for job in client.jobs()] == [ID]


async def test_a_silence_is_no_timeout_of_asyncio(door: Door) -> None:
    """It is the gateway's: whoever has a timeout of their own around it can tell the two apart."""
    go_on = threading.Event()
    door.answer(held(threading.Event(), go_on, Reply.of(QUEUED)))
    async with AsyncHttpClient(door.url, api_key(KEY), timeout_s=0.2, patience=Patience(within_s=0)) as client:
        with pytest.raises(GatewayUnavailable) as caught:
            await client.job(ID)
    assert not isinstance(caught.value, TimeoutError)
    go_on.set()


async def test_from_the_environment(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """As HttpClient."""
    door.answer(Reply.of(QUEUED))
    monkeypatch.setenv("SPLEETER_API_URL", door.url)
    monkeypatch.setenv("SPLEETER_API_KEY", "the-first-of-the-keys,the-second-of-the-keys")
    async with AsyncHttpClient.from_env() as client:
        await client.job(ID)
    assert door.seen[0].headers["x-api-key"] == "the-first-of-the-keys"
