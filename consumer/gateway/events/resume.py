"""Whether a stream can go on where another one ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from consumer.gateway.events.vector import EventIds
from consumer.gateway.index.job_index import IndexBehind, JobIndex
from consumer.gateway.index.positions import Positions
from consumer.gateway.problems import service_unavailable


class Lost(StrEnum):
    """Why a stream can't go on: what a `reset` event tells."""

    UNKNOWN_ID = "unknown_id"
    """the id is none of ours, or of topics that were made anew"""
    EXPIRED = "expired"
    """the topics have dropped some of what came next"""
    BEYOND_END = "beyond_end"
    """the topics end before it: something was taken out of them"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the topics are. begins: what they held when the index began to read; ends: asks where they end now."""

    ids: EventIds
    begins: Callable[[], Positions]
    ends: Callable[[], Positions]


class Resumption:
    """Belongs to one event loop."""

    def __init__(self, index: JobIndex, log: Log) -> None:
        self._index, self._log = index, log

    async def check(self, event_id: str) -> Positions | Lost:
        """Where it goes on, once the index has read up to there. Raises Problem, BrokerUnavailable."""
        positions = self._log.ids.parse(event_id)
        if positions is None:
            return Lost.UNKNOWN_ID
        if any(positions.get(place, 0) < begin for place, begin in self._log.begins().items()):
            return Lost.EXPIRED
        if not self._is_read(positions):
            ends = await asyncio.to_thread(self._log.ends)
            if any(offset > ends.get(place, 0) for place, offset in positions.items()):
                return Lost.BEYOND_END
            try:
                await self._index.pass_by(positions)
            except IndexBehind:
                raise service_unavailable("the index has not read so far yet") from None
        return positions

    def _is_read(self, positions: Positions) -> bool:
        return all(self._index.positions.get(place, 0) >= offset for place, offset in positions.items())
