"""Local files on their way to the service and back: through the object store that both can reach."""

import os
from collections.abc import Iterable
from pathlib import Path

from consumer.core.cancellation import Cancellation
from consumer.core.digest import sha256_of
from consumer.core.errors import Code, Rejected, StoreUnavailable, request_id_used_before
from consumer.core.events import SourceObject, Stem
from consumer.core.ports import ObjectStore
from consumer.core.upload_place import UPLOADS as UPLOADS

_DIGEST = "sha256"


class Files:
    """bucket: where local files are put; one of the consumer's ALLOWED_SOURCE_BUCKETS."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store, self._bucket = store, bucket

    def upload(self, path: Path, request_id: str) -> SourceObject:
        """Put a file where the request finds it; its name is not told. The same again does nothing.

        Raises Rejected(REQUEST_INVALID) where another file was uploaded under this id, StoreUnavailable, OSError.
        """
        key, digest = f"{UPLOADS}{request_id}", sha256_of(path)
        stored = self._store.create(
            self._bucket, key, path, media_type="application/octet-stream", metadata={_DIGEST: digest}
        ) or self._store.stat(self._bucket, key)
        if stored is None:
            raise StoreUnavailable(f"{key} was there, and is no more")
        if stored.metadata.get(_DIGEST, digest) != digest:
            raise request_id_used_before()
        return SourceObject(bucket=self._bucket, key=key, etag=stored.etag, version_id=stored.version_id)

    def download(self, stems: Iterable[Stem], folder: Path) -> dict[str, Path]:
        """Fetch stems to <folder>/<stem>.<extension>, each checked against its digest; returns the files by stem.

        A file gets its name only when it is whole. Raises Rejected(OBJECT_NOT_FOUND, OBJECT_CHANGED),
        StoreUnavailable, OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return {stem.name: self._fetch(stem, folder) for stem in stems}

    def _fetch(self, stem: Stem, folder: Path) -> Path:
        facts = self._store.stat(stem.bucket, stem.key)
        if facts is None:
            raise Rejected(Code.OBJECT_NOT_FOUND, f"the stem {stem.name} is not there any more")
        # A name in a record is a stranger's word: only its last part may name a file, and only in this folder.
        path = folder / f"{Path(stem.name).name}{Path(stem.key).suffix}"
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            if self._store.fetch(facts, partial, Cancellation()) != stem.sha256:
                raise Rejected(Code.OBJECT_CHANGED, f"the stem {stem.name} is not the one that the result tells of")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path
