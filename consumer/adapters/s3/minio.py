"""Object storage by minio-py."""

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from minio import Minio
from minio.commonconfig import ComposeSource

from consumer.adapters.s3.answers import CREDENTIALS, Answer, Denied, Refused, Unmet, lacking
from consumer.adapters.s3.asking import ask as _ask
from consumer.adapters.s3.asking import check_key as _check_key
from consumer.adapters.s3.asking import etag_of as _etag
from consumer.adapters.s3.asking import read_document, read_piece, write_file
from consumer.adapters.s3.client import StoreAccess, make_clients
from consumer.adapters.s3.conditions import probe_create_only, takes_no_condition
from consumer.adapters.s3.credentials import FoundKeys, SetKeys, fixed_keys
from consumer.core.cancellation import Cancellation
from consumer.core.errors import BucketUnusable, Code, Rejected, ScratchUnavailable, StoreUnavailable
from consumer.core.model import ObjectFacts
from consumer.settings import MinioSettings, credential_sources

_PART_BYTES = 16 << 20  # objects up to this size are one request
_CHUNK_BYTES = 1 << 20
_CONTRADICTION = "object storage answered HEAD with an error and GET without one"
COPIED_PART_BYTES = 256 << 20  # the server copies so much well within its time, READ_S of client


class MinioStore:
    """See ports.ObjectStore. Thread-safe. No retries of its own: those are the caller's, by rule.

    `copied_part_bytes`: so much of an object is copied by one request, 5 MiB at least.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str = "",
        secret_key: str = "",
        *,
        secure: bool,
        copied_part_bytes: int = COPIED_PART_BYTES,
        access: StoreAccess | None = None,
    ) -> None:
        access = access or StoreAccess()
        credentials = access.credentials or fixed_keys(access_key, secret_key)
        clients = make_clients(endpoint, credentials, access, secure=secure)
        self._copied_part_bytes = copied_part_bytes
        self._client, self._creator, self._prober = clients.plain, clients.creating, clients.probing
        self._conditions = clients.conditions

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        _check_key(key)

        found = _ask(bucket, lambda: self._head(bucket, key, version_id))
        if found is None:
            return None
        prefix = "x-amz-meta-"
        metadata = {
            name.lower().removeprefix(prefix): value
            for name, value in (found.metadata or {}).items()
            if name.lower().startswith(prefix)
        }
        return ObjectFacts(
            bucket=bucket,
            key=key,
            etag=_etag(found.etag),
            size_bytes=found.size or 0,
            version_id=found.version_id or version_id,
            metadata=metadata,
        )

    def _head(self, bucket: str, key: str, version_id: str | None) -> Any:
        try:
            return self._client.stat_object(bucket, key, version_id=version_id)
        except Refused as refused:
            head = refused
        try:  # the answer to a HEAD request has no reason; the one to a GET request has
            response = self._client.get_object(bucket, key, version_id=version_id)
        except Refused as refused:
            if head.status == 400 and version_id and refused.meaning is Answer.MISSING:
                told = "object storage does not understand the version id"
                raise Rejected(Code.REQUEST_INVALID, told) from refused
            raise
        response.close()
        response.release_conn()
        raise StoreUnavailable(_CONTRADICTION)

    def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
        def download() -> str:
            response = self._client.get_object(
                source.bucket,
                source.key,
                version_id=source.version_id,
                request_headers={"If-Match": f'"{source.etag}"'},
            )
            try:
                _etag(response.headers.get("etag"))
                return write_file(response.stream(_CHUNK_BYTES, decode_content=False), source.size_bytes, path, cancel)
            except OSError as error:  # of the file: those of the connection are urllib3's own
                raise ScratchUnavailable.of(error) from error
            finally:
                response.close()
                response.release_conn()

        try:
            sha256 = _ask(source.bucket, download)
        except Unmet as unmet:
            raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}") from unmet
        if sha256 is None:
            raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
        return sha256

    def read_range(self, source: ObjectFacts, start: int, length: int) -> Iterator[bytes]:
        def open_range() -> Any:
            return self._client.get_object(
                source.bucket,
                source.key,
                offset=start,
                length=length,
                version_id=source.version_id,
                request_headers={"If-Match": f'"{source.etag}"'},
            )

        try:
            response = _ask(source.bucket, open_range)
        except Unmet as unmet:
            raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}") from unmet
        if response is None:
            raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
        try:
            left = length
            while left and (piece := _ask(source.bucket, partial(read_piece, response, min(left, _CHUNK_BYTES)))):
                left -= len(piece)
                yield piece
        finally:
            response.close()
            response.release_conn()
        if left:
            raise StoreUnavailable(f"object storage sent {left} bytes less than it said")

    def read(self, bucket: str, key: str) -> bytes | None:
        return self.read_at_most(bucket, key, sys.maxsize - 1)

    def read_at_most(self, bucket: str, key: str, most_bytes: int) -> bytes | None:
        """See ports.BoundedReads."""
        _check_key(key)

        def get() -> bytes:
            response = self._client.get_object(bucket, key)
            try:
                _etag(response.headers.get("etag"))
                return read_document(response, most_bytes)
            finally:
                response.close()
                response.release_conn()

        return _ask(bucket, get)

    def create(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        try:
            return self._put(self._creator, bucket, key, content, media_type, metadata)
        except Unmet:
            return None

    def replace(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        return self._put(self._client, bucket, key, content, media_type, metadata)

    def exchange(
        self, standing: ObjectFacts, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """See ports.ExchangingStore."""
        bucket, key = standing.bucket, standing.key
        try:
            with self._conditions.in_place_of(standing.etag):
                return self._put(self._creator, bucket, key, content, media_type, metadata)
        except Unmet:
            return None
        except StoreUnavailable as error:
            if takes_no_condition(error):
                return self.replace(bucket, key, content, media_type=media_type, metadata=metadata)
            if self.stat(bucket, key) is None:  # some say so, instead of that the condition is not met
                return None
            raise

    def _put(
        self, client: Minio, bucket: str, key: str, content: Path | bytes, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        _check_key(key)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size

        def put() -> str:
            with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as data:
                part_bytes = 0 if size <= _PART_BYTES else max(_PART_BYTES, -(-size // 10_000))
                written = client.put_object(
                    bucket, key, data, size, content_type=media_type, metadata=dict(metadata), part_size=part_bytes
                )
            return _etag(written.etag)

        etag = _ask(bucket, put)
        if etag is None:
            raise StoreUnavailable(f"there is no bucket {bucket}")
        return ObjectFacts(bucket=bucket, key=key, etag=etag, size_bytes=size, metadata=metadata)

    def copy(
        self, source: ObjectFacts, bucket: str, key: str, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """By a multipart upload of copied parts: MinIO's CopyObject would overwrite, whatever If-None-Match says."""
        if source.size_bytes == 0:
            return self.create(bucket, key, b"", media_type=media_type, metadata=metadata)
        _check_key(key)
        parts = [
            ComposeSource(
                source.bucket,
                source.key,
                version_id=source.version_id,
                match_etag=source.etag,
                offset=offset,
                length=min(self._copied_part_bytes, source.size_bytes - offset),
            )
            for offset in range(0, source.size_bytes, self._copied_part_bytes)
        ]
        described: dict[str, Any] = {**metadata, "Content-Type": media_type}
        try:
            written = _ask(bucket, lambda: self._compose(source, bucket, key, parts, described))
        except Unmet as unmet:  # the answer does not say which of the two conditions it was
            if self.stat(bucket, key) is None:
                raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}") from unmet
            return None
        if written is None:
            if self.stat(source.bucket, source.key, version_id=source.version_id) is None:
                raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
            raise StoreUnavailable(f"there is no bucket {bucket}")
        etag = _etag(written.etag)
        return ObjectFacts(bucket=bucket, key=key, etag=etag, size_bytes=source.size_bytes, metadata=metadata)

    def _compose(
        self, source: ObjectFacts, bucket: str, key: str, parts: list[ComposeSource], described: dict[str, Any]
    ) -> Any:
        try:
            return self._creator.compose_object(bucket, key, parts, metadata=described)
        except Refused as refused:
            # The source was looked at first, by a HEAD request.
            if refused.method != "HEAD" or refused.meaning is Answer.UNMET:
                raise
        if self.stat(source.bucket, source.key, version_id=source.version_id):
            raise StoreUnavailable(_CONTRADICTION)
        return None

    def check(self, bucket: str) -> None:
        def look() -> bool:
            with suppress(Refused):
                return self._prober.bucket_exists(bucket)
            next(iter(self._prober.list_objects(bucket)), None)
            raise StoreUnavailable(_CONTRADICTION)

        try:
            is_there = _ask(bucket, look)
        except Rejected as refused:
            raise BucketUnusable(str(refused)) from refused
        except Denied as denied:
            answer = denied.__cause__
            told = lacking(answer) if isinstance(answer, Refused) else ""
            reason = f"object storage refuses access to {bucket}{told}"
            raise BucketUnusable(reason, variables=CREDENTIALS) from denied
        if not is_there:
            raise BucketUnusable(f"there is no bucket {bucket}")

    def probe_create_only(self, bucket: str, prefix: str) -> None:
        """See ports.CreateOnlyProbe."""

        def remove(bucket: str, key: str) -> None:
            _ask(bucket, lambda: self._client.remove_object(bucket, key))

        probe_create_only(self, remove, bucket, prefix)


def make_minio_store() -> MinioStore:
    """The store that MINIO_* describe; what OBJECT_STORE names by default. Raises SettingsError."""
    settings = MinioSettings.load()
    return MinioStore(settings.endpoint, secure=settings.secure, access=access_of(settings))


def access_of(settings: MinioSettings) -> StoreAccess:
    """How the store is reached that MINIO_* describe. Raises SettingsError."""
    keys = settings.keys()
    return StoreAccess(
        credentials=SetKeys(keys) if keys else FoundKeys(credential_sources()),
        region=settings.region,
        ca_file=settings.ca_file,
        public_url=settings.public_url,
    )
