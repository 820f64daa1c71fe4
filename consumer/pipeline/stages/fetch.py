"""Brings the source object to scratch space, pinned to one etag, within the limits."""

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected, ScratchUnavailable
from consumer.core.model import Job, LocalTrack
from consumer.core.ports import ObjectStore
from consumer.pipeline.scratch import Scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    store: ObjectStore
    scratch: Scratch
    max_object_bytes: int

    def __call__(self, job: Job, cancel: Cancellation) -> LocalTrack:
        """Raises Rejected(OBJECT_NOT_FOUND, OBJECT_CHANGED, OBJECT_TOO_LARGE), StoreUnavailable,
        ScratchUnavailable, Cancelled.

        The folder of the track is the caller's to remove.
        """
        wanted = job.request.source
        facts = self.store.stat(wanted.bucket, wanted.key, version_id=wanted.version_id)
        if facts is None:
            raise Rejected(Code.OBJECT_NOT_FOUND, f"there is no {wanted.key!r} in {wanted.bucket}")
        if wanted.etag is not None and wanted.etag.strip('"') != facts.etag:
            raise Rejected(Code.OBJECT_CHANGED, f"{wanted.key!r} has etag {facts.etag}, not {wanted.etag[:80]}")
        if facts.size_bytes > self.max_object_bytes:
            raise Rejected(
                Code.OBJECT_TOO_LARGE, f"{facts.size_bytes} bytes; MAX_OBJECT_BYTES is {self.max_object_bytes}"
            )
        if facts.size_bytes > (capacity_bytes := self.scratch.capacity_bytes()):  # however long one waits
            raise Rejected(Code.OBJECT_TOO_LARGE, f"{facts.size_bytes} bytes; SCRATCH_DIR takes {capacity_bytes}")
        try:
            folder = Path(tempfile.mkdtemp(prefix="job-", dir=self.scratch.folder))
        except OSError as error:
            raise ScratchUnavailable.of(error) from error
        try:
            path = folder / f"source{_suffix(wanted.key)}"
            with self.scratch.reserved(facts.size_bytes):
                sha256 = self.store.fetch(facts, path, cancel)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ScratchUnavailable.of(error) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return LocalTrack(job=job, source=facts, path=path, sha256=sha256)


def _suffix(key: str) -> str:
    """The key's extension if it is a harmless one: ffmpeg takes it for a hint."""
    suffix = PurePosixPath(key).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix) else ""
