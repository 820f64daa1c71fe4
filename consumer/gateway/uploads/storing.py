"""One file on its way into the store, of which at most two parts are in memory, and nothing on disk."""

import asyncio
import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass

import structlog

from consumer.core.errors import ConsumerError, StoreUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.model import ObjectFacts, StoredPart
from consumer.core.ports import ObjectStore, PartStore
from consumer.core.upload_place import STAGING
from consumer.gateway.uploads.threads import StoreThreads

PART_BYTES = 5 << 20  # S3's least, but for the last one
DIGEST = "sha256"
MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTarget:
    """Where files are put, and by what. bucket: one of ALLOWED_SOURCE_BUCKETS."""

    store: ObjectStore
    parts: PartStore
    bucket: str
    threads: StoreThreads

    async def stat(self, key: str) -> ObjectFacts | None:
        """Raises StoreUnavailable."""
        return await self.threads.run(lambda: self.store.stat(self.bucket, key))

    async def remove(self, key: str) -> None:
        """An object that nobody will ask for."""
        await self.threads.run(lambda: self._remove(key))

    def _remove(self, key: str) -> None:
        try:
            self.parts.remove(self.bucket, key)
        except ConsumerError as error:
            structlog.get_logger().warning(LogEvent.UPLOAD_LEFT, reason=str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedFile:
    """sha256: of its bytes, lower-case hex. facts: its object; None where another object lay there before."""

    sha256: str
    size_bytes: int
    facts: ObjectFacts | None


class FileWriter:
    """Creates `key`, never replaces it. The object appears whole, with its digest in its metadata.

    A file of one part is one request. The digest of a larger one is known only when its metadata is already fixed, so
    it is put together under a name of its own, and copied to the key by the store. Either `finish` or `abort` has to be
    called; after `abort` nothing of it is left below that other name, unless the store is away.
    """

    def __init__(self, target: UploadTarget, key: str) -> None:
        self._target, self._key = target, key
        self._staging_key = f"{STAGING}{secrets.token_urlsafe(24)}"
        self._digest, self._size_bytes = hashlib.sha256(), 0
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[StoredPart] = []
        self._step: asyncio.Future[None] | None = None  # what is under way in a thread: one thing at a time
        self._is_staged = False
        self._facts: ObjectFacts | None = None

    async def write(self, data: bytes) -> None:
        """The file's next bytes. Raises StoreUnavailable."""
        self._buffer += data
        if len(self._buffer) >= PART_BYTES:
            part, self._buffer = self._buffer, bytearray()
            await self._finish_step()
            self._step = self._target.threads.start(lambda: self._put(bytes(part)))

    async def finish(self) -> ReceivedFile:
        """The file is whole. Raises StoreUnavailable."""
        await self._finish_step()
        last, self._buffer = bytes(self._buffer), bytearray()
        self._step = self._target.threads.start(lambda: self._create(last))
        await self._finish_step()
        return ReceivedFile(sha256=self._digest.hexdigest(), size_bytes=self._size_bytes, facts=self._facts)

    async def abort(self) -> None:
        """Leave nothing but what `finish` has made. Goes on where whoever wants it is cancelled."""
        await self._target.threads.to_the_end(self._abort())

    async def _abort(self) -> None:
        self._buffer = bytearray()
        with suppress(Exception):  # was told of where it was waited for first
            await self._finish_step()
        await self._target.threads.run(self._remove)

    async def _finish_step(self) -> None:
        if step := self._step:
            await asyncio.shield(step)
            self._step = None

    def _put(self, part: bytes) -> None:
        """In a thread."""
        self._digest.update(part)
        self._size_bytes += len(part)
        parts, bucket = self._target.parts, self._target.bucket
        if self._upload_id is None:
            self._upload_id = parts.begin(bucket, self._staging_key)
        stored = parts.put_part(bucket, self._staging_key, self._upload_id, len(self._parts) + 1, part)
        if stored is None:
            raise StoreUnavailable("an upload has gone from the store while it came")
        self._parts.append(stored)

    def _create(self, last: bytes) -> None:
        """In a thread."""
        store, bucket = self._target.store, self._target.bucket
        if self._upload_id is None:
            self._digest.update(last)
            self._size_bytes = len(last)
            self._facts = store.create(bucket, self._key, last, media_type=MEDIA_TYPE, metadata=self._metadata())
            return
        if last:
            self._put(last)
        self._is_staged = True  # what becomes of the next line is not known if it fails
        etag = self._target.parts.complete(bucket, self._staging_key, self._upload_id, self._parts)
        if etag is None:
            raise StoreUnavailable("an upload has gone from the store before it was complete")
        staged = ObjectFacts(bucket=bucket, key=self._staging_key, etag=etag, size_bytes=self._size_bytes)
        self._facts = store.copy(staged, bucket, self._key, media_type=MEDIA_TYPE, metadata=self._metadata())
        self._upload_id = None
        self._remove()

    def _metadata(self) -> dict[str, str]:
        return {DIGEST: self._digest.hexdigest()}

    def _remove(self) -> None:
        """In a thread."""
        try:
            if self._upload_id is not None:
                self._target.parts.abort(self._target.bucket, self._staging_key, self._upload_id)
            if self._is_staged:
                self._target.parts.remove(self._target.bucket, self._staging_key)
                self._is_staged = False
        except ConsumerError as error:
            structlog.get_logger().warning(LogEvent.UPLOAD_LEFT, reason=str(error))


class Digester:
    """As FileWriter, of a file that was stored before: only its digest is wanted."""

    def __init__(self) -> None:
        self._digest, self._size_bytes = hashlib.sha256(), 0

    async def write(self, data: bytes) -> None:
        """The file's next bytes."""
        self._digest.update(data)
        self._size_bytes += len(data)

    async def finish(self) -> ReceivedFile:
        """The file is whole."""
        return ReceivedFile(sha256=self._digest.hexdigest(), size_bytes=self._size_bytes, facts=None)

    async def abort(self) -> None:
        """There is nothing to leave."""
