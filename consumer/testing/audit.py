"""An audit log in this process's memory, for tests of what writes to one."""

import threading

from consumer.core.errors import AuditUnavailable
from consumer.core.events import AuditEvent


class MemoryAuditLog:
    """See ports.AuditLog. Thread-safe. events: what was recorded, in order.

    is_required: as AUDIT_REQUIRED. trouble: set it, and the topic takes nothing. lost: events that were given up.
    """

    def __init__(self, *, is_required: bool = False) -> None:
        self.events: list[AuditEvent] = []
        self.is_required, self.trouble, self.lost = is_required, "", 0
        self._lock = threading.Lock()

    def check(self) -> None:
        if self.is_required and self.trouble:
            raise AuditUnavailable(self.trouble)

    def record(self, event: AuditEvent) -> None:
        self.check()
        with self._lock:
            if self.trouble:
                self.lost += 1
            else:
                self.events.append(event)

    def flush(self, timeout_s: float) -> int:  # noqa: ARG002 - nothing is ever on its way
        return 0

    def close(self) -> None:
        pass
