"""Objects that are uploaded part by part, by minio-py: its own way of doing so wants the whole of a file."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from minio.datatypes import Part

from consumer.adapters.s3.answers import Refused
from consumer.adapters.s3.asking import ask, check_key, etag_of
from consumer.adapters.s3.client import StoreAccess, make_clients
from consumer.adapters.s3.minio import access_of
from consumer.core.errors import StoreUnavailable
from consumer.core.model import StoredPart
from consumer.settings import MinioSettings

_CHUNK_BYTES = 1 << 20
_NO_UPLOAD = "NoSuchUpload"
T = TypeVar("T")


class MinioParts:
    """See ports.PartStore. Thread-safe. No retries of its own."""

    def __init__(self, endpoint: str, access: StoreAccess, *, secure: bool) -> None:
        assert access.credentials is not None
        clients = make_clients(endpoint, access.credentials, access, secure=secure)
        self._client, self._signing = clients.plain, clients.signing

    def begin(self, bucket: str, key: str) -> str:
        check_key(key)
        upload_id = ask(bucket, lambda: self._client.begin_upload(bucket, key))
        if upload_id is None:
            raise StoreUnavailable(f"there is no bucket {bucket}")
        return upload_id

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> StoredPart | None:
        etag = _of_upload(bucket, lambda: self._client.put_part(bucket, key, upload_id, number, data))
        return None if etag is None else StoredPart(number=number, etag=etag_of(etag), size_bytes=len(data))

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Sequence[StoredPart] | None:
        found: list[StoredPart] = []
        after: str | None = None
        while page := _of_upload(bucket, partial(self._client.list_parts, bucket, key, upload_id, after)):
            found += [
                StoredPart(number=part.part_number, etag=etag_of(part.etag), size_bytes=part.size or 0)
                for part in page.parts
            ]
            if not page.is_truncated or not page.parts:
                return found
            after = page.next_part_number_marker
        return None

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[StoredPart]) -> str | None:
        named = [Part(part.number, part.etag) for part in parts]
        return _of_upload(bucket, lambda: etag_of(self._client.complete_upload(bucket, key, upload_id, named)))

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        _of_upload(bucket, lambda: self._client.abort_upload(bucket, key, upload_id))

    def remove(self, bucket: str, key: str) -> None:
        check_key(key)
        ask(bucket, lambda: self._client.remove_object(bucket, key))

    def read_chunks(self, bucket: str, key: str, *, etag: str, first_bytes: int | None = None) -> Iterator[bytes]:
        condition: dict[str, str | list[str] | tuple[str]] = {"If-Match": f'"{etag}"'}
        response = ask(
            bucket,
            lambda: self._client.get_object(bucket, key, length=first_bytes or 0, request_headers=condition),
        )
        if response is None:
            return
        try:
            chunks = response.stream(_CHUNK_BYTES, decode_content=False)
            while chunk := ask(bucket, lambda: next(chunks, b"")):
                yield chunk
        finally:
            response.close()
            response.release_conn()

    def part_url(self, bucket: str, key: str, upload_id: str, number: int, *, expires_s: int) -> str | None:
        if self._signing is None:
            return None
        query: Any = {"partNumber": str(number), "uploadId": upload_id}
        signing, expires = self._signing, timedelta(seconds=expires_s)
        return ask(
            bucket, lambda: signing.get_presigned_url("PUT", bucket, key, expires=expires, extra_query_params=query)
        )


def make_minio_parts() -> MinioParts:
    """In the store that MINIO_* describe. Raises SettingsError."""
    settings = MinioSettings.load()
    return MinioParts(settings.endpoint, access_of(settings), secure=settings.secure)


def _of_upload(bucket: str, request: Callable[[], T]) -> T | None:
    """What was asked for; None where there is no such upload, or no longer."""

    def known() -> T | None:
        try:
            return request()
        except Refused as refused:
            if refused.status == 404 and refused.code == _NO_UPLOAD:
                return None
            raise

    return ask(bucket, known)
