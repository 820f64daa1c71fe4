"""Streams of server-sent events, from their first byte to their end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.gateway.access.principal import Principal
from consumer.gateway.events import wire
from consumer.gateway.events.cursor import Cursor
from consumer.gateway.events.resume import Log, Lost, Resumption
from consumer.gateway.events.room import StreamRoom
from consumer.gateway.finding import Finder, Found
from consumer.gateway.index.job_index import CATCH_UP_S, IndexBehind, JobIndex
from consumer.gateway.index.positions import Positions
from consumer.gateway.problems import not_found, service_unavailable

_RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTimes:
    """keep_alive_s: without an event. longest_s: of one stream; its client comes again, and its key is looked at."""

    keep_alive_s: float = 15.0
    longest_s: float = 3600.0


class EventStreams:
    """Belongs to one event loop. room: how many streams there may be."""

    def __init__(
        self,
        index: JobIndex,
        finder: Finder,
        log: Log,
        room: StreamRoom,
        *,
        times: StreamTimes | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._index, self._finder, self._log, self.room = index, finder, log, room
        self._times, self._clock = times or StreamTimes(), clock
        self._resumption = Resumption(index, log)
        self._unlisten = index.listen(room.note)

    def __len__(self) -> int:
        """How many are open."""
        return len(self.room)

    def close(self) -> None:
        """Have all of them end, and refuse others."""
        self._unlisten()
        self.room.close()

    async def open(
        self, who: Principal, request_id: str | None, last_event_id: str | None
    ) -> AsyncGenerator[bytes, None]:
        """A job's events, or all of the tenant's: those behind that id, or what is and what comes.

        The first bytes come once nothing stands against it. Raises Problem, BrokerUnavailable, StoreUnavailable.
        """
        with self.room.taken(who.id, (who.tenant, request_id)) as waker:
            if request_id is not None and await self._finder.look_up(request_id, who.tenant) is None:
                raise not_found()
            until_s = self._clock.monotonic() + self._times.longest_s
            cursor, first = await self._begin(who.tenant, request_id, last_event_id)
            yield first
            is_silent = False
            while not self.room.is_closed and self._clock.monotonic() < until_s:
                waker.clear()
                if told := cursor.next_events():
                    yield told
                elif cursor.is_behind:
                    await asyncio.sleep(0)
                elif request_id is not None and self._has_ended(cursor, request_id, who.tenant):
                    return
                elif is_silent:
                    yield wire.keep_alive(cursor.id)
                    is_silent = False
                else:
                    is_silent = not await self._is_woken(waker)

    async def _begin(self, tenant: str | None, request_id: str | None, event_id: str | None) -> tuple[Cursor, bytes]:
        lost: Lost | None = None
        if event_id:
            match await self._resumption.check(event_id):
                case Lost() as lost:
                    pass
                case positions:
                    after = self._index.last_event_before(positions)
                    cursor = self._cursor(tenant, request_id, positions, after)
                    return cursor, wire.beginning(cursor.id)
        return await self._begin_now(tenant, request_id, lost)

    async def _begin_now(self, tenant: str | None, request_id: str | None, lost: Lost | None) -> tuple[Cursor, bytes]:
        """With the present of one job; of all with what comes from now on."""
        try:
            await self._index.catch_up()
            cursor, found = await self._present(tenant, request_id)
        except IndexBehind:
            raise service_unavailable("the index is behind: it has not read what is there yet") from None
        first = wire.beginning(cursor.id)
        if lost is not None:
            first += wire.event(_RESET, cursor.id, {"reason": lost.value})
        if found is not None:
            name = found.state.value if found.has_ended else "accepted"
            first += wire.event(name, cursor.id, self._finder.document(found))
        return cursor, first

    async def _present(self, tenant: str | None, request_id: str | None) -> tuple[Cursor, Found | None]:
        """A job as it is, and a cursor at exactly that. Raises IndexBehind."""
        try:
            async with asyncio.timeout(CATCH_UP_S):
                while True:
                    found = None if request_id is None else await self._finder.look_up(request_id, tenant)
                    cursor = self._cursor(tenant, request_id, self._index.positions, self._index.last_event)
                    if request_id is None or not cursor.has_more_than_read():
                        return cursor, found
                    await self._index.moved()
        except TimeoutError:
            raise IndexBehind from None

    def _cursor(self, tenant: str | None, request_id: str | None, sent: Positions, after: int) -> Cursor:
        return Cursor(self._index, self._log.ids, tenant, request_id, sent=sent, after=after)

    def _has_ended(self, cursor: Cursor, request_id: str, tenant: str | None) -> bool:
        entry = self._index.find(request_id, tenant)
        return entry is None or (entry.state.has_ended and not cursor.has_more_than_read())

    async def _is_woken(self, waker: asyncio.Event) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._times.keep_alive_s):
                await waker.wait()
        return waker.is_set()
