"""Whether the same content was separated in the same way before, for another request: then its stems can be copied.

An index of small objects beside the stems tells by content, weights and options which manifest has them. It is a hint
and written last: what it names is looked at before it is believed, and without it the stems are only made again.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from consumer.core.cancellation import Cancellation
from consumer.core.catalog import FORMATS
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
from consumer.core.manifest import Manifest, lies_in
from consumer.core.model import Job, LocalTrack, ObjectFacts, ReusableResult, StoredStems
from consumer.core.output_place import MANIFEST, is_anothers_place
from consumer.core.ports import ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.pipeline.documents import Documents, changed_meanwhile
from consumer.pipeline.forgotten import ForgottenRequests

VERSION = 2  # of what the stems of one content are; another one finds nothing of the earlier ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """The index lies in `bucket` under `prefix`; buckets: those that stems may be copied from, `bucket` among them.

    forgotten: nothing is copied from these, nor kept of them. without_tenant: whether requests of nobody in particular
    are found among each other too.
    """

    store: ObjectStore
    bucket: str
    prefix: str
    buckets: Collection[str]
    forgotten: ForgottenRequests
    seal: Seal = UNSEALED
    without_tenant: bool = True

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

    def _takes_part(self, job: Job) -> bool:
        return self.without_tenant or job.request.tenant is not None

    def _write(self, track: LocalTrack, entries: Mapping[str, bytes]) -> None:
        """Which there will be first: whoever forgets the request finds them by that."""
        if not self._takes_part(track.job):
            return
        self._keep_keys(track.job, entries)
        for key, data in entries.items():
            self._put(key, data)
        self.forgotten.withdraw(track.job)

    def _keep_keys(self, job: Job, keys: Iterable[str]) -> None:
        place = index_entries_key(self.prefix, job.output_bucket, job.output_prefix)
        seen = self.store.stat(self.bucket, place)  # before it is read: what is read may only be newer
        kept = parse_index_entries(self._documents.read_ours(self.bucket, place)).keys
        entries = IndexEntries(keys=tuple(dict.fromkeys([*kept, *keys]))).to_json()
        if seen is not None:
            self._documents.exchange(seen, entries)
        elif not self._documents.create(self.bucket, place, entries):
            raise changed_meanwhile()

    def _put(self, key: str, data: bytes) -> None:
        self._documents.replace(self.bucket, key, data)

    def _find(self, track: LocalTrack, weights_sha256: str) -> ReusableResult | None:
        if not self._takes_part(track.job):
            return None
        entry = parse_stems_entry(self._documents.read_ours(self.bucket, self._key(track, weights_sha256)))
        if entry is None or not self._may_copy(entry, track.job):
            return None
        manifest = self._documents.manifest(entry.bucket, entry.manifest_key)
        if manifest is None or (manifest.model, manifest.weights_sha256) != (track.job.request.model, weights_sha256):
            return None
        folder = entry.manifest_key.removesuffix(MANIFEST)
        if not folder.endswith(f"/{manifest.request_id}/") or not lies_in(
            manifest, entry.bucket, folder, FORMATS[track.job.format].extension
        ):
            return None
        if self.forgotten.stands(track.job.request.tenant, manifest.request_id):
            return None
        stems = [self._known(manifest, stem, track) for stem in manifest.stems]
        pinned = tuple(facts for facts in stems if facts is not None)
        return ReusableResult(manifest=manifest, stems=pinned) if len(pinned) == len(stems) > 0 else None

    def _may_copy(self, entry: StemsEntry, job: Job) -> bool:
        """Not from where nothing of ours lies, nor from another tenant; its own manifest was looked at before."""
        is_its_own = (entry.bucket, entry.manifest_key) == (job.output_bucket, job.manifest_key)
        is_anothers = is_anothers_place(self.prefix, job.request.tenant, entry.manifest_key)
        return entry.bucket in self.buckets and not is_its_own and not is_anothers

    def _known(self, manifest: Manifest, stem: Stem, track: LocalTrack) -> ObjectFacts | None:
        """The stem's object, if its bytes are those that the manifest tells of: as its seal says, or as is read."""
        facts = self._documents.pin(manifest, stem)
        if facts is None or self._documents.vouches_for(manifest, facts, stem):
            return facts
        path = track.path.with_name(f"reused-{stem.name}")
        try:
            return facts if self.store.fetch(facts, path, Cancellation()) == stem.sha256 else None
        finally:
            path.unlink(missing_ok=True)

    @property
    def _documents(self) -> Documents:
        return Documents(store=self.store, seal=self.seal)

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
