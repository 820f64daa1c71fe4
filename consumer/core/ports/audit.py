"""Where audit events of processes without a transaction of their own go: the gateway's and the commands'."""

from typing import Protocol

from consumer.core.events import AuditEvent


class AuditLog(Protocol):
    """Thread-safe. What happens while the audit topic takes nothing is by AUDIT_REQUIRED.

    Where it is required nothing is dropped, and `check` says that nothing may be done now. Where it is not, events
    that are not taken for a while are counted as lost, and nothing raises.
    """

    def check(self) -> None:
        """Ask before what is to be audited is done. Never waits.

        Raises AuditUnavailable where its event could not be written now and has to be.
        """
        ...

    def record(self, event: AuditEvent) -> None:
        """Write it down. Never waits: it is sent in the background, at least once, its id tells a repeat.

        Raises AuditUnavailable where it has to be written and there is no room for one more; not after `check`, but
        for thousands of events at once.
        """
        ...

    def flush(self, timeout_s: float) -> int:
        """Wait until all are written, or lost, no longer than so many seconds; returns how many are left."""
        ...

    def close(self) -> None:
        """Write what can be written within seconds, and end; what is left is lost, and counted."""
        ...
