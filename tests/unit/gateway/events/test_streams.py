"""Streams from their first byte to their end, on an index that reads what the test has written."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from consumer.core.model import TopicPartition
from consumer.gateway.access.principal import Principal
from consumer.gateway.access.principal import Scope as Right
from consumer.gateway.events.room import StreamRoom
from consumer.gateway.events.streams import EventStreams, StreamTimes
from consumer.gateway.finding import Finder
from consumer.gateway.forgotten import ForgottenBook
from consumer.gateway.index.entry import JobState
from consumer.gateway.problems import Problem
from consumer.pipeline.forgotten import Tombstones
from consumer.testing.store import MemoryStore
from harness.clock import ManualClock
from harness.job_log import IDS, LETTERS, PROGRESS, REQUESTS, RESULTS, IndexOf, JobLog, asked, ended, progress
from harness.job_log import parse_stream as parse

MINE = Principal(id="key:mine", tenant="t", scopes=frozenset({Right.READ}))
THEIRS = Principal(id="key:theirs", tenant="other", scopes=frozenset({Right.READ}))
NOW = StreamTimes(keep_alive_s=0.0)  # silence is told at once
PATIENCE_S = 60.0

Chunks = AsyncGenerator[bytes, None]


class Scene:
    """A replica with its streams, and the log that it reads."""

    def __init__(self, folder: Path, log: JobLog, begins: Mapping[TopicPartition, int] | None = None) -> None:
        self.written, self.clock, self.room = log, ManualClock(), StreamRoom(most=3, most_of_one=2)
        self.replica = IndexOf(log, folder, begins)
        store = MemoryStore("out")
        book = ForgottenBook(Tombstones(store=store, bucket="out", prefix="stems/"))
        finder = Finder(self.replica.index, store, book, output_bucket="out", output_prefix="stems/")
        self.streams = EventStreams(
            self.replica.index, finder, self.replica.log, self.room, times=NOW, clock=self.clock
        )

    def open(self, who: Principal = MINE, request_id: str | None = None, last_id: str | None = None) -> Chunks:
        return self.streams.open(who, request_id, last_id)


def play(tmp_path: Path, scenario: Callable[[Scene], Awaitable[None]], **scene: Any) -> None:
    """Run a scenario in a loop of its own, on a log of two jobs, one of each tenant."""
    log = JobLog()
    log.request("a")
    log.request("b", "other", 1)

    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S):
            there = Scene(tmp_path, log, **scene)
            there.replica.read_all()
            await scenario(there)

    asyncio.run(run())


async def events_of(chunks: Chunks, count: int) -> list[tuple[str, str, dict[str, Any]]]:
    """The next so many events; what is between chunks is looked through."""
    text = b""
    while len(found := parse(text)) < count:
        text += await anext(chunks)
    return [(name, event_id, json.loads(data)) for name, event_id, data in found]


def test_a_jobs_stream_tells_its_life_and_ends(tmp_path: Path) -> None:
    """Its present first; behind its end nothing follows."""

    async def scenario(scene: Scene) -> None:
        chunks = scene.open(request_id="a")
        [(name, _, data)] = await events_of(chunks, 1)
        assert (name, data["state"]) == ("accepted", "queued")
        scene.written.write(PROGRESS, 0, progress("a", 3))
        scene.written.write(RESULTS, 0, ended("a", JobState.SUCCEEDED))
        scene.replica.read_all()
        (step, _, share), (end, last_id, done) = await events_of(chunks, 2)
        assert (step, share) == (
            "progress",
            {"id": "a", "state": "running", "done": False, "stage": "separate", "progress": 0.75, "attempt": 1},
        )
        assert (end, done["state"], done["done"]) == ("succeeded", "succeeded", True)
        assert [chunk async for chunk in chunks] == []
        assert parse(b"".join([chunk async for chunk in scene.open(request_id="a", last_id=last_id)])) == []
        assert len(scene.streams) == 0

    play(tmp_path, scenario)


def test_all_of_a_tenants_jobs_from_now_on(tmp_path: Path) -> None:
    """Nothing of before, nothing of another tenant's, and an id before there is an event."""

    async def scenario(scene: Scene) -> None:
        chunks = scene.open()
        first = await anext(chunks)
        assert parse(first) == []
        assert f"id: {IDS.text(scene.replica.index.positions)}\n".encode() in first
        scene.written.request("c", "other")
        scene.written.request("d")
        scene.replica.read_all()
        assert [(name, data["id"]) for name, _, data in await events_of(chunks, 1)] == [("accepted", "d")]

    play(tmp_path, scenario)


