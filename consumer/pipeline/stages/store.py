"""Writes the stems to object storage, and then the manifest that says that they are whole.

Keys are a pure function of the request, so several attempts may meet: a replica that was thought dead, a record sent
twice, two requests with one id. An object is created where there is none, and what an attempt at the same job created
is adopted with the facts it carries; the manifest is created last, by one of them. So the first stem, like the
manifest, claims the id: what another request made is never replaced, finished or not, and the request that comes
second is rejected. Replaced is only what the same request made of other bytes or weights without coming to an end;
what is none of ours is left as it is, and the request rejected.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from consumer.core.cancellation import Cancellation
from consumer.core.catalog import FORMATS
from consumer.core.digest import checksums_of
from consumer.core.errors import Code, Rejected, not_ours, request_id_used_before
from consumer.core.events import SourceUsed, Stem
from consumer.core.manifest import Manifest, carried_stem, stem_to_carry
from consumer.core.model import Job, LocalTrack, ObjectFacts, ReusableResult, StemFile, Stems, StoredStems
from consumer.core.ports import ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.core.stem_files import NotAStem, OpenStem, opened_stem
from consumer.pipeline.documents import Documents, exchange, gone_again
from consumer.pipeline.forgotten import ForgottenRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """uploads: where stems are stored side by side. forgotten: what is stored for these is taken away again."""

    store: ObjectStore
    uploads: Executor
    forgotten: ForgottenRequests
    seal: Seal = UNSEALED

    def __call__(self, stems: Stems, timings_s: Mapping[str, float]) -> StoredStems:
        """Raises StoreUnavailable, Rejected(REQUEST_INVALID, CANCELLED)."""
        stored = self._store(stems, timings_s)
        self.forgotten.refuse(stored.job)  # which may have been done while it was under way
        return stored

    def _store(self, stems: Stems, timings_s: Mapping[str, float]) -> StoredStems:
        job, separation = stems.track.job, stems.separation
        attempt = _attempt_id(stems.track, separation.weights_sha256)
        try:
            stored = [*self.uploads.map(lambda file: self._store_stem(job, file, attempt), separation.stems)]
        except _AnsweredBefore as answered:
            return StoredStems(job=job, manifest=answered.manifest, deduplicated=False)
        source = stems.track.source
        manifest = Manifest(
            request_id=job.request.request_id,
            fingerprint=job.fingerprint,
            source=SourceUsed(
                bucket=source.bucket,
                key=source.key,
                version_id=source.version_id,
                etag=source.etag,
                format=separation.audio.format,
                duration_s=separation.audio.duration_s,
                channels=separation.audio.channels,
                sample_rate_hz=separation.audio.sample_rate_hz,
                track=separation.audio.track,
            ),
            model=job.request.model,
            weights_sha256=separation.weights_sha256,
            warnings=separation.warnings,
            stems=tuple(each.stem for each in stored),
            etags={each.stem.name: each.etag for each in stored},
            timings_s={**timings_s, **separation.timings_s},
            completed_at=datetime.now(UTC),
            overviews={file.name: file.overview for file in separation.stems},
        )
        return self._seal(job, manifest)

    def copy(self, track: LocalTrack, reusable: ReusableResult, timings_s: Mapping[str, float]) -> StoredStems | None:
        """Store copies of those stems, inside the object store. None where that can't be: then they must be made.

        Raises StoreUnavailable, Rejected(REQUEST_INVALID, CANCELLED).
        """
        copied = self._copy(track, reusable, timings_s)
        self.forgotten.refuse(track.job)
        return copied

    def _copy(self, track: LocalTrack, reusable: ReusableResult, timings_s: Mapping[str, float]) -> StoredStems | None:
        job, source = track.job, track.source
        attempt = _attempt_id(track, reusable.manifest.weights_sha256)
        try:
            copied = [
                *self.uploads.map(
                    lambda stem, source: self._copy_stem(track, stem, source, attempt),
                    reusable.manifest.stems,
                    reusable.stems,
                )
            ]
        except _AnsweredBefore as answered:
            return StoredStems(job=job, manifest=answered.manifest, deduplicated=True)
        stored = tuple(stem for stem in copied if stem is not None)
        if len(stored) < len(copied):
            return None
        manifest = replace(
            reusable.manifest,
            request_id=job.request.request_id,
            fingerprint=job.fingerprint,
            source=replace(
                reusable.manifest.source,
                bucket=source.bucket,
                key=source.key,
                version_id=source.version_id,
                etag=source.etag,
            ),
            stems=tuple(each.stem for each in stored),
            etags={each.stem.name: each.etag for each in stored},
            timings_s=dict(timings_s),
            completed_at=datetime.now(UTC),
        )
        return replace(self._seal(job, manifest), deduplicated=True)

    def _copy_stem(self, track: LocalTrack, stem: Stem, source: ObjectFacts, attempt: str) -> "_Placed | None":
        job, output = track.job, FORMATS[track.job.format]
        ours = replace(stem, bucket=job.output_bucket, key=f"{job.output_prefix}{stem.name}.{output.extension}")
        try:
            metadata = _metadata(job, ours, attempt)
            made = self.store.copy(source, ours.bucket, ours.key, media_type=output.media_type, metadata=metadata)
            if made:
                return _Placed(ours, made.etag)
        except Rejected:  # changed or removed since it was looked at
            return None
        standing = self.store.stat(ours.bucket, ours.key)
        if standing is None:
            return None
        if adopted := self._adopt(standing, attempt, track.path.with_name(f"adopted-{stem.name}")):
            return adopted
        self._claim(job, standing)
        return None

    def _store_stem(self, job: Job, file: StemFile, attempt: str) -> "_Placed":
        try:
            with opened_stem(file, job.format, job.bitrate) as opened:
                return self._store_opened(job, file, opened, attempt)
        except NotAStem as error:
            raise Rejected(Code.SEPARATION_FAILED, f"stem {file.name} is gone before it was stored: {error}") from error

    def _store_opened(self, job: Job, file: StemFile, opened: OpenStem, attempt: str) -> "_Placed":
        output = FORMATS[job.format]
        sha256, crc32 = checksums_of(opened.path)
        ours = Stem(
            name=file.name,
            bucket=job.output_bucket,
            key=f"{job.output_prefix}{file.name}.{output.extension}",
            size_bytes=opened.size_bytes,
            sha256=sha256,
            duration_s=file.duration_s,
            peak=file.peak,
            loudness_lufs=file.loudness_lufs,
            clipped_samples=file.clipped_samples,
            crc32=crc32,
        )
        metadata = _metadata(job, ours, attempt)
        where = (ours.bucket, ours.key, opened.path)
        if made := self.store.create(*where, media_type=output.media_type, metadata=metadata):
            return _Placed(ours, made.etag)
        standing = self.store.stat(ours.bucket, ours.key)
        if standing is None:
            raise gone_again("stem")
        if adopted := self._adopt(standing, attempt, file.path.with_name(f"adopted-{file.name}")):
            return adopted
        self._claim(job, standing)
        made = exchange(self.store, standing, opened.path, media_type=output.media_type, metadata=metadata)
        return _Placed(ours, made.etag)

    def _adopt(self, standing: ObjectFacts, attempt: str, path: Path) -> "_Placed | None":
        """The stem that another attempt like this one stored, if its bytes are what it says; None where it is none.

        path: where they may lie meanwhile.
        """
        theirs = carried_stem(standing.metadata, bucket=standing.bucket, key=standing.key)
        if standing.metadata.get("attempt") != attempt or theirs is None or theirs.size_bytes != standing.size_bytes:
            return None
        try:
            is_true = self.store.fetch(standing, path, Cancellation()) == theirs.sha256
        except Rejected as refused:
            if refused.code in (Code.OBJECT_CHANGED, Code.OBJECT_NOT_FOUND):
                raise gone_again("stem") from refused
            raise
        finally:
            path.unlink(missing_ok=True)
        return _Placed(theirs, standing.etag) if is_true else None

    def _claim(self, job: Job, standing: ObjectFacts) -> None:
        """Return if the stem that stands may be replaced. Raises Rejected(REQUEST_INVALID), _AnsweredBefore."""
        if (fingerprint := standing.metadata.get("fingerprint")) is None:
            raise not_ours(standing.key)
        if not job.is_asked_by(fingerprint):
            raise request_id_used_before()
        manifest = self._documents.manifest_of(job)
        if manifest is not None and self._documents.holds(manifest):
            raise _AnsweredBefore(manifest)

    def _seal(self, job: Job, manifest: Manifest) -> StoredStems:
        documents, where = self._documents, (job.output_bucket, job.manifest_key)
        if not documents.create(*where, manifest.to_json()):
            seen = self.store.stat(*where)  # before it is read: what is read may only be newer
            standing = documents.manifest_of(job)
            if standing is None or seen is None:
                raise gone_again("manifest")
            if documents.holds(standing):
                return StoredStems(job=job, manifest=standing, deduplicated=False)
            documents.exchange(seen, manifest.to_json())
        return StoredStems(job=job, manifest=manifest, deduplicated=False)

    @property
    def _documents(self) -> Documents:
        return Documents(store=self.store, seal=self.seal)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A stem as it is stored, and what the store calls its bytes."""

    stem: Stem
    etag: str


def _attempt_id(track: LocalTrack, weights_sha256: str) -> str:
    """The same for attempts whose stems may stand in for each other: same bytes, same weights, same options."""
    return hashlib.sha256("\n".join((track.job.fingerprint, track.sha256, weights_sha256)).encode()).hexdigest()


class _AnsweredBefore(Exception):
    """The same request came to its end while this attempt was under way: its result is this one's too."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__()
        self.manifest = manifest


def _metadata(job: Job, stem: Stem, attempt: str) -> dict[str, str]:
    """What a stem's object tells of itself to whoever finds it in the way."""
    return {"attempt": attempt, "fingerprint": job.fingerprint, "stem": stem_to_carry(stem)}
