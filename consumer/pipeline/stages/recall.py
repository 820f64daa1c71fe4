"""Whether the request was answered before: then its manifest stands, and nothing needs to be computed."""

from dataclasses import dataclass

from consumer.core.errors import request_id_used_before
from consumer.core.manifest import parse_manifest
from consumer.core.model import Job, StoredStems
from consumer.core.ports import ObjectStore
from consumer.pipeline.forgotten import ForgottenRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    store: ObjectStore
    forgotten: ForgottenRequests

    def __call__(self, job: Job) -> StoredStems | None:
        """What an earlier attempt stored, if any. Raises Rejected(REQUEST_INVALID, CANCELLED), StoreUnavailable."""
        self.forgotten.refuse(job)
        data = self.store.read(job.output_bucket, job.manifest_key)
        manifest = parse_manifest(data) if data is not None else None
        if manifest is None:
            return None
        if manifest.fingerprint != job.fingerprint:
            raise request_id_used_before()
        for stem in manifest.stems:
            facts = self.store.stat(stem.bucket, stem.key)
            if facts is None or facts.size_bytes != stem.size_bytes:
                return None  # someone tidied up: make them again
        return StoredStems(job=job, manifest=manifest, deduplicated=True)
