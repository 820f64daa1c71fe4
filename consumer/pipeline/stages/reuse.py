"""Whether the same content was separated in the same way before, for another request: then its stems can be copied.

An index of small objects beside the stems tells by content, weights and options which manifest has them. It is a hint
and written last: what it names is looked at before it is believed, and without it the stems are only made again.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from consumer.core.content_index import (
    IndexEntries,
    SeparatedContent,
    StemsEntry,
    content_key,
    index_entries_key,
    parse_index_entries,
    parse_stems_entry,
    stems_index_key,
)
from consumer.core.errors import Rejected
from consumer.core.events import SourceObject, Stem
from consumer.core.manifest import carried_stem, parse_manifest
from consumer.core.model import Job, LocalTrack, ObjectFacts, ReusableResult, StoredStems
from consumer.core.ports import ObjectStore
from consumer.pipeline.forgotten import ForgottenRequests

VERSION = 2  # of what the stems of one content are; another one finds nothing of the earlier ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """The index lies in `bucket` under `prefix`; buckets: those that stems may be copied from, `bucket` among them.

    forgotten: nothing is copied from these, nor kept of them.
    """

    store: ObjectStore
    bucket: str
    prefix: str
    buckets: Collection[str]
    forgotten: ForgottenRequests

    def find(self, track: LocalTrack, weights_sha256: str) -> ReusableResult | None:
        """Raises StoreUnavailable."""
        try:
            return self._find(track, weights_sha256)
        except Rejected:  # what may not be read any more is as good as gone
            return None

    def add_to_index(self, track: LocalTrack, stored: StoredStems) -> None:
        """Let these stems be found. Raises StoreUnavailable, Rejected; either does no harm."""
        job = stored.job
        entry = StemsEntry(bucket=job.output_bucket, manifest_key=job.manifest_key)
        key = self._key(track, stored.manifest.weights_sha256)
        self._write(track, {key: entry.to_json(), **self._content(track)})

    def note_content(self, track: LocalTrack) -> None:
        """Let this content be asked for without its file. Raises StoreUnavailable, Rejected; either does no harm."""
        self._write(track, self._content(track))

    def _content(self, track: LocalTrack) -> dict[str, bytes]:
        request, facts = track.job.request, track.source
        read = SourceObject(bucket=facts.bucket, key=facts.key, version_id=facts.version_id, etag=facts.etag)
        content = SeparatedContent(request_id=request.request_id, asked=request.source, read=read)
        return {content_key(self.prefix, request.tenant, track.sha256): content.to_json()}

    def _write(self, track: LocalTrack, entries: Mapping[str, bytes]) -> None:
        """Which there will be first: whoever forgets the request finds them by that."""
        self._keep_keys(track.job, entries)
        for key, data in entries.items():
            self._put(key, data)
        self.forgotten.withdraw(track.job)

    def _keep_keys(self, job: Job, keys: Iterable[str]) -> None:
        place = index_entries_key(self.prefix, job.output_bucket, job.output_prefix)
        kept = parse_index_entries(self.store.read(self.bucket, place)).keys
        self._put(place, IndexEntries(keys=tuple(dict.fromkeys([*kept, *keys]))).to_json())

    def _put(self, key: str, data: bytes) -> None:
        self.store.replace(self.bucket, key, data, media_type="application/json", metadata={})

    def _find(self, track: LocalTrack, weights_sha256: str) -> ReusableResult | None:
        entry = parse_stems_entry(self.store.read(self.bucket, self._key(track, weights_sha256)))
        if entry is None or entry.bucket not in self.buckets or _is_of(entry, track.job):
            return None
        manifest = parse_manifest(self.store.read(entry.bucket, entry.manifest_key) or b"")
        if manifest is None or (manifest.model, manifest.weights_sha256) != (track.job.request.model, weights_sha256):
            return None
        if self.forgotten.stands(track.job.request.tenant, manifest.request_id):
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
        return stems_index_key(self.prefix, digest)


def _is_of(entry: StemsEntry, job: Job) -> bool:
    """Whether it is the job's own manifest: that was looked at before, and is no longer whole."""
    return (entry.bucket, entry.manifest_key) == (job.output_bucket, job.manifest_key)
