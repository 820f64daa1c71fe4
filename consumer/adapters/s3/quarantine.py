"""What becomes of an object in which malware was found: it is marked, or moved to a bucket of its own, by minio-py."""

import re
from functools import partial
from typing import Any

from minio.commonconfig import CopySource, Tags

from consumer.adapters.s3.answers import Unmet
from consumer.adapters.s3.asking import ask
from consumer.adapters.s3.client import StoreAccess, make_clients
from consumer.adapters.s3.minio import access_of
from consumer.core.errors import StoreUnavailable
from consumer.core.model import ObjectFacts
from consumer.settings import MinioSettings

TAG = "separation-malware"
_NO_TAG = re.compile(r"[^A-Za-z0-9 +\-=._:/@]")  # what S3 takes in no value of a tag
_CHANGED = "the object has changed since it was scanned"


class MinioQuarantine:
    """See ports.Quarantine. Thread-safe. No retries of its own. moved_to: None: objects stay, and get a tag, TAG."""

    def __init__(self, endpoint: str, access: StoreAccess, *, secure: bool, moved_to: str | None) -> None:
        assert access.credentials is not None
        self._client = make_clients(endpoint, access.credentials, access, secure=secure).plain
        self._moved_to = moved_to

    def put_away(self, source: ObjectFacts, finding: str) -> None:
        self._check_unchanged(source)
        if self._moved_to is None:
            self._mark(source, finding)
        else:
            self._move(source, self._moved_to)

    def _check_unchanged(self, source: ObjectFacts) -> None:
        stat = partial(self._client.stat_object, source.bucket, source.key, version_id=source.version_id)
        found: Any = ask(source.bucket, stat)
        if found is None or found.etag.strip('"') != source.etag:
            raise StoreUnavailable(_CHANGED)

    def _mark(self, source: ObjectFacts, finding: str) -> None:
        """Beside the tags that it has."""
        place = {"version_id": source.version_id}
        tags = ask(source.bucket, partial(self._client.get_object_tags, source.bucket, source.key, **place))
        marked = Tags.new_object_tags()
        marked.update(tags or {})
        marked[TAG] = _NO_TAG.sub("_", finding)[:256].strip() or "found"
        ask(source.bucket, partial(self._client.set_object_tags, source.bucket, source.key, marked, **place))

    def _move(self, source: ObjectFacts, bucket: str) -> None:
        """What was scanned, and nothing else; it is taken away only once it stands there."""
        copied_from = CopySource(source.bucket, source.key, version_id=source.version_id, match_etag=source.etag)
        copy = partial(self._client.copy_object, bucket, f"{source.bucket}/{source.key}", copied_from)
        try:
            if ask(bucket, copy) is None:
                raise StoreUnavailable(f"no bucket {bucket}, or no object to move")
        except Unmet as unmet:
            raise StoreUnavailable(_CHANGED) from unmet
        remove = partial(self._client.remove_object, source.bucket, source.key, version_id=source.version_id)
        ask(source.bucket, remove)


def make_minio_quarantine(moved_to: str | None) -> MinioQuarantine:
    """In the store that MINIO_* describe. Raises SettingsError."""
    settings = MinioSettings.load()
    return MinioQuarantine(settings.endpoint, access_of(settings), secure=settings.secure, moved_to=moved_to)
