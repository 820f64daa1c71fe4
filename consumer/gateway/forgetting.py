"""Forgetting one separation over HTTP: whatever its state, and again where that was stopped in the middle."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from consumer.core.events import SourceObject
from consumer.core.output_place import tenant_prefix
from consumer.gateway.finding import Finder, forgotten
from consumer.gateway.forgotten import Forgotten
from consumer.gateway.index.entry import JobEntry
from consumer.gateway.index.job_index import JobIndex
from consumer.gateway.keyed_lock import KeyedLock
from consumer.gateway.problems import not_found
from consumer.gateway.sending import Submission
from consumer.pipeline.forgetting import StemsPlace, stem_files
from consumer.pipeline.forgotten import Forgetter

_WAIT_S = 10.0  # for a separation under way to end


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingPlace:
    """Where stems lie: by default, and where else they may. prefix: OUTPUT_PREFIX."""

    bucket: str
    prefix: str
    further_buckets: Collection[str]


class Forgetting:
    """Belongs to one event loop. hide: has the index leave separations out."""

    def __init__(
        self,
        finder: Finder,
        index: JobIndex,
        submission: Submission,
        forgetter: Forgetter,
        place: ForgettingPlace,
        hide: Callable[[Iterable[Forgotten]], None],
    ) -> None:
        self._finder, self._index, self._submission = finder, index, submission
        self._forgetter, self._place, self._hide = forgetter, place, hide
        self._alone = KeyedLock()

    async def forget(self, request_id: str, tenant: str | None) -> bool:
        """Whether nothing is left; False: it was under way and has not ended yet, so that this is to be done again.

        Raises Problem: 404, and 410 where it was forgotten before and nothing is left now; StoreUnavailable,
        BrokerUnavailable, after which this is to be done again.
        """
        async with self._alone.held(request_id):
            was_forgotten = await self._finder.is_forgotten(request_id, tenant)
            found = await self._finder.look_up_any(request_id, tenant)
            if not was_forgotten:
                if found is None:
                    raise not_found()
                await asyncio.to_thread(self._forgetter.mark, tenant, request_id)
                self._finder.note_forgotten(request_id, tenant)
            self._hide([(tenant, request_id)])
            entry = found if isinstance(found, JobEntry) else None
            is_over = entry is None or entry.state.has_ended or await self._has_been_ended(request_id, tenant)
            known = _known(entry)
            places = self._places(request_id, tenant, known, (entry.fingerprint if entry else None) or "")
            await asyncio.to_thread(self._forgetter.erase, places, [known.source] if known.source else [])
            if was_forgotten and is_over:
                raise forgotten()
            return is_over

    async def _has_been_ended(self, request_id: str, tenant: str | None) -> bool:
        """Cancel it, and wait a while for its end."""
        await self._submission.cancel(request_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(_WAIT_S):
                while (entry := self._index.find_any(request_id, tenant)) and not entry.state.has_ended:
                    await self._index.moved()
                return True
        return False

    def _places(self, request_id: str, tenant: str | None, known: "_Known", fingerprint: str) -> list[StemsPlace]:
        files = stem_files(known.model, known.output.get("format") or "")
        own = StemsPlace(
            bucket=self._place.bucket, folder=f"{tenant_prefix(self._place.prefix, tenant)}{request_id}/", files=files
        )
        places = [own]
        for stem in known.stems:
            folder = f"{stem.key.rpartition('/')[0]}/"
            is_allowed = stem.bucket in (self._place.bucket, *self._place.further_buckets)
            is_elsewhere = (stem.bucket, folder) != (own.bucket, own.folder)
            if is_allowed and is_elsewhere and f"/{folder}".endswith(f"/{request_id}/"):
                places.append(StemsPlace(bucket=stem.bucket, folder=folder, fingerprint=fingerprint, files=files))
        return list(dict.fromkeys(places))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stem:
    bucket: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What tells where something of a separation may lie."""

    source: SourceObject | None = None
    model: str = ""
    output: dict[str, str | None] = field(default_factory=dict)
    stems: tuple[_Stem, ...] = ()


def _known(entry: JobEntry | None) -> _Known:
    """By a row of the index, whether it is forgotten already or not."""
    if entry is None:
        return _Known()
    return msgspec.json.decode(entry.forgotten().request or b"{}", type=_Known)
