"""An outbox that publishes outcomes without their audit events while the audit topic takes none."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import ProducerFenced, TopicUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.ports import Commit, Outbox

RETRY_S = 60.0  # finding a topic missing takes seconds, in which nothing is published


class OptionalAuditOutbox:
    """See ports.Outbox; `outbox` is what publishes.

    on_lost: told of how many events were left out of what was published. Where it is not known whether a transaction
    without them happened, they count as lost too: rather one too many than one too few.
    """

    def __init__(self, outbox: Outbox, on_lost: Callable[[int], None], *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._outbox, self._on_lost, self._clock = outbox, on_lost, clock
        self._trouble, self._due = "", 0.0
        self._log = structlog.get_logger()

    @property
    def calls(self) -> int:
        return self._outbox.calls

    @property
    def waits_for(self) -> str:
        return self._outbox.waits_for

    @property
    def trouble(self) -> str:
        """Why events are left out, "" while none is."""
        return self._trouble

    def open(self, timeout_s: float) -> None:
        self._outbox.open(timeout_s)

    def publish(self, commits: Sequence[Commit]) -> None:
        count = sum(len(commit.audit) for commit in commits)
        if not count:
            self._outbox.publish(commits)
        elif self._clock.monotonic() < self._due:
            self._publish_without(commits, count)
        else:
            self._try(commits, count)

    def close(self) -> None:
        self._outbox.close()

    def _try(self, commits: Sequence[Commit], count: int) -> None:
        try:
            self._outbox.publish(commits)
        except TopicUnavailable as refusal:
            self._publish_without(commits, count)  # raises where it is another topic that takes nothing
            self._trouble, self._due = str(refusal), self._clock.monotonic() + RETRY_S
            self._log.error(LogEvent.AUDIT_LOST, reason=self._trouble, count=count)
        else:
            if self._trouble:
                self._trouble = ""
                self._log.warning(LogEvent.AUDIT_TAKEN_AGAIN)

    def _publish_without(self, commits: Sequence[Commit], count: int) -> None:
        try:
            self._outbox.publish([replace(commit, audit=()) for commit in commits])
        except ProducerFenced:
            self._on_lost(count)
            raise
        self._on_lost(count)
