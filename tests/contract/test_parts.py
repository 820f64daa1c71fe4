"""Files that are put into a real store part by part: they appear whole or not at all, and nothing is left of others."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from minio import Minio
from minio.credentials.providers import StaticProvider

from consumer.adapters.s3.client import StoreAccess
from consumer.adapters.s3.minio import MinioStore
from consumer.adapters.s3.parts import MinioParts
from consumer.core.errors import StoreUnavailable
from consumer.core.model import StoredPart
from consumer.gateway.problems import Problem
from consumer.gateway.uploads.sessions import SessionRules, UploadSessions, place_of
from consumer.gateway.uploads.storing import PART_BYTES, FileWriter, UploadTarget
from consumer.gateway.uploads.threads import StoreThreads
from tests.contract.conftest import BUCKET, close

HEAD = b"fLaC"  # what makes it audio


class WatchedParts(MinioParts):
    """Knows which uploads were begun, so that another client can look for each: MinIO lists those of one key alone."""

    def __init__(self, endpoint: str, access: StoreAccess) -> None:
        super().__init__(endpoint, access, secure=False)
        self.begun: list[str] = []
        self.on_part: Callable[[int], None] = lambda number: None

    def begin(self, bucket: str, key: str) -> str:
        self.begun.append(key)
        return super().begin(bucket, key)

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> StoredPart | None:
        self.on_part(number)
        return super().put_part(bucket, key, upload_id, number, data)


class Shelf:
    """A store, what takes parts for it, and another client that looks at both."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, *, public: bool = False) -> None:
        access = StoreAccess(
            credentials=StaticProvider(access_key, secret_key), public_url=f"http://{endpoint}" if public else None
        )
        self.store = MinioStore(endpoint, access_key, secret_key, secure=False)
        self.parts = WatchedParts(endpoint, access)
        self.minio = Minio(endpoint, access_key, secret_key, secure=False)

    def under_way(self) -> list[str]:
        """Uploads that were begun and neither completed nor aborted."""
        return [
            upload.object_name
            for key in self.parts.begun
            for upload in self.minio._list_multipart_uploads(BUCKET, prefix=key).uploads
        ]

    def objects(self, prefix: str) -> set[str | None]:
        """Keys that are there."""
        return {found.object_name for found in self.minio.list_objects(BUCKET, prefix, recursive=True)}

    def left(self) -> set[str | None]:
        """What lies where only what is under way may lie."""
        return self.objects("uploads/staging/")

    def close(self) -> None:
        close(self.store)
        for client in (self.parts._client, self.parts._signing, self.minio):
            if client:
                client._http.clear()


@pytest.fixture
def shelf(real: tuple[str, str, str]) -> Iterator[Shelf]:
    shelf = Shelf(*real)
    yield shelf
    shelf.close()


@asynccontextmanager
async def writer(shelf: Shelf, key: str) -> AsyncIterator[FileWriter]:
    """One that writes there; all that it began has ended afterwards."""
    threads = StoreThreads(4)
    yield FileWriter(UploadTarget(store=shelf.store, parts=shelf.parts, bucket=BUCKET, threads=threads), key)
    await threads.close()


