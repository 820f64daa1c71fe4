"""Which requests were forgotten: nothing is begun for them, copied from them, or left of them.

Whoever stores something for a request looks for its tombstone afterwards, and whoever forgets one puts the tombstone
there before looking for what is stored. So one of the two sees the other, whenever they meet.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Code, NotOurs, Rejected
from consumer.core.events import SourceObject
from consumer.core.forgotten import Tombstone, tombstone_key
from consumer.core.model import Job
from consumer.core.ports import ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.pipeline.documents import Documents, changed_meanwhile
from consumer.pipeline.forgetting import Eraser, StemsPlace, place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstones:
    """bucket, prefix: OUTPUT_BUCKET and OUTPUT_PREFIX, also for requests whose stems go elsewhere."""

    store: ObjectStore
    bucket: str
    prefix: str
    seal: Seal = UNSEALED

    def stands(self, tenant: str | None, request_id: str) -> bool:
        """Whether that request was forgotten. Raises StoreUnavailable.

        So does one whose tombstone is none of ours: better it is not shown than that it comes back to life.
        """
        try:
            return self.stands_sealed(tenant, request_id)
        except NotOurs:
            return True

    def stands_sealed(self, tenant: str | None, request_id: str) -> bool:
        """As `stands`; raises NotOurs where others put its tombstone there, by which nothing is to be taken away."""
        return self._documents.read(self.bucket, tombstone_key(self.prefix, tenant, request_id)) is not None

    def put(self, tenant: str | None, request_id: str, now: datetime) -> bool:
        """Have it count as forgotten, for good; False where it did before. Raises StoreUnavailable."""
        key, data = tombstone_key(self.prefix, tenant, request_id), Tombstone(tenant=tenant, forgotten_at=now).to_json()
        if self._documents.create(self.bucket, key, data):
            return True
        seen = self.store.stat(self.bucket, key)  # before it is read: what is read may only be newer
        if self._documents.read_ours(self.bucket, key) is None:  # from now on it is ours
            if seen is None:
                raise changed_meanwhile()
            self._documents.exchange(seen, data)
        return False

    @property
    def _documents(self) -> Documents:
        return Documents(store=self.store, seal=self.seal)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenRequests:
    """What a replica keeps to. eraser: None where the store can take nothing away."""

    tombstones: Tombstones
    eraser: Eraser | None

    def stands(self, tenant: str | None, request_id: str) -> bool:
        """Whether that request was forgotten. Raises StoreUnavailable."""
        return self.tombstones.stands(tenant, request_id)

    def refuse(self, job: Job) -> None:
        """Raises Rejected(CANCELLED) for a forgotten request, of which nothing is left then; NotOurs as `withdraw`,
        StoreUnavailable.
        """
        if self.withdraw(job):
            raise Rejected(Code.CANCELLED, "the request was forgotten")

    def withdraw(self, job: Job) -> bool:
        """Take away what was stored for a forgotten request; whether it is one. Raises NotOurs, StoreUnavailable."""
        if not self.tombstones.stands_sealed(job.request.tenant, job.request.request_id):
            return False
        if self.eraser:
            self.eraser.erase([place_of(job)])
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetter:
    """For whoever is told to forget a request: mark it, have it cancelled, and then erase it."""

    tombstones: Tombstones
    eraser: Eraser
    clock: Clock = SYSTEM_CLOCK

    def mark(self, tenant: str | None, request_id: str) -> bool:
        """From now on nothing more comes to be of it; False where it was marked before. Raises StoreUnavailable."""
        return self.tombstones.put(tenant, request_id, self.clock.now())

    def erase(self, places: Collection[StemsPlace], sources: Iterable[SourceObject]) -> int:
        """Returns once nothing is left of it, how many things went. Raises StoreUnavailable."""
        return self.eraser.erase(places, sources)
