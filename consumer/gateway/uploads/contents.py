"""What a tenant has had separated before, by its content: then its file need not come again."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus

from consumer.core.content_index import SeparatedContent, content_key, parse_separated_content
from consumer.core.events import SourceObject
from consumer.core.ports import ObjectStore
from consumer.core.seal import UNSEALED, Seal
from consumer.gateway.access.principal import Principal
from consumer.gateway.bodies import Options
from consumer.gateway.finding import Found
from consumer.gateway.index.entry import JobState
from consumer.gateway.problems import Problem
from consumer.gateway.requests import build_request
from consumer.gateway.sending import Submission
from consumer.pipeline.documents import Documents


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentPlace:
    """Where replicas write what was separated, and which buckets may be read from. seal: what they sign it by."""

    bucket: str
    prefix: str
    source_buckets: Collection[str]
    seal: Seal = UNSEALED


class Contents:
    """Replicas write what is found here, where DEDUPLICATE_CONTENT is set."""

    def __init__(self, store: ObjectStore, place: ContentPlace, submission: Submission) -> None:
        self._store, self._place, self._submission = store, place, submission
        self._documents = Documents(store=store, seal=place.seal)

    async def find(self, sha256: str, tenant: str | None) -> SeparatedContent | None:
        """Raises StoreUnavailable."""
        key = content_key(self._place.prefix, tenant, sha256)
        data = await asyncio.to_thread(self._documents.read_ours, self._place.bucket, key)
        content = parse_separated_content(data)
        if content is None or content.read.bucket not in self._place.source_buckets:
            return None
        return None if await self._submission.is_forgotten(content.request_id, tenant) else content

    async def answered(self, content: SeparatedContent, options: Options, who: Principal) -> Found | None:
        """The separation that has just these stems already; None where they are still to be made.

        Raises Problem, StoreUnavailable, BrokerUnavailable.
        """
        same = build_request(options, content.asked, request_id=content.request_id, principal=who)
        try:
            found = await self._submission.known(same)
        except Problem as problem:
            if problem.status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
                return None  # other stems of it were wanted
            raise
        return found if found and found.state is JobState.SUCCEEDED else None

    async def source(self, content: SeparatedContent) -> SourceObject:
        """The file, as it was read. Raises Problem: 404 where it has gone, or is another one now; StoreUnavailable."""
        read = content.read
        facts = await asyncio.to_thread(self._store.stat, read.bucket, read.key, version_id=read.version_id)
        if facts is None or facts.etag != read.etag:
            raise unknown_content()
        return read


def unknown_content() -> Problem:
    """Of content that this tenant has not had separated, or whose file is no longer there."""
    return Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "this content is not here: send its file")
