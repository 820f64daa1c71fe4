"""The index as the gateway's event loop uses it: rows, and waiting until it has read far enough."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from consumer.core.model import TopicPartition
from consumer.gateway.history.outcomes import OutcomeCount
from consumer.gateway.index.changes import Batch
from consumer.gateway.index.entry import JobEntry
from consumer.gateway.index.positions import Positions
from consumer.gateway.index.table import JobTable
from consumer.gateway.index.writer import ProgressBook
from consumer.gateway.outlook.outlook import Outlook

CATCH_UP_S = 5.0  # behind a record that the brokers have acknowledged


class IndexBehind(Exception):
    """The index has not read so far within its time."""


class JobIndex:
    """Belongs to one event loop, but for `note`. `ends` asks the brokers where the topic of requests ends now.

    positions: how far it has read. last_event: the number of the last event before these. events_a_mark: after how many
    it remembers how far it was, so that streams need not look through all of them. outlook: what is told of the time
    that jobs will take. outcomes: what jobs came to lately.
    """

    def __init__(
        self,
        table: JobTable,
        progress: ProgressBook,
        ends: Callable[[], Positions],
        *,
        outlook: Outlook | None = None,
        outcomes: OutcomeCount | None = None,
        events_a_mark: int = 5000,
    ) -> None:
        self.table, self.progress, self._ends = table, progress, ends
        self.outlook, self.outcomes = outlook or Outlook(), outcomes or OutcomeCount()
        self.positions: Positions = {}
        self.last_event = 0
        self._events_a_mark = events_a_mark
        self._marks: list[tuple[int, Positions]] = [(0, {})]
        self._loop = asyncio.get_running_loop()
        self._moved: asyncio.Future[None] = self._loop.create_future()
        self._asking: asyncio.Task[Positions] | None = None
        self._listeners: set[Callable[[Batch], None]] = set()

    def note(self, batch: Batch) -> None:
        """A batch was read and can be seen. From any thread; nothing happens once the loop is closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._note, batch)

    def listen(self, listener: Callable[[Batch], None]) -> Callable[[], None]:
        """Call `listener` in the loop after each batch that changes something, until what is returned is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def find(self, request_id: str, tenant: str | None) -> JobEntry | None:
        """A tenant's job, as far as the index has read; None for another's."""
        entry = self.find_any(request_id, tenant)
        return entry if entry is not None and entry.request is not None and not entry.is_forgotten else None

    def find_any(self, request_id: str, tenant: str | None) -> JobEntry | None:
        """As `find`, also of what is forgotten, and of what may be nobody's yet: for who does not show it."""
        entry = self.table.get(request_id)
        return entry if entry is not None and entry.tenant == tenant else None

    async def find_of_all(self, request_id: str) -> JobEntry | None:
        """A job, whoever's it is, if it was accepted before this was called. Raises IndexBehind, BrokerUnavailable."""
        if (entry := self.table.get(request_id)) is None:
            await self.catch_up()
            entry = self.table.get(request_id)
        return entry if entry is not None and not entry.is_forgotten else None

    async def look_up(self, request_id: str, tenant: str | None) -> JobEntry | None:
        """A tenant's job, whichever replica accepted it, if that was before this was called. Raises IndexBehind."""
        if entry := self.find(request_id, tenant):
            return entry
        await self.catch_up()
        return self.find(request_id, tenant)

    async def catch_up(self) -> None:
        """Return once it has read what was accepted before this was called. Raises IndexBehind, BrokerUnavailable."""
        await self.pass_by(await self._ends_now())

    async def moved(self) -> None:
        """Return once it has read more."""
        await asyncio.shield(self._moved)

    def last_event_before(self, positions: Positions) -> int:
        """The number of an event up to which all lie before these positions; often not the last such one."""
        for number, read in reversed(self._marks):
            if all(positions.get(place, 0) >= offset for place, offset in read.items()):
                return number
        return 0

    async def pass_by(self, wanted: Mapping[TopicPartition, int], *, within_s: float = CATCH_UP_S) -> None:
        """Return once everything before these offsets was read. Raises IndexBehind."""
        try:
            async with asyncio.timeout(within_s):
                while not all(self.positions.get(place, 0) >= offset for place, offset in wanted.items()):
                    await asyncio.shield(self._moved)
        except TimeoutError:
            raise IndexBehind from None

    async def ended(self, request_id: str, tenant: str | None, *, within_s: float) -> JobEntry | None:
        """The job once it has ended, or as it is when the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (entry := self.find(request_id, tenant)) is None or not entry.state.has_ended:
                    await asyncio.shield(self._moved)
        return self.find(request_id, tenant)

    async def _ends_now(self) -> Positions:
        """Asked for after this was called, once for all who wait."""
        if self._asking is not None:
            with suppress(Exception):
                await asyncio.shield(self._asking)  # it was asked too early for us
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(asyncio.to_thread(self._ends))
        return await asyncio.shield(self._asking)

    def _note(self, batch: Batch) -> None:
        if batch.positions != self.positions or batch.changes:
            self.positions, self.last_event = batch.positions, max(self.last_event, batch.last_event)
            if self.last_event >= self._marks[-1][0] + self._events_a_mark:
                self._marks.append((self.last_event, batch.positions))
            moved, self._moved = self._moved, self._loop.create_future()
            moved.set_result(None)
        if batch.changes:
            for listener in tuple(self._listeners):
                listener(batch)
