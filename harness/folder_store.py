"""An object store in a folder: all that a second backend takes, one file that knows nothing of the tests.

`OBJECT_STORE=folder_store:make_store` uses it, where this file can be imported by that name. A bucket is a folder in
OBJECT_STORE_FOLDER; an object is a file in it, with a line of JSON about it before its content.
"""

import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from pydantic import Field

from consumer.core.cancellation import Cancellation
from consumer.core.errors import BucketUnusable, Code, Rejected, StoreUnavailable
from consumer.core.model import ObjectFacts
from consumer.settings import Group

_CHUNK_BYTES = 1 << 20


class FolderSettings(Group):
    object_store_folder: Path = Field(description="folder that holds the buckets")


def make_store() -> "FolderStore":
    """What OBJECT_STORE names. Raises SettingsError."""
    return FolderStore(FolderSettings.load().object_store_folder)


class FolderStore:
    """See ports.ObjectStore. Thread-safe: files appear whole, by a link or a rename, and are never written to again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        with self._opened(bucket, key) as found:
            return found[0] if found and version_id is None else None

    def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
        digest = hashlib.sha256()
        with self._pinned(source) as content, path.open("wb") as out:
            while chunk := content.read(_CHUNK_BYTES):
                cancel.check()
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()

    def read(self, bucket: str, key: str) -> bytes | None:
        with self._opened(bucket, key) as found:
            return found[1].read() if found else None

    def create(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        with _opened_content(content) as stream:
            return self._put(bucket, key, stream, metadata, may_exist=False)

    def replace(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        with _opened_content(content) as stream:
            facts = self._put(bucket, key, stream, metadata, may_exist=True)
        assert facts
        return facts

    def copy(
        self, source: ObjectFacts, bucket: str, key: str, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        with self._pinned(source) as stream:
            return self._put(bucket, key, stream, metadata, may_exist=False)

    def check(self, bucket: str) -> None:
        if not (self._folder / bucket).is_dir():
            raise BucketUnusable(f"there is no bucket {bucket}", variables=("OBJECT_STORE_FOLDER",))

    def _path(self, bucket: str, key: str) -> Path:
        """By the key's digest: a key may be longer than a file's name, and hold what no such name may hold."""
        return self._folder / bucket / hashlib.sha256(key.encode()).hexdigest()

    @contextmanager
    def _opened(self, bucket: str, key: str) -> Iterator[tuple[ObjectFacts, IO[bytes]] | None]:
        """The object's facts and its content; None where there is none."""
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self._path(bucket, key).open("rb"))
                about = json.loads(file.readline())
                size_bytes = os.fstat(file.fileno()).st_size - file.tell()
            except FileNotFoundError:
                yield None
                return
            except OSError as error:
                raise StoreUnavailable(f"the folder of objects can't be read ({error.strerror})") from error
            facts = ObjectFacts(
                bucket=bucket, key=key, etag=about["etag"], size_bytes=size_bytes, metadata=about["metadata"]
            )
            yield facts, file

    @contextmanager
    def _pinned(self, source: ObjectFacts) -> Iterator[IO[bytes]]:
        """The content of the object with exactly this etag. Raises Rejected."""
        with self._opened(source.bucket, source.key) as found:
            if found is None:
                raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
            facts, content = found
            if facts.etag != source.etag:
                raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}")
            yield content

    def _put(
        self, bucket: str, key: str, content: IO[bytes], metadata: Mapping[str, str], *, may_exist: bool
    ) -> ObjectFacts | None:
        about = {"etag": uuid.uuid4().hex, "metadata": {name.lower(): value for name, value in metadata.items()}}
        path = self._path(bucket, key)
        part = path.with_name(f".{about['etag']}")
        try:
            with part.open("wb") as file:
                file.write(json.dumps(about).encode() + b"\n")
                shutil.copyfileobj(content, file)
            if may_exist:
                part.replace(path)
            else:
                path.hardlink_to(part)
        except FileExistsError:
            return None
        except FileNotFoundError as error:
            raise StoreUnavailable(f"there is no bucket {bucket}") from error
        except OSError as error:
            raise StoreUnavailable(f"the folder of objects can't be written to ({error.strerror})") from error
        finally:
            part.unlink(missing_ok=True)
        return self.stat(bucket, key)


def _opened_content(content: Path | bytes) -> IO[bytes]:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
