"""Takes out of the index what the topics have dropped, some rows at a time, so that it never outgrows them."""

import asyncio
from collections.abc import Callable

from consumer.core.errors import BrokerUnavailable
from consumer.gateway.index.positions import Positions
from consumer.gateway.index.table import JobTable

_ROWS_A_STEP = 5000
_LOOK_EVERY_S = 600.0


class Pruner:
    """Belongs to the thread that writes the table, but for `note` and `begins`."""

    def __init__(self, table: JobTable, *, rows_a_step: int = _ROWS_A_STEP) -> None:
        self._table, self._rows_a_step = table, rows_a_step
        self._noted: Positions = {}
        self._next_row: int | None = None  # None between two passes
        self.begins: Positions = {}
        """Of each partition the offset before which rows may be missing."""

    def note(self, begins: Positions) -> None:
        """So the topics begin by now. From any thread."""
        self._noted = begins

    def step(self) -> None:
        """Take out some rows, if any are due. Seen by others once the table is committed.

        A job goes with the record of its end: older successes are answered from their manifests, as after a start.
        """
        if self._next_row is None:
            if self._noted == self.begins:
                return
            # First told, then done: a stream that would miss something must be told so.
            self.begins, self._next_row = self._noted, 0
        after, up_to = self._next_row, self._next_row + self._rows_a_step
        for request_id, ended_ms in self._table.events.drop(self.begins, after=after, up_to=up_to):
            entry = self._table.get_own(request_id)
            if entry and entry.state.has_ended and entry.changed_ms == ended_ms:  # else it was asked for again
                self._table.remove(request_id)
        self._next_row = up_to if up_to < self._table.events.last else None


async def keep_pruned(
    begins: Callable[[], Positions], note: Callable[[Positions], None], *, every_s: float = _LOOK_EVERY_S
) -> None:
    """Tell `note` where the topics begin, again and again, until cancelled. begins: asks the brokers, in a thread."""
    while True:
        await asyncio.sleep(every_s)
        try:
            note(await asyncio.to_thread(begins))
        except BrokerUnavailable:
            continue  # /ready tells of that
