"""Whether the request was answered before: then its manifest stands, and nothing needs to be computed."""

from dataclasses import dataclass

from consumer.core.model import Job, StoredStems
from consumer.core.ports import ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.pipeline.documents import Documents
from consumer.pipeline.forgotten import ForgottenRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    store: ObjectStore
    forgotten: ForgottenRequests
    seal: Seal = UNSEALED

    def __call__(self, job: Job) -> StoredStems | None:
        """What an earlier attempt stored, if any. Raises Rejected(REQUEST_INVALID, CANCELLED), StoreUnavailable.

        What others put in its place, be it a manifest or not, is not believed, and the request is rejected at once:
        its stems could not be stored there either.
        """
        self.forgotten.refuse(job)
        documents = Documents(store=self.store, seal=self.seal)
        manifest = documents.manifest_of(job)
        if manifest is None or not documents.holds(manifest):
            return None  # never made, or someone tidied up: make them again
        return StoredStems(job=job, manifest=manifest, deduplicated=True)