def new_key() -> str:
    return f"uploads/{uuid.uuid4().hex}"


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 17])
def test_a_file_appears_whole_with_its_digest_and_replaces_none(shelf: Shelf, size: int) -> None:
    """Of one part and of several; a second file under the key changes nothing, and is told."""
    key, content = new_key(), (HEAD + hashlib.sha256(b"x").digest() * (size // 32 + 1))[:size]

    async def write(data: bytes) -> tuple[str, int, bool]:
        async with writer(shelf, key) as file:
            for at in range(0, len(data), 1 << 20):
                await file.write(data[at : at + (1 << 20)])
                assert shelf.objects(key) == set() or data is not content
            received = await file.finish()
            return received.sha256, received.size_bytes, received.facts is not None

    digest = hashlib.sha256(content).hexdigest()
    assert asyncio.run(write(content)) == (digest, size, True)
    assert asyncio.run(write(b"another" + content)) == (
        hashlib.sha256(b"another" + content).hexdigest(),
        size + 7,
        False,
    )
    assert shelf.store.read(BUCKET, key) == content
    found = shelf.store.stat(BUCKET, key)
    assert found
    assert found.metadata["sha256"] == digest
    assert (shelf.under_way(), shelf.left()) == ([], set())


def test_whoever_goes_away_in_the_middle_leaves_nothing(shelf: Shelf) -> None:
    """Cancelled before the first part, while one is on its way, and while all are put together."""

    async def cut(after_bytes: int, *, finishes: bool) -> None:
        key = new_key()
        async with writer(shelf, key) as file:

            async def send() -> None:
                try:
                    for _ in range(0, after_bytes, 1 << 20):
                        await file.write(bytes(1 << 20))
                    if finishes:
                        await file.finish()
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    await file.abort()
                    raise

            sending = asyncio.create_task(send())
            for _ in range(5):
                await asyncio.sleep(0)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
        assert finishes or shelf.objects(key) == set()

    for after_bytes in (0, 1 << 20, PART_BYTES, 3 * PART_BYTES):
        for finishes in (False, True):
            if after_bytes:
                asyncio.run(cut(after_bytes, finishes=finishes))
    assert shelf.parts.begun
    assert (shelf.under_way(), shelf.left()) == ([], set())


def test_a_store_that_fails_in_the_middle(shelf: Shelf) -> None:
    """The error comes to whoever writes, and what came before is removed."""

    def fail(number: int) -> None:
        if number == 2:
            raise StoreUnavailable("away")

    shelf.parts.on_part = fail

    async def write() -> None:
        async with writer(shelf, new_key()) as file:
            try:
                for _ in range(4 * PART_BYTES >> 20):
                    await file.write(bytes(1 << 20))
                await file.finish()
            except StoreUnavailable:
                await file.abort()
                raise

    with pytest.raises(StoreUnavailable):
        asyncio.run(write())
    assert len(shelf.parts.begun) == 1
    assert (shelf.under_way(), shelf.left()) == ([], set())


class HandClock:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def monotonic(self) -> float:
        return self.time.timestamp()

    def now(self) -> datetime:
        return self.time


RULES = SessionRules(max_object_bytes=64 << 20, formats=("flac",), expires_s=3600)
SIZE = (8 << 20) + 1000  # two parts
CONTENT = (HEAD + b"0123456789abcdef" * (SIZE // 16 + 1))[:SIZE]


def refused(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Problem) as caught:
        call()
    return caught.value.status, caught.value.code


def test_an_upload_of_parts_by_links(real: tuple[str, str, str]) -> None:
    """Put by whoever has the links and nothing else; completed by any gateway, as often as it is asked for."""
    shelf = Shelf(*real, public=True)
    sessions = UploadSessions(shelf.store, shelf.parts, BUCKET, RULES)
    upload_id, record = sessions.begin("t", SIZE, hashlib.sha256(CONTENT).hexdigest())
    assert record.part_sizes() == {1: 8 << 20, 2: 1000}
    assert refused(lambda: sessions.complete("t", upload_id)) == (409, "UPLOAD_INCOMPLETE")
    with httpx2.Client() as stranger:
        for number, part in ((2, CONTENT[8 << 20 :]), (1, CONTENT[: 8 << 20])):
            url = sessions.part_url("t", upload_id, record, number)
            assert url
            assert stranger.put(url, content=part).status_code == 200
            assert stranger.put(url.replace("partNumber=", "partNumber=1"), content=part).status_code == 403
            assert stranger.get(url).status_code == 403
    assert refused(lambda: sessions.source("t", upload_id)) == (409, "UPLOAD_INCOMPLETE")
    another = UploadSessions(shelf.store, shelf.parts, BUCKET, RULES)
    done = another.complete("t", upload_id)
    assert sessions.complete("t", upload_id) == done
    source = sessions.source("t", upload_id)
    assert shelf.store.read(BUCKET, source.key) == CONTENT
    assert source.etag == done.etag
    assert refused(lambda: sessions.put_part("t", upload_id, 1, b"")) == (409, "UPLOAD_COMPLETE")
    sessions.remove("t", upload_id)
    assert refused(lambda: sessions.remove("t", upload_id)) == (404, "NOT_FOUND")
    assert (shelf.under_way(), shelf.objects(source.key)) == ([], set())
    shelf.close()


def test_an_upload_that_is_not_what_it_was_said_to_be(shelf: Shelf) -> None:
    """Too large, another tenant's, of parts that are missing or too small, of another digest, no audio, too late."""
    clock = HandClock()
    sessions = UploadSessions(shelf.store, shelf.parts, BUCKET, RULES, clock)
    assert refused(lambda: sessions.begin("t", (64 << 20) + 1, None)) == (413, "OBJECT_TOO_LARGE")

    def sent(*parts: bytes, sha256: str | None = None, size: int = SIZE) -> str:
        upload_id, _ = sessions.begin("t", size, sha256)
        for number, part in enumerate(parts, 1):
            sessions.put_part("t", upload_id, number, part)
        return upload_id

    whole = CONTENT[: 8 << 20], CONTENT[8 << 20 :]
    for parts in ((whole[0],), (whole[0], b"x"), (whole[0], whole[1], b"more")):
        assert refused(lambda: sessions.complete("t", sent(*parts))) == (409, "UPLOAD_INCOMPLETE")  # noqa: B023
    theirs = sent(*whole)
    for other in ("T", None, "t2"):
        for call in (sessions.complete, sessions.source, sessions.remove):
            assert refused(lambda: call(other, theirs)) == (404, "NOT_FOUND")  # noqa: B023
        assert refused(lambda: sessions.part_size(other, theirs, 1)) == (404, "NOT_FOUND")  # noqa: B023
    assert refused(lambda: sessions.part_size("t", theirs, 3)) == (404, "NOT_FOUND")

    wrong = sent(*whole, sha256="0" * 64)
    assert refused(lambda: sessions.complete("t", wrong)) == (422, "DIGEST_MISMATCH")
    text = sent(b"a text", size=6)
    assert refused(lambda: sessions.complete("t", text)) == (415, "FORMAT_NOT_ALLOWED")
    for gone in (wrong, text):
        assert refused(lambda: sessions.complete("t", gone)) == (404, "NOT_FOUND")  # noqa: B023
        assert shelf.objects(place_of("t", gone).file_key) == set()
    clock.time += timedelta(hours=2)
    assert refused(lambda: sessions.complete("t", theirs)) == (410, "UPLOAD_EXPIRED")
    assert refused(lambda: sessions.put_part("t", theirs, 1, b"x")) == (410, "UPLOAD_EXPIRED")
    sessions.remove("t", theirs)


def test_a_gateway_that_died_while_it_completed(shelf: Shelf) -> None:
    """The parts are one object already, and nobody has noted it: whoever asks again gets it."""
    sessions = UploadSessions(shelf.store, shelf.parts, BUCKET, RULES)
    upload_id, record = sessions.begin(None, len(HEAD), None)
    place = place_of(None, upload_id)
    part = sessions.put_part(None, upload_id, 1, HEAD)
    etag = shelf.parts.complete(BUCKET, place.file_key, record.store_upload_id, [part])
    assert sessions.complete(None, upload_id).etag == etag
    assert shelf.store.read(BUCKET, place.file_key) == HEAD
