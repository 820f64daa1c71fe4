"""A separation that is asked for over HTTP becomes a record in Kafka, once, however often it is asked for."""

import base64
import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from consumer.core.events import SeparationRequest
from consumer.core.manifest import Manifest
from consumer.gateway.finding import Finder, Found
from consumer.gateway.index.entry import JobEntry
from consumer.gateway.index.interpret import asked, payload_of
from consumer.gateway.index.job_index import IndexBehind, JobIndex
from consumer.gateway.index.positions import place_text
from consumer.gateway.keyed_lock import KeyedLock
from consumer.gateway.problems import Problem
from consumer.gateway.publishing import Publisher
from consumer.pipeline.stages.validate import Validate, earlier_fingerprint_of, fingerprint_of

_RETRY_AFTER_S = 5


def request_id_of(tenant: str | None, idempotency_key: str) -> str:
    """43 characters of A-Za-z0-9_-: the same for ever, another for each tenant, and no other's to guess."""
    told = f"{'' if tenant is None else 't' + tenant}\0{idempotency_key}"
    return base64.urlsafe_b64encode(hashlib.sha256(told.encode()).digest()).decode().rstrip("=")


def new_request_id() -> str:
    """Another each time, of the same form."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The job, and where its request lies in Kafka: None where it was there before."""

    found: Found
    position: str | None


class Submission:
    """Belongs to one event loop. most_in_flight: jobs of one tenant without an end, whichever replica took them."""

    def __init__(
        self,
        validate: Validate,
        finder: Finder,
        index: JobIndex,
        publisher: Publisher,
        *,
        most_in_flight: int,
    ) -> None:
        self._validate, self._finder, self._index = validate, finder, index
        self._publisher = publisher
        self._most_in_flight = most_in_flight
        self._alone = KeyedLock()

    def check(self, request: SeparationRequest) -> None:
        """Whether a replica would begin it. Raises Rejected."""
        self._validate(request)

    async def is_forgotten(self, request_id: str, tenant: str | None) -> bool:
        """Whether a request of this id was forgotten. Raises StoreUnavailable."""
        return await self._finder.is_forgotten(request_id, tenant)

    async def check_not_forgotten(self, request_id: str, tenant: str | None) -> None:
        """Raises Problem, 410, where a request of this id was forgotten; StoreUnavailable."""
        await self._finder.check_not_forgotten(request_id, tenant)

    async def known(self, request: SeparationRequest) -> Found | None:
        """The job that this id names already, if it is the same one. Raises Problem where it is another."""
        found = await self._finder.look_up(request.request_id, request.tenant)
        if found is None or self._is_same(found, request):
            return found
        if not found.has_ended:
            raise Problem(HTTPStatus.CONFLICT, "IN_FLIGHT", "a separation with other words is under way under this key")
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", "this key was used before, with other words"
        )

    async def submit(self, request: SeparationRequest) -> Accepted:
        """Returns once the brokers have it. Raises Problem, Rejected, BrokerUnavailable; then it is not there."""
        self._validate(request)
        async with self._alone.held(request.request_id):  # elsewhere records under one id meet in the consumer
            if found := await self.known(request):
                return Accepted(found=found, position=None)
            self.check_in_flight(request.tenant)
            partition, offset = await self._publisher.request(request)
            meaning = asked(request, partition=partition.partition, offset=offset, at_ms=_ms(request))
            # The next with the same key finds it in the index, not in the way.
            with suppress(IndexBehind):
                await self._index.pass_by({partition: offset + 1})
            entry = self._index.find(request.request_id, request.tenant) or JobEntry.of_request(meaning)
            return Accepted(found=Found(entry), position=place_text(partition, offset))

    async def cancel(self, request_id: str) -> None:
        """Returns once the brokers have that wish. Raises as `Publisher`."""
        await self._publisher.cancel(request_id)

    def check_in_flight(self, tenant: str | None) -> None:
        """Whether one more would be taken. Raises Problem, 429."""
        if self._index.table.count_open(tenant) >= self._most_in_flight:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS, "TOO_MANY_JOBS",
                f"{self._most_in_flight} separations are under way; wait for one to end",
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            )  # fmt: skip

    @staticmethod
    def _is_same(found: Found, request: SeparationRequest) -> bool:
        match found.job:
            case JobEntry(payload=str(payload)):
                return payload == payload_of(request, fingerprint_of(request))
            case JobEntry(fingerprint=fingerprint) | Manifest(fingerprint=fingerprint):
                return fingerprint in (fingerprint_of(request), earlier_fingerprint_of(request) or "")


def _ms(request: SeparationRequest) -> int:
    return round(request.requested_at.timestamp() * 1000)