def test_silence_is_kept_alive_and_moves_the_id(tmp_path: Path) -> None:
    """A comment, with an id that is as far as the index, though nothing was there for this client."""

    async def scenario(scene: Scene) -> None:
        chunks = scene.open()
        await anext(chunks)
        assert (await anext(chunks)).startswith(b": keep-alive\n")
        scene.written.request("c", "other")
        scene.replica.read_all()
        for _ in range(2):
            silence = await anext(chunks)
        assert silence == f": keep-alive\nid: {IDS.text(scene.written.ends())}\n\n".encode()

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    ("last_id", "reason"),
    [
        ("nonsense", "unknown_id"),
        (IDS.text({TopicPartition(REQUESTS, 0): 0, TopicPartition(REQUESTS, 1): 1}), "expired"),
        (IDS.text({TopicPartition(REQUESTS, 1): 1}), "expired"),
        (IDS.text({TopicPartition(REQUESTS, 0): 2, TopicPartition(REQUESTS, 1): 1}), "beyond_end"),
        (IDS.text({TopicPartition(REQUESTS, 0): 1, TopicPartition(REQUESTS, 7): 1}), "beyond_end"),
    ],
)
def test_what_can_not_be_resumed_is_reset(tmp_path: Path, last_id: str, reason: str) -> None:
    """Then comes the present of a job, or what happens from now on."""

    async def scenario(scene: Scene) -> None:
        of_one = await events_of(scene.open(request_id="a", last_id=last_id), 2)
        assert [(name, data.get("reason", data.get("id"))) for name, _, data in of_one] == [
            ("reset", reason),
            ("accepted", "a"),
        ]
        of_all = await events_of(scene.open(last_id=last_id), 1)
        assert [(name, data) for name, _, data in of_all] == [("reset", {"reason": reason})]

    play(tmp_path, scenario, begins={TopicPartition(REQUESTS, 0): 1})


def test_a_resumed_stream_waits_for_what_was_read_elsewhere(tmp_path: Path) -> None:
    """And then tells what is behind the id, and that alone."""

    async def scenario(scene: Scene) -> None:
        elsewhere = IndexOf(scene.written, tmp_path_of(tmp_path, "other"))
        scene.written.request("c")
        elsewhere.read_all()
        last_id = IDS.text(elsewhere.index.positions)
        scene.written.request("d")
        opening = asyncio.ensure_future(anext(chunks := scene.open(last_id=last_id)))
        await asyncio.sleep(0)
        scene.replica.read_all()
        assert parse(await opening) == []
        assert [data["id"] for _, _, data in await events_of(chunks, 1)] == ["d"]

    play(tmp_path, scenario)


def tmp_path_of(tmp_path: Path, name: str) -> Path:
    """A folder in it."""
    (tmp_path / name).mkdir()
    return tmp_path / name


def test_a_job_that_is_tried_again_goes_on(tmp_path: Path) -> None:
    """Its failure is told as it was, also where it is read later; its stream ends with the last end."""

    async def scenario(scene: Scene) -> None:
        start = IDS.text(scene.replica.index.positions)
        scene.written.write(LETTERS, 0, asked("a"), ended("a", JobState.FAILED, partition=0, offset=0, words="first"))
        scene.replica.read_all()
        _, again_at = scene.written.request("a")
        scene.replica.read_all()
        scene.written.write(LETTERS, 0, asked("a"), ended("a", JobState.CANCELLED, partition=0, offset=again_at))
        scene.replica.read_all()
        told = parse(b"".join([chunk async for chunk in scene.open(request_id="a", last_id=start)]))
        assert [name for name, _, _ in told] == ["failed", "accepted", "cancelled"]
        documents = [json.loads(data) for _, _, data in told]
        assert [(each["state"], each.get("error", {}).get("message")) for each in documents] == [
            ("failed", "first"),
            ("queued", None),
            ("cancelled", "said"),
        ]

    play(tmp_path, scenario)


def test_streams_are_bounded_and_make_room(tmp_path: Path) -> None:
    """429 for one key, 503 for the gateway; what is refused, gone or unknown takes no place."""

    async def scenario(scene: Scene) -> None:
        async with aclosing(scene.open()) as first, aclosing(scene.open(request_id="a")) as second:
            await anext(first)
            await anext(second)
            with pytest.raises(Problem, match="TOO_MANY_STREAMS"):
                await anext(scene.open())
            async with aclosing(scene.open(THEIRS)) as third:
                await anext(third)
                other = Principal(id="key:more", tenant="t", scopes=MINE.scopes)
                with pytest.raises(Problem, match="UNAVAILABLE"):
                    await anext(scene.open(other))
            with pytest.raises(Problem, match="NOT_FOUND"):
                await anext(scene.open(THEIRS, "a"))
            assert len(scene.streams) == 2
        assert len(scene.streams) == 0

    play(tmp_path, scenario)


def test_streams_end_when_they_are_closed_and_after_their_time(tmp_path: Path) -> None:
    """Those that are open end, and no other begins."""

    async def scenario(scene: Scene) -> None:
        old = scene.open()
        await anext(old)
        scene.clock.advance(3600)
        assert len([chunk async for chunk in old]) == 0
        chunks = scene.open()
        await anext(chunks)
        scene.streams.close()
        assert [chunk async for chunk in chunks] == []
        with pytest.raises(Problem, match="UNAVAILABLE"):
            await anext(scene.open())

    play(tmp_path, scenario)
