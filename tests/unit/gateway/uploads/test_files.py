"""A separation that comes with its file: what is stored where the request, the client or the log fails."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from starlette.requests import Request

from consumer.core.content_index import SeparatedContent, content_key
from consumer.core.errors import BrokerUnavailable
from consumer.core.events import SeparationRequest, SourceObject
from consumer.core.model import StoredPart
from consumer.gateway.access.principal import Principal, Scope
from consumer.gateway.finding import Finder, Found
from consumer.gateway.index.entry import JobEntry, JobState
from consumer.gateway.index.interpret import asked
from consumer.gateway.problems import Problem
from consumer.gateway.sending import Accepted, Submission, request_id_of
from consumer.gateway.uploads.contents import ContentPlace, Contents
from consumer.gateway.uploads.files import FileSeparations
from consumer.gateway.uploads.limits import UploadLimits
from consumer.gateway.uploads.receiving import Pace
from consumer.gateway.uploads.slots import Slots
from consumer.gateway.uploads.storing import UploadTarget
from consumer.gateway.uploads.threads import StoreThreads
from consumer.testing.store import MemoryStore

WHO = Principal(id="key:1", tenant="t", scopes=frozenset(Scope))
BOUNDARY = "b"
FLAC = b"fLaC" + bytes(1000)
LIMIT = 100_000


class MemoryParts:
    """Removes objects; these files have one part each."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def remove(self, bucket: str, key: str) -> None:
        self._store.remove(bucket, key)

    def begin(self, bucket: str, key: str) -> str:
        raise AssertionError

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> StoredPart | None:
        raise AssertionError

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Sequence[StoredPart] | None:
        raise AssertionError

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[StoredPart]) -> str | None:
        raise AssertionError

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        raise AssertionError

    def read_chunks(self, bucket: str, key: str, *, etag: str, first_bytes: int | None = None) -> Iterator[bytes]:
        raise AssertionError

    def part_url(self, bucket: str, key: str, upload_id: str, number: int, *, expires_s: int) -> str | None:
        raise AssertionError


