"""What the service keeps in the store beside the audio, read by one rule: it is bounded, sealed, and in its place.

Replicas, the gateway and `forget` read manifests, entries of the indexes and tombstones here, and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from consumer.core.catalog import FORMATS
from consumer.core.errors import Code, NotOurs, Rejected, StoreUnavailable, not_ours, request_id_used_before
from consumer.core.events import Stem
from consumer.core.limits import MOST_DOCUMENT_BYTES
from consumer.core.manifest import Manifest, carried_stem, lies_in, parse_manifest
from consumer.core.model import Job, ObjectFacts
from consumer.core.ports import BoundedReads, ExchangingStore, ObjectStore
from consumer.core.seal import UNSEALED, Seal

_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Every method may raise StoreUnavailable, and Rejected where the bucket refuses us."""

    store: ObjectStore
    seal: Seal = UNSEALED

    def read(self, bucket: str, key: str) -> bytes | None:
        """What lies there, None where nothing does. Raises NotOurs where it is too large, or not sealed by us."""
        try:
            data = read_document(self.store, bucket, key)
        except Rejected as refused:
            if refused.code is Code.OBJECT_TOO_LARGE:
                raise not_ours(key) from refused
            raise
        if data is None:
            return None
        opened = self.seal.open(bucket, key, data) if len(data) <= MOST_DOCUMENT_BYTES else None
        if opened is None:
            raise not_ours(key)
        return opened

    def read_ours(self, bucket: str, key: str) -> bytes | None:
        """As `read`, where what others wrote is as good as nothing."""
        try:
            return self.read(bucket, key)
        except NotOurs:
            return None

    def create(self, bucket: str, key: str, document: bytes) -> bool:
        """Store it, sealed, where there is nothing; whether there was."""
        sealed = self.seal.close(bucket, key, document)
        return self.store.create(bucket, key, sealed, media_type=_MEDIA_TYPE, metadata={}) is not None

    def replace(self, bucket: str, key: str, document: bytes) -> None:
        """Store it, sealed, whatever there is: for keys that are the service's own alone."""
        sealed = self.seal.close(bucket, key, document)
        self.store.replace(bucket, key, sealed, media_type=_MEDIA_TYPE, metadata={})

    def exchange(self, standing: ObjectFacts, document: bytes) -> None:
        """Store it, sealed, in place of exactly this object, which was seen before it was read; see `exchange`."""
        sealed = self.seal.close(standing.bucket, standing.key, document)
        exchange(self.store, standing, sealed, media_type=_MEDIA_TYPE, metadata={})

    def manifest(self, bucket: str, key: str) -> Manifest | None:
        """None where nothing lies there. Raises NotOurs where something else does."""
        data = self.read(bucket, key)
        if data is None:
            return None
        if (manifest := parse_manifest(data)) is None:
            raise not_ours(key)
        return manifest

    def manifest_in(self, bucket: str, key: str, request_id: str) -> Manifest | None:
        """A request's manifest, whose stems lie beside it. Raises NotOurs, as where they would lie elsewhere."""
        manifest = self.manifest(bucket, key)
        if manifest is None:
            return None
        if manifest.request_id != request_id or not lies_in(manifest, bucket, f"{key.rpartition('/')[0]}/"):
            raise not_ours(key)
        return manifest

    def manifest_of(self, job: Job) -> Manifest | None:
        """What an earlier attempt at the job stored. Raises NotOurs, Rejected(REQUEST_INVALID) of another request's."""
        manifest = self.manifest(job.output_bucket, job.manifest_key)
        if manifest is None:
            return None
        if not job.is_asked_by(manifest.fingerprint):
            raise request_id_used_before()
        extension, is_its_own = FORMATS[job.format].extension, manifest.request_id == job.request.request_id
        if not is_its_own or not lies_in(manifest, job.output_bucket, job.output_prefix, extension):
            raise not_ours(job.manifest_key)
        return manifest

    def holds(self, manifest: Manifest) -> bool:
        """Whether all its stems are still the objects that it tells of, by what the store says of them."""
        return all(self.pin(manifest, stem) for stem in manifest.stems)

    def pin(self, manifest: Manifest, stem: Stem) -> ObjectFacts | None:
        """The object of one of its stems, if it is still the one that was stored."""
        facts = self.store.stat(stem.bucket, stem.key)
        if facts is None or facts.size_bytes != stem.size_bytes:
            return None
        if (etag := manifest.etags.get(stem.name)) is not None:
            return facts if facts.etag == etag else None
        carried = carried_stem(facts.metadata, bucket=stem.bucket, key=stem.key)
        return facts if carried is not None and carried.sha256 == stem.sha256 else None

    def vouches_for(self, manifest: Manifest, facts: ObjectFacts, stem: Stem) -> bool:
        """Whether nobody but the service can have stored these bytes, so that they need not be read to know them."""
        return self.seal.is_set and not self.seal.accepts_unsealed and manifest.etags.get(stem.name) == facts.etag


def read_document(store: ObjectStore, bucket: str, key: str) -> bytes | None:
    """A document's bytes, or None. Raises Rejected(OBJECT_TOO_LARGE) where the store can, before all has come."""
    if isinstance(store, BoundedReads):
        return store.read_at_most(bucket, key, MOST_DOCUMENT_BYTES)
    return store.read(bucket, key)


def exchange(
    store: ObjectStore, standing: ObjectFacts, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
) -> ObjectFacts:
    """Store an object in place of one that was looked at, and of no other, where the store can tell them apart.

    Raises StoreUnavailable where it is another one by now: then it is to be looked at again.
    """
    if not isinstance(store, ExchangingStore):
        return store.replace(standing.bucket, standing.key, content, media_type=media_type, metadata=metadata)
    made = store.exchange(standing, content, media_type=media_type, metadata=metadata)
    if made is None:
        raise changed_meanwhile()
    return made


def changed_meanwhile() -> StoreUnavailable:
    """Of an object that is another one than the one that was looked at: it is to be looked at again."""
    return StoreUnavailable("an object that was to be replaced is another one by now")


def gone_again(what: str) -> StoreUnavailable:
    """Of an object that was in the way, and then was not."""
    return StoreUnavailable(f"a {what} that was in the way is gone again")
