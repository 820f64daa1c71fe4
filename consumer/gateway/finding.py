"""A tenant's job, wherever it is known: in the index, or, when the topics have dropped it, by its manifest."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from consumer.core.errors import NotOurs
from consumer.core.events import Stem
from consumer.core.manifest import Manifest
from consumer.core.output_place import MANIFEST, tenant_prefix
from consumer.core.ports import ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.gateway.forgotten import ForgottenBook
from consumer.gateway.index.entry import JobEntry, JobState
from consumer.gateway.index.job_index import IndexBehind, JobIndex
from consumer.gateway.problems import Problem, service_unavailable
from consumer.gateway.views import job_document, manifest_document
from consumer.pipeline.documents import Documents


@dataclass(frozen=True, slots=True)
class Found:
    """A job as it was found."""

    job: JobEntry | Manifest

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is expected of it."""
        return isinstance(self.job, Manifest) or self.job.state.has_ended

    @property
    def state(self) -> JobState:
        """Where it is."""
        return JobState.SUCCEEDED if isinstance(self.job, Manifest) else self.job.state


class Finder:
    """output_bucket and output_prefix: where stems lie by default; those of a request that named another place are
    found as long as the topics keep it. book: what was forgotten. seal: by which is known what the service wrote.
    """

    def __init__(
        self,
        index: JobIndex,
        store: ObjectStore,
        book: ForgottenBook,
        *,
        output_bucket: str,
        output_prefix: str,
        seal: Seal = UNSEALED,
    ) -> None:
        self._index, self._book = index, book
        self._documents = Documents(store=store, seal=seal)
        self._bucket, self._prefix = output_bucket, output_prefix

    async def look_up(self, request_id: str, tenant: str | None) -> Found | None:
        """None where this tenant has no such job.

        Raises Problem, 410 where it was forgotten; StoreUnavailable, BrokerUnavailable.
        """
        await self.check_not_forgotten(request_id, tenant)
        if entry := await self._row(request_id, tenant):
            return Found(entry)
        manifest = await self.manifest(request_id, tenant)
        return None if manifest is None else Found(manifest)

    async def look_up_any(self, request_id: str, tenant: str | None) -> JobEntry | Manifest | None:
        """As `look_up`, also of a job that was forgotten: for who does not show it."""
        if entry := await self._row(request_id, tenant):
            return entry
        hidden = self._index.find_any(request_id, tenant)
        return hidden if hidden and hidden.is_forgotten else await self.manifest(request_id, tenant)

    async def _row(self, request_id: str, tenant: str | None) -> JobEntry | None:
        try:
            return await self._index.look_up(request_id, tenant)
        except IndexBehind:
            raise service_unavailable("the index is behind: what is known of this separation is not read yet") from None

    async def is_forgotten(self, request_id: str, tenant: str | None) -> bool:
        """Whether this tenant's job was forgotten, on whichever gateway. Raises StoreUnavailable."""
        return await self._book.has(tenant, request_id)

    async def check_not_forgotten(self, request_id: str, tenant: str | None) -> None:
        """Raises Problem, 410, where it was; StoreUnavailable."""
        if await self.is_forgotten(request_id, tenant):
            raise forgotten()

    def note_forgotten(self, request_id: str, tenant: str | None) -> None:
        """It was just now."""
        self._book.add(tenant, request_id)

    async def manifest(self, request_id: str, tenant: str | None) -> Manifest | None:
        """What stands in the default place, if it is the service's own. Raises StoreUnavailable."""
        key = f"{tenant_prefix(self._prefix, tenant)}{request_id}/{MANIFEST}"
        return await asyncio.to_thread(self._own_manifest, self._bucket, key, request_id)

    async def manifest_beside(self, stem: Stem, request_id: str) -> Manifest | None:
        """The manifest that stands beside a stem, and tells of it. Raises StoreUnavailable."""
        key = f"{stem.key.rpartition('/')[0]}/{MANIFEST}"
        manifest = await asyncio.to_thread(self._own_manifest, stem.bucket, key, request_id)
        return manifest if manifest is not None and stem.key in [each.key for each in manifest.stems] else None

    def _own_manifest(self, bucket: str, key: str, request_id: str) -> Manifest | None:
        try:
            return self._documents.manifest_in(bucket, key, request_id)
        except NotOurs:
            return None

    def document(self, found: Found) -> dict[str, Any]:
        """As it is shown."""
        if isinstance(found.job, Manifest):
            return manifest_document(found.job)
        return job_document(found.job, self._index.progress.get(found.job.request_id))


def forgotten() -> Problem:
    """Of a job that was forgotten, and that is all that there is to tell."""
    return Problem(HTTPStatus.GONE, "FORGOTTEN", "this separation was forgotten")