class Log:
    """Stands for Kafka and the index: what is sent is known from then on, unless it fails."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobEntry] = {}
        self.sent: list[SeparationRequest] = []
        self.fails: BaseException | None = None
        self.is_full = False
        self.reached, self.may_go = asyncio.Event(), asyncio.Event()
        self.may_go.set()

    def check(self, request: SeparationRequest) -> None: ...

    def check_in_flight(self, tenant: str | None) -> None:
        if self.is_full:
            raise Problem(429, "TOO_MANY_JOBS", "wait")

    async def is_forgotten(self, request_id: str, tenant: str | None) -> bool:
        return False

    async def look_up(self, request_id: str, tenant: str | None) -> Found | None:
        return Found(self.jobs[request_id]) if request_id in self.jobs else None

    async def submit(self, request: SeparationRequest) -> Accepted:
        self.reached.set()
        while not self.may_go.is_set():
            await asyncio.sleep(0.001)
        if self.fails:
            raise self.fails
        entry = JobEntry.of_request(asked(request, partition=0, offset=len(self.sent), at_ms=0))
        if known := self.jobs.get(request.request_id):
            if known.payload != entry.payload:
                raise Problem(422, "IDEMPOTENCY_KEY_REUSED", "other words")
            return Accepted(found=Found(known), position=None)
        self.jobs[request.request_id] = entry
        self.sent.append(request)
        return Accepted(found=Found(entry), position="p")


class Door:
    """What takes files, between a log and a store that are none."""

    def __init__(self, *, slots: int = 2, idle_s: float = 20.0, least_bytes_per_s: int = 1) -> None:
        self.store, self.log = MemoryStore("in", "out"), Log()
        self.threads = StoreThreads(2)
        self.received = 0
        target = UploadTarget(store=self.store, parts=MemoryParts(self.store), bucket="in", threads=self.threads)
        limits = UploadLimits(
            max_object_bytes=LIMIT,
            formats=("flac",),
            pace=Pace(idle_s=idle_s, least_bytes_per_s=least_bytes_per_s),
            slots=Slots(slots),
            received=self._count,
        )
        submission = cast(Submission, self.log)
        contents = Contents(self.store, ContentPlace(bucket="out", prefix="stems/", source_buckets=["in"]), submission)
        self.files = FileSeparations(target, limits, submission, cast(Finder, self.log), contents)

    def _count(self, size_bytes: int) -> None:
        self.received += size_bytes

    async def ask(self, *pieces: bytes | float, key: str | None = None, **headers: str) -> Accepted:
        return await self.files.ask(a_request(pieces, headers), WHO, key)

    def keys(self) -> list[str]:
        return self.store.keys("in")


def a_request(pieces: Iterable[bytes | float], headers: dict[str, str]) -> Request:
    """As a server hands it on: pieces of a body, and numbers of seconds in which nothing comes."""

    async def come() -> AsyncIterator[dict[str, Any]]:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield {"type": "http.request", "body": piece, "more_body": True}
            else:
                await asyncio.sleep(piece)
        yield {"type": "http.request", "body": b"", "more_body": False}
        while True:
            yield {"type": "http.disconnect"}

    messages = come()
    own = {"content_type": f"multipart/form-data; boundary={BOUNDARY}", "transfer_encoding": "chunked"}
    given = {**own, **headers}
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items() if value]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": encoded}
    return Request(scope, messages.__anext__)


def opened(**options: object) -> bytes:
    begin = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    return f'{begin}"request"\r\n\r\n{json.dumps(options)}\r\n{begin}"file"; filename="a"\r\n\r\n'.encode()


END = f"\r\n--{BOUNDARY}--\r\n".encode()


def form(file: bytes = FLAC, **options: object) -> bytes:
    return opened(**options) + file + END


async def refused(asking: Any) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        await asking
    return caught.value.status, caught.value.code


def test_the_log_takes_nothing() -> None:
    """Without a key the file goes again; under one it is found by the next try, and another file is refused."""

    async def go() -> None:
        door = Door()
        door.log.fails = BrokerUnavailable("away")
        with pytest.raises(BrokerUnavailable):
            await door.ask(form())
        assert door.keys() == []
        with pytest.raises(BrokerUnavailable):
            await door.ask(form(), key="k")
        stored = f"uploads/{request_id_of('t', 'k')}"
        assert door.keys() == [stored]
        door.log.fails = None
        assert await refused(door.ask(form(FLAC + b"x"), key="k")) == (422, "IDEMPOTENCY_KEY_REUSED")
        accepted = await door.ask(form(), key="k")
        assert accepted.position
        facts = door.store.stat("in", stored)
        assert facts
        assert [request.source for request in door.log.sent] == [SourceObject(bucket="in", key=stored, etag=facts.etag)]
        await door.threads.close()

    asyncio.run(go())


def test_whoever_goes_away_while_the_request_is_sent() -> None:
    """It may be on its way, so its file stays; whoever goes before that leaves nothing."""

    async def go() -> None:
        for is_sent in (True, False):
            door = Door()
            door.log.may_go.clear()
            asking = asyncio.create_task(door.ask(*([form()] if is_sent else [opened() + FLAC, 30.0])))
            while not (door.log.reached.is_set() if is_sent else door.received):
                await asyncio.sleep(0.001)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await door.threads.close()
            assert len(door.keys()) == is_sent

    asyncio.run(go())


def test_a_file_whose_object_was_removed_in_time() -> None:
    """The same file is still the same, as long as that can be told; another one is not."""

    async def go() -> None:
        door = Door()
        first = await door.ask(form(), key="k")
        request = door.log.sent[0]
        name = request.request_id
        content = SeparatedContent(request_id=name, asked=request.source, read=request.source)
        key = content_key("stems/", "t", hashlib.sha256(FLAC).hexdigest())
        door.store.replace("out", key, content.to_json(), media_type="application/json", metadata={})
        door.log.jobs[name] = replace(door.log.jobs[name], state=JobState.SUCCEEDED)
        door.store.remove("in", request.source.key)
        again = await door.ask(form(), key="k")
        assert again.found.job.request_id == first.found.job.request_id
        assert await refused(door.ask(form(model="4stems"), key="k")) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert (door.keys(), len(door.log.sent)) == ([], 1)
        await door.threads.close()

    asyncio.run(go())


def test_a_key_that_named_an_object_before() -> None:
    """A file is something else, also where nothing lies under the id."""

    async def go() -> None:
        door = Door()
        name = request_id_of("t", "k")
        await door.ask(form(), key="other")
        elsewhere = replace(
            door.log.sent[0], request_id=name, source=SourceObject(bucket="in", key="song.flac", etag="e")
        )
        await door.log.submit(elsewhere)
        assert await refused(door.ask(form(), key="k")) == (422, "IDEMPOTENCY_KEY_REUSED")
        await door.threads.close()

    asyncio.run(go())


def test_what_can_be_refused_is_refused_before_the_file() -> None:
    """Wrong options, too many jobs, and too many files at once; each before anything of the file was read."""

    async def go() -> None:
        door = Door(slots=0)
        assert await refused(door.ask(opened(model=9), FLAC, END)) == (422, "REQUEST_INVALID")
        assert await refused(door.ask(opened(source={"sha256": "0" * 64}), FLAC, END)) == (422, "REQUEST_INVALID")
        assert await refused(door.ask(opened(), FLAC, END)) == (503, "UNAVAILABLE")
        door.log.is_full = True
        assert await refused(door.ask(opened(), FLAC, END)) == (429, "TOO_MANY_JOBS")
        assert await refused(door.ask(b"", content_length=str(LIMIT * 100))) == (413, "OBJECT_TOO_LARGE")
        assert await refused(door.ask(b"", transfer_encoding="")) == (411, "LENGTH_REQUIRED")
        assert door.keys() == []
        await door.threads.close()

    asyncio.run(go())


def test_senders_that_are_too_slow() -> None:
    """Those that stop, and those that send a byte now and then; time that the store takes is not theirs."""

    async def go() -> None:
        stopping = Door(idle_s=0.05)
        assert await refused(stopping.ask(opened(), FLAC, 30.0)) == (408, "TOO_SLOW")
        dripping = Door(idle_s=0.2, least_bytes_per_s=1_000_000)
        drops = [piece for _ in range(200) for piece in (0.05, b"x")]
        assert await refused(dripping.ask(opened(), FLAC, *drops)) == (408, "TOO_SLOW")
        assert dripping.received < len(opened() + FLAC) + 100
        assert stopping.keys() == dripping.keys() == []
        for door in (stopping, dripping):
            await door.threads.close()

    asyncio.run(go())


def test_who_is_refused_in_the_middle_may_send_on_for_a_while() -> None:
    """Or the answer would not be read; but whoever waits to be told to go on has sent nothing."""

    async def go() -> None:
        door, taken = Door(), 0

        def pieces() -> Iterator[bytes]:
            nonlocal taken
            for piece in (opened(), b"%PDF-1.7" + bytes(70_000), *[bytes(1000)] * 100):
                taken += 1
                yield piece

        for headers, count in (({}, 102), ({"expect": "100-continue"}, 2)):
            taken = 0
            asking = door.files.ask(a_request(pieces(), headers), WHO, None)
            assert await refused(asking) == (415, "FORMAT_NOT_ALLOWED")
            assert taken == count
        await door.threads.close()

    asyncio.run(go())


def test_a_file_of_just_the_size_that_is_allowed() -> None:
    """And one byte more, whatever the length is said to be."""

    async def go() -> None:
        door = Door()
        whole = FLAC + bytes(LIMIT - len(FLAC))
        assert (await door.ask(form(whole))).position
        assert await refused(door.ask(form(whole + b"x"), content_length="10")) == (413, "OBJECT_TOO_LARGE")
        assert len(door.keys()) == 1
        await door.threads.close()

    asyncio.run(go())


def test_a_slot_is_free_again_after_every_end() -> None:
    """Of files that were taken, refused and cut."""

    async def go() -> None:
        door = Door(slots=1)
        for _ in range(3):
            await door.ask(form())
            assert (await refused(door.ask(form(b"no audio"))))[0] == 415
            assert (await refused(door.ask(form()[:-10])))[0] == 400
        await door.threads.close()

    asyncio.run(go())
