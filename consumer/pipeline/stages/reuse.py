"""Whether the same content was separated in the same way before, for another request: then its stems can be copied.

An index of small objects beside the stems tells by content, weights and options which manifest has them. It is a hint
and written last: what it names is looked at before it is believed, and without it the stems are only made again.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from consumer.core.content_index import SeparatedContent, content_key
from consumer.core.errors import Rejected
from consumer.core.events import SourceObject, Stem
from consumer.core.manifest import carried_stem, parse_manifest
from consumer.core.model import Job, LocalTrack, ObjectFacts, ReusableResult, StoredStems
from consumer.core.ports import ObjectStore

VERSION = 2  # of what the stems of one content are; another one finds nothing of the earlier ones


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    bucket: str
    manifest_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """The index lies in `bucket` under `prefix`; buckets: those that stems may be copied from, `bucket` among them."""

    store: ObjectStore
    bucket: str
    prefix: str
    buckets: Collection[str]

    def find(self, track: LocalTrack, weights_sha256: str) -> ReusableResult | None:
        """Raises StoreUnavailable."""
        try:
            return self._find(track, weights_sha256)
        except Rejected:  # what may not be read any more is as good as gone
            return None

    def add_to_index(self, track: LocalTrack, stored: StoredStems) -> None:
        """Let these stems be found. Raises StoreUnavailable, Rejected; either does no harm."""
        entry = _Entry(bucket=stored.job.output_bucket, manifest_key=stored.job.manifest_key)
        key = self._key(track, stored.manifest.weights_sha256)
        data = msgspec.json.encode(entry)
        self.store.replace(self.bucket, key, data, media_type="application/json", metadata={})
        self.note_content(track)

    def note_content(self, track: LocalTrack) -> None:
        """Let this content be asked for without its file. Raises StoreUnavailable, Rejected; either does no harm."""
        request, facts = track.job.request, track.source
        read = SourceObject(bucket=facts.bucket, key=facts.key, version_id=facts.version_id, etag=facts.etag)
        content = SeparatedContent(request_id=request.request_id, asked=request.source, read=read)
        key = content_key(self.prefix, request.tenant, track.sha256)
        self.store.replace(self.bucket, key, content.to_json(), media_type="application/json", metadata={})

    def _find(self, track: LocalTrack, weights_sha256: str) -> ReusableResult | None:
        entry = _parse_entry(self.store.read(self.bucket, self._key(track, weights_sha256)))
        if entry is None or entry.bucket not in self.buckets or _is_of(entry, track.job):
            return None
        manifest = parse_manifest(self.store.read(entry.bucket, entry.manifest_key) or b"")
        if manifest is None or (manifest.model, manifest.weights_sha256) != (track.job.request.model, weights_sha256):
            return None
        stems = [self._pin(stem) for stem in manifest.stems]
        pinned = tuple(facts for facts in stems if facts is not None)
        return ReusableResult(manifest=manifest, stems=pinned) if len(pinned) == len(stems) > 0 else None

    def _pin(self, stem: Stem) -> ObjectFacts | None:
        """The stem's object, if it is still the one that the manifest tells of."""
        facts = self.store.stat(stem.bucket, stem.key) if stem.bucket in self.buckets else None
        if facts is None or facts.size_bytes != stem.size_bytes:
            return None
        carried = carried_stem(facts.metadata, bucket=stem.bucket, key=stem.key)
        return facts if carried is not None and carried.sha256 == stem.sha256 else None

    def _key(self, track: LocalTrack, weights_sha256: str) -> str:
        """Everything that the stems' bytes depend on, and the tenant: nobody learns what others have separated."""
        request, job = track.job.request, track.job
        depends_on = {
            "version": VERSION,
            "tenant": request.tenant,
            "content": track.sha256,
            "weights": weights_sha256,
            "model": request.model,
            "span": [request.start_s or 0.0, request.duration_s],
            "format": job.format,
            "bitrate": job.bitrate,
            "high_frequencies": request.high_frequencies,
            "track": request.track,
        }
        digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()
        return f"{self.prefix}.index/{digest}.json"


def _is_of(entry: _Entry, job: Job) -> bool:
    """Whether it is the job's own manifest: that was looked at before, and is no longer whole."""
    return (entry.bucket, entry.manifest_key) == (job.output_bucket, job.manifest_key)


def _parse_entry(data: bytes | None) -> _Entry | None:
    try:
        return msgspec.json.decode(data, type=_Entry) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
