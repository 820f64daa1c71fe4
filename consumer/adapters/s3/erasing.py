"""Listing what is in a bucket, every version of it, and taking it away for good, by minio-py."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from consumer.adapters.s3.answers import Refused
from consumer.adapters.s3.asking import ask
from consumer.adapters.s3.client import StoreAccess, make_clients
from consumer.adapters.s3.minio import access_of
from consumer.core.errors import StoreUnavailable
from consumer.core.model import StartedUpload, StoredVersion
from consumer.core.ports import ErasableStore
from consumer.settings import MinioSettings

# How stores say that they keep no versions, or tell of no uploads.
_NOT_THERE = frozenset({"NotImplemented", "MethodNotAllowed"})


class MinioErasing:
    """See ports.ErasableStore. Thread-safe. No retries of its own."""

    def __init__(self, endpoint: str, access: StoreAccess, *, secure: bool) -> None:
        assert access.credentials is not None
        self._client = make_clients(endpoint, access.credentials, access, secure=secure).plain

    def versions(self, bucket: str, prefix: str) -> Iterator[StoredVersion]:
        for found in _with_versions(bucket, partial(self._client.list_objects, bucket, prefix)):
            if not found.is_dir:
                is_latest = found.is_latest in (None, "true")  # of a store without versions it says nothing
                yield StoredVersion(
                    bucket=bucket, key=found.object_name, version_id=found.version_id, is_latest=is_latest
                )

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        for found in _pages(bucket, self._client.list_objects(bucket, prefix)):
            if found.is_dir:
                yield found.object_name

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        for found in _pages(bucket, self._client.list_objects(bucket, prefix, recursive=True)):
            yield found.object_name

    def started_uploads(self, bucket: str, prefix: str) -> Iterator[StartedUpload]:
        after: tuple[str | None, str | None] = None, None
        while page := _if_there(bucket, partial(self._client.list_uploads, bucket, prefix, after)):
            for upload in page.uploads:
                yield StartedUpload(bucket=bucket, key=upload.object_name, upload_id=upload.upload_id)
            if not page.is_truncated or not page.uploads:
                return
            after = page.uploads[-1].object_name, page.uploads[-1].upload_id

    def erase(self, found: StoredVersion | StartedUpload) -> None:
        client, bucket, key = self._client, found.bucket, found.key
        match found:
            case StoredVersion(version_id=version_id):
                ask(bucket, lambda: client.remove_object(bucket, key, version_id=version_id))
            case StartedUpload(upload_id=upload_id):
                _if_there(bucket, lambda: client.abort_upload(bucket, key, upload_id))


def make_minio_erasing() -> ErasableStore:
    """For the store that MINIO_* describe. Raises SettingsError."""
    settings = MinioSettings.load()
    return MinioErasing(settings.endpoint, access_of(settings), secure=settings.secure)


def _pages(bucket: str, pages: Iterator[Any]) -> Iterator[Any]:
    """What is listed; a page is asked for once the one before is used up."""
    while (each := ask(bucket, lambda: next(pages, None))) is not None:
        yield each


def _with_versions(bucket: str, listing: Callable[..., Iterator[Any]]) -> Iterator[Any]:
    """What is listed; without versions where the store keeps none."""
    try:
        pages = listing(include_version=True)
        first = ask(bucket, lambda: next(pages, None))
    except StoreUnavailable as error:
        refused = error.__cause__
        if not isinstance(refused, Refused) or refused.code not in _NOT_THERE:
            raise
        yield from _pages(bucket, listing())
        return
    if first is not None:
        yield first
        yield from _pages(bucket, pages)


def _if_there(bucket: str, request: Callable[[], Any]) -> Any:
    """The answer; None where there is no such upload, or the store tells of none."""

    def known() -> Any:
        try:
            return request()
        except Refused as refused:
            if refused.code in {"NoSuchUpload", *_NOT_THERE}:
                return None
            raise

    return ask(bucket, known)
