"""What is stored elsewhere: objects, and the archives that models come in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from consumer.core.cancellation import Cancellation
from consumer.core.model import ObjectFacts, StartedUpload, StoredPart, StoredVersion


@runtime_checkable
class ObjectStore(Protocol):
    """Object storage. Every method may raise StoreUnavailable, which says nothing about what was done."""

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        """The object's facts, None where there is none."""
        ...

    def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
        """Write the object with exactly this etag to `path`; returns its sha256, lower-case hex.

        Raises Rejected(OBJECT_CHANGED, OBJECT_NOT_FOUND), Cancelled.
        """
        ...

    def read(self, bucket: str, key: str) -> bytes | None:
        """A small object's bytes, None where there is none."""
        ...

    def create(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """Store an object where there is none, atomically; None, and nothing changed, where there is one."""
        ...

    def replace(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        """Store an object, whether or not there is one."""
        ...

    def copy(
        self, source: ObjectFacts, bucket: str, key: str, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """As `create`, of another object's content with exactly this etag, which does not pass through here.

        Raises Rejected(OBJECT_CHANGED, OBJECT_NOT_FOUND) where the source is no longer what it was.
        """
        ...

    def check(self, bucket: str) -> None:
        """Answers, and the bucket is there; else StoreUnavailable, StoreMisconfigured or BucketUnusable, why."""
        ...


@runtime_checkable
class BoundedReads(Protocol):
    """What an object store has beside its port if an object that is too large is not to be read as a whole."""

    def read_at_most(self, bucket: str, key: str, most_bytes: int) -> bytes | None:
        """As `read`. Raises Rejected(OBJECT_TOO_LARGE) once more than that has come."""
        ...


@runtime_checkable
class ExchangingStore(Protocol):
    """What an object store has beside its port if what somebody else has just put there is not to be replaced."""

    def exchange(
        self, standing: ObjectFacts, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """As `replace`, of the object with exactly this etag. None, and nothing is changed, where there is none now.

        A server that knows no such condition replaces what is there.
        """
        ...


@runtime_checkable
class RangedReads(Protocol):
    """What an object store has beside its port if the gateway is to hand out what lies in it."""

    def read_range(self, source: ObjectFacts, start: int, length: int) -> Iterator[bytes]:
        """Part of the object with exactly this etag, in pieces of at most 1 MiB; within the object, and not empty.

        Raises Rejected(OBJECT_CHANGED, OBJECT_NOT_FOUND), StoreUnavailable, also between two pieces.
        """
        ...


@runtime_checkable
class CreateOnlyProbe(Protocol):
    """What an object store has beside its port if its `create` and `copy` rest on a server that may not play along."""

    def probe_create_only(self, bucket: str, prefix: str) -> None:
        """See that the server replaces no object by them, by one of its own below `prefix`, which does not stay.

        Raises StoreMisconfigured where it does, StoreUnavailable.
        """
        ...


@runtime_checkable
class ErasableStore(Protocol):
    """What an object store has beside its port if requests can be forgotten. Every method may raise StoreUnavailable.

    What is listed comes in the order of its keys, a page at a time: removing it meanwhile does no harm.
    """

    def versions(self, bucket: str, prefix: str) -> Iterator[StoredVersion]:
        """All versions of the objects whose keys begin with `prefix` and have no slash behind it."""
        ...

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """What keys begin with, from `prefix` up to the first slash behind it; each once."""
        ...

    def keys(self, bucket: str, prefix: str) -> Iterable[str]:
        """The keys of all objects that begin with `prefix`."""
        ...

    def started_uploads(self, bucket: str, prefix: str) -> Iterator[StartedUpload]:
        """Those to keys that begin with `prefix`; some stores tell of those whose key it is alone."""
        ...

    def erase(self, found: StoredVersion | StartedUpload) -> None:
        """Remove it for good; nothing where it is gone."""
        ...


@runtime_checkable
class PartStore(Protocol):
    """Object storage that takes an object part by part. Until it is completed nobody sees anything of it.

    Parts but the last have 5 MiB at least, and there are 10,000 at most. Every method may raise StoreUnavailable.
    """

    def begin(self, bucket: str, key: str) -> str:
        """The upload's id."""
        ...

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> StoredPart | None:
        """Store a part, from 1, in place of what was there under its number; None where there is no such upload."""
        ...

    def list_parts(self, bucket: str, key: str, upload_id: str) -> Sequence[StoredPart] | None:
        """What has come, by number; None where there is no such upload, or no longer."""
        ...

    def complete(self, bucket: str, key: str, upload_id: str, parts: Sequence[StoredPart]) -> str | None:
        """Make the object of these parts; returns its etag, None where there is no such upload, or no longer."""
        ...

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Forget an upload with its parts; nothing where there is none."""
        ...

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object; nothing where there is none."""
        ...

    def read_chunks(self, bucket: str, key: str, *, etag: str, first_bytes: int | None = None) -> Iterator[bytes]:
        """An object's bytes, or the first of them; nothing where there is none with that etag."""
        ...

    def part_url(self, bucket: str, key: str, upload_id: str, number: int, *, expires_s: int) -> str | None:
        """An address that a part can be PUT to by whoever has it; None where the store can't be reached by clients."""
        ...


@runtime_checkable
class ObjectLinks(Protocol):
    """Object storage that clients can reach by themselves. May raise StoreUnavailable."""

    def object_url(self, bucket: str, key: str, *, expires_s: int, headers: Mapping[str, str]) -> str | None:
        """An address at which whoever has it can GET an object, in part too; None where clients can't reach the store.

        headers: what the answer is to say, by lower-case names: content-type, content-disposition, cache-control.
        """
        ...


@runtime_checkable
class Quarantine(Protocol):
    """Where objects are put in which malware was found."""

    def put_away(self, source: ObjectFacts, finding: str) -> None:
        """See to it that nobody takes this object for a clean one; one that has changed since is left alone.

        Raises StoreUnavailable with the reason, and Rejected for a key that the store does not take.
        """
        ...


class ModelSource(Protocol):
    """A place that holds model archives."""

    name: str

    def fetch(self, file: str, path: Path) -> bool:
        """Write a file to path; False where the source has no such file.

        Raises ModelSourceUnavailable, and Rejected(MODEL_UNAVAILABLE) where the file can't be right.
        """
        ...
