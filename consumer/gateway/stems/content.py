"""A job's stems as they lie in the store, pinned before anything of them is sent."""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import msgspec

from consumer.core.errors import Code, Rejected
from consumer.core.events import Stem
from consumer.core.manifest import Manifest
from consumer.core.model import ObjectFacts
from consumer.core.ports import ObjectStore, RangedReads
from consumer.gateway.finding import Found
from consumer.gateway.index.entry import JobState
from consumer.gateway.problems import Problem
from consumer.gateway.stems.segments import Segment, facts_of, read

_REMEMBERED = 10_000  # checksums of stems that were stored before those were kept


@dataclass(frozen=True, slots=True, kw_only=True)
class StemsOf:
    """What a job has made. `completed_at`: when its stems were whole."""

    stems: tuple[Stem, ...]
    completed_at: datetime

    def named(self, name: str) -> Stem:
        """One of them. Raises Problem: 404."""
        for stem in self.stems:
            if stem.name == name:
                return stem
        raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "the model of this separation has no such stem")


def stems_of(found: Found) -> StemsOf:
    """Raises Problem: 409 where there are none (yet)."""
    if isinstance(found.job, Manifest):
        return StemsOf(stems=found.job.stems, completed_at=found.job.completed_at)
    if found.job.state is not JobState.SUCCEEDED or found.job.outcome is None:
        raise Problem(HTTPStatus.CONFLICT, "UNFINISHED", f"there are no stems: the separation is {found.state.value}")
    return msgspec.json.decode(found.job.outcome, type=StemsOf)


class StemStore:
    """Belongs to one event loop; what the store is asked happens in threads."""

    def __init__(self, store: ObjectStore, reads: RangedReads) -> None:
        self._store, self._reads = store, reads
        self._crc32s: OrderedDict[str, int] = OrderedDict()

    async def pin(self, stems: Sequence[Stem]) -> dict[str, ObjectFacts]:
        """Their objects by name. Raises Problem: 410 where one is no longer there; StoreUnavailable."""
        found = await asyncio.gather(*(asyncio.to_thread(self._store.stat, stem.bucket, stem.key) for stem in stems))
        pinned = {stem.name: facts_of(stem, facts) for stem, facts in zip(stems, found, strict=True)}
        there = {name: facts for name, facts in pinned.items() if facts is not None}
        if len(there) < len(stems):
            raise Problem(HTTPStatus.GONE, "STEMS_GONE", "the stems are not in the store any more")
        return there

    def chunks(
        self, segments: Sequence[Segment], pinned: dict[str, ObjectFacts], start: int, length: int
    ) -> Iterator[bytes]:
        """Part of a body, piece by piece; for a thread."""
        return read(self._reads, segments, pinned, start, length)

    async def crc32s(self, stems: Sequence[Stem], pinned: dict[str, ObjectFacts]) -> dict[str, int]:
        """Each stem's CRC-32: as it was stored, or, of those from before it was kept, read anew and remembered."""
        return {stem.name: await self._crc32(stem, pinned[stem.name]) for stem in stems}

    async def _crc32(self, stem: Stem, facts: ObjectFacts) -> int:
        if stem.crc32 is not None:
            return stem.crc32
        if stem.sha256 not in self._crc32s:
            self._crc32s[stem.sha256] = await asyncio.to_thread(self._read_crc32, facts)
            while len(self._crc32s) > _REMEMBERED:
                self._crc32s.popitem(last=False)
        return self._crc32s[stem.sha256]

    def _read_crc32(self, facts: ObjectFacts) -> int:
        found, left = 0, facts.size_bytes
        for chunk in self._reads.read_range(facts, 0, facts.size_bytes):
            found, left = zlib.crc32(chunk, found), left - len(chunk)
        if left:
            raise Rejected(Code.OBJECT_CHANGED, "a stem is not as long as it was")
        return found
