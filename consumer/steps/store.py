"""Writes the stems to object storage, and then the manifest that says that they are whole.

Keys are a pure function of the request, so several attempts may meet: a replica that was thought dead, a record sent
twice. Nothing is ever overwritten by an attempt at the same job: an object is created where there is none, and what
another attempt created is adopted with the facts it carries. The manifest is created last, by one of them.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from consumer.catalog import FORMATS
from consumer.errors import Code, Rejected, StoreUnavailable
from consumer.events import SourceUsed, Stem
from consumer.manifest import Manifest, parse_manifest
from consumer.model import Job, ObjectFacts, StemFile, Stems, StoredStems
from consumer.ports import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """uploads: where stems are stored side by side."""

    store: ObjectStore
    uploads: Executor

    def __call__(self, stems: Stems, timings_s: Mapping[str, float]) -> StoredStems:
        """Raises StoreUnavailable, Rejected(REQUEST_INVALID)."""
        job, separation = stems.track.job, stems.separation
        attempt = _attempt_id(stems)
        stored = tuple(self.uploads.map(lambda file: self._store_stem(job, file, attempt), separation.stems))
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
            ),
            model=job.request.model,
            weights_sha256=separation.weights_sha256,
            stems=stored,
            timings_s={**timings_s, **separation.timings_s},
            completed_at=datetime.now(UTC),
            overviews={file.name: file.overview for file in separation.stems},
        )
        return self._seal(job, manifest)

    def _store_stem(self, job: Job, file: StemFile, attempt: str) -> Stem:
        output = FORMATS[job.format]
        ours = Stem(
            name=file.name,
            bucket=job.output_bucket,
            key=f"{job.output_prefix}{file.name}.{output.extension}",
            size_bytes=file.path.stat().st_size,
            sha256=_sha256(file.path),
            duration_s=file.duration_s,
            peak=file.peak,
            loudness_lufs=file.loudness_lufs,
            clipped_samples=file.clipped_samples,
        )
        metadata = {"attempt": attempt, "stem": msgspec.json.encode(ours).decode("ascii")}
        where = (ours.bucket, ours.key, file.path)
        if self.store.create(*where, media_type=output.media_type, metadata=metadata):
            return ours
        theirs = _adopted(self.store.stat(ours.bucket, ours.key), attempt)
        if theirs is not None:
            return theirs
        self.store.replace(*where, media_type=output.media_type, metadata=metadata)  # left over from something else
        return ours

    def _seal(self, job: Job, manifest: Manifest) -> StoredStems:
        where = (job.output_bucket, job.manifest_key)
        data = manifest.to_json()
        while not self.store.create(*where, data, media_type="application/json", metadata={}):
            standing = parse_manifest(self.store.read(*where) or b"")
            if standing is None or not self._holds(standing):
                self.store.replace(*where, data, media_type="application/json", metadata={})
                break
            if standing.fingerprint != job.fingerprint:
                raise Rejected(Code.REQUEST_INVALID, "request_id was used before, for another request")
            return StoredStems(job=job, manifest=standing, deduplicated=False)
        return StoredStems(job=job, manifest=manifest, deduplicated=False)

    def _holds(self, manifest: Manifest) -> bool:
        """Whether the objects are still the ones that the manifest tells of."""
        for stem in manifest.stems:
            facts = self.store.stat(stem.bucket, stem.key)
            carried = _carried(facts)
            if carried is None or carried.sha256 != stem.sha256:
                return False
        return True


def _attempt_id(stems: Stems) -> str:
    """The same for attempts whose stems may stand in for each other: same bytes, same weights, same options."""
    return hashlib.sha256(
        "\n".join((stems.track.job.fingerprint, stems.track.sha256, stems.separation.weights_sha256)).encode()
    ).hexdigest()


def _adopted(facts: ObjectFacts | None, attempt: str) -> Stem | None:
    if facts is None:
        raise StoreUnavailable("a stem that was in the way is gone again")
    return _carried(facts) if facts.metadata.get("attempt") == attempt else None


def _carried(facts: ObjectFacts | None) -> Stem | None:
    """What the stem's own metadata says of it."""
    try:
        return msgspec.json.decode(facts.metadata["stem"], type=Stem) if facts else None
    except (KeyError, msgspec.MsgspecError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
