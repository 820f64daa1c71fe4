"""A control topic in memory."""

import threading
from collections import deque

from consumer.core.model import Record


class FakeFeed:
    """A control topic: `records` are read in order; an exception among them is raised."""

    def __init__(self, *records: Record | Exception) -> None:
        self.records = deque(records)

    @property
    def is_caught_up(self) -> bool:
        return not self.records

    def poll(self, timeout_s: float) -> Record | None:
        if not self.records:
            threading.Event().wait(min(timeout_s, 0.01))
            return None
        record = self.records.popleft()
        if isinstance(record, Exception):
            raise record
        return record
