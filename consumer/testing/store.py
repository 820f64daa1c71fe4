"""Object storage in this process's memory, for tests of platform code."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from consumer.core.cancellation import Cancellation
from consumer.core.errors import BucketUnusable, Code, Rejected, StoreUnavailable
from consumer.core.model import ObjectFacts, StartedUpload, StoredVersion


class _Stored(NamedTuple):
    facts: ObjectFacts
    data: bytes
    media_type: str


class MemoryStore:
    """See ports.ObjectStore, ports.ErasableStore, ports.ExchangingStore. Thread-safe. Its buckets are those that it is
    made with; none keeps versions.
    """

    def __init__(self, *buckets: str) -> None:
        self._objects: dict[str, dict[str, _Stored]] = {bucket: {} for bucket in buckets}
        self._lock = threading.RLock()

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """What lies in a bucket below a prefix, in the order in which it was first stored."""
        with self._lock:
            return [key for key in self._objects[bucket] if key.startswith(prefix)]

    def media_type(self, bucket: str, key: str) -> str:
        return self._objects[bucket][key].media_type

    def remove(self, bucket: str, key: str) -> None:
        """As an operator may do at any time."""
        with self._lock:
            self._objects[bucket].pop(key, None)

    def versions(self, bucket: str, prefix: str) -> Iterator[StoredVersion]:
        for key in sorted(self.keys(bucket, prefix)):
            if "/" not in key.removeprefix(prefix):
                yield StoredVersion(bucket=bucket, key=key)

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        below = [key.removeprefix(prefix).partition("/") for key in sorted(self.keys(bucket, prefix))]
        yield from dict.fromkeys(f"{prefix}{name}/" for name, slash, _ in below if slash)

    def started_uploads(self, bucket: str, prefix: str) -> Iterator[StartedUpload]:  # noqa: ARG002 - the port's
        yield from ()  # objects appear at once

    def erase(self, found: StoredVersion | StartedUpload) -> None:
        self.remove(found.bucket, found.key)

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        found = None if version_id else self._find(bucket, key)
        return found and found.facts

    def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
        found = self._pinned(source)
        cancel.check()
        path.write_bytes(found.data)
        return hashlib.sha256(found.data).hexdigest()

    def read(self, bucket: str, key: str) -> bytes | None:
        found = self._find(bucket, key)
        return found and found.data

    def create(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        return self._put(bucket, key, content, media_type, metadata, may_exist=False)

    def replace(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        facts = self._put(bucket, key, content, media_type, metadata, may_exist=True)
        assert facts
        return facts

    def exchange(
        self, standing: ObjectFacts, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        with self._lock:
            now = self._find(standing.bucket, standing.key)
            if now is None or now.facts.etag != standing.etag:
                return None
            return self.replace(standing.bucket, standing.key, content, media_type=media_type, metadata=metadata)

    def copy(
        self, source: ObjectFacts, bucket: str, key: str, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        return self.create(bucket, key, self._pinned(source).data, media_type=media_type, metadata=metadata)

    def check(self, bucket: str) -> None:
        if bucket not in self._objects:
            raise BucketUnusable(f"there is no bucket {bucket}")

    def _find(self, bucket: str, key: str) -> _Stored | None:
        with self._lock:
            return self._objects.get(bucket, {}).get(key)

    def _pinned(self, source: ObjectFacts) -> _Stored:
        found = self._find(source.bucket, source.key)
        if found is None:
            raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
        if found.facts.etag != source.etag:
            raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}")
        return found

    def _put(
        self,
        bucket: str,
        key: str,
        content: Path | bytes,
        media_type: str,
        metadata: Mapping[str, str],
        *,
        may_exist: bool,
    ) -> ObjectFacts | None:
        data = content if isinstance(content, bytes) else content.read_bytes()
        facts = ObjectFacts(
            bucket=bucket,
            key=key,
            etag=hashlib.md5(data, usedforsecurity=False).hexdigest(),  # as S3's of an object of one part
            size_bytes=len(data),
            metadata={name.lower(): value for name, value in metadata.items()},
        )
        with self._lock:
            if bucket not in self._objects:
                raise StoreUnavailable(f"there is no bucket {bucket}")
            objects = self._objects[bucket]
            if key in objects and not may_exist:
                return None
            objects[key] = _Stored(facts, data, media_type)
        return facts
