"""Publishes outcomes: the only place that commits. One thread, one transaction at a time."""

import threading
from collections.abc import Callable, Sequence

import structlog

from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced
from consumer.core.log_events import LogEvent
from consumer.core.ports import Outbox, Source
from consumer.delivery.assignment import PendingCommit
from consumer.delivery.commit_queue import CommitQueue

_IDLE_S = 0.2
RETRY_S = 0.5


class Committer:
    """Moves pending commits into Kafka.

    on_committed: told of each after its transaction is committed.
    retry_s: how long it waits before it asks a broker again that is away.
    """

    def __init__(
        self,
        queue: CommitQueue,
        outbox: Outbox,
        source: Source,
        on_committed: Callable[[PendingCommit], None],
        *,
        retry_s: float = RETRY_S,
    ) -> None:
        self._queue, self._outbox, self._source = queue, outbox, source
        self._on_committed, self._retry_s = on_committed, retry_s
        self._stopped = threading.Event()
        self._turns = 0
        self._away = ""
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Publish until stopped."""
        while not self._stopped.is_set():
            self._turns += 1
            if pending := self._queue.pending(_IDLE_S):
                self.publish(pending)
            else:
                self._away = ""  # what could not be published is another replica's by now

    def sign_of_life(self) -> object:
        """Changes as long as this goes on, however long an outage takes."""
        return self._turns, self._outbox.calls

    @property
    def trouble(self) -> str:
        """What keeps outcomes from being published, "" if nothing does."""
        return self._outbox.waits_for or self._away

    def stop(self) -> None:
        """Publish nothing more after the transaction at hand."""
        self._stopped.set()

    def publish(self, pending: Sequence[PendingCommit]) -> None:
        """Publish what can be; what can't be now stays in the queue."""
        try:
            self._outbox.publish([each.commit for each in pending])
            self._away = ""
        except OwnershipLost as lost:
            if len(pending) > 1:  # one of them spoils the transaction for all
                for each in pending:
                    self.publish([each])
                return
            self._log.warning(LogEvent.PUBLISH_REFUSED, partition=pending[0].commit.partition, reason=str(lost))
            self._queue.refuse(pending[0])
        except BrokerUnavailable as away:
            self._away = str(away)
            self._log.warning(LogEvent.PUBLISH_DELAYED, reason=str(away))
            self._stopped.wait(self._retry_s)
        except ProducerFenced as fenced:
            self._log.warning(LogEvent.PUBLISH_FENCED, reason=str(fenced))
            self._confirm(self._committed_after_all(pending))
        else:
            self._confirm(pending)

    def _committed_after_all(self, pending: Sequence[PendingCommit]) -> Sequence[PendingCommit]:
        """Those whose transaction went through although nobody told us."""
        while not self._stopped.is_set():
            self._turns += 1
            try:
                positions = self._source.committed([each.commit.partition for each in pending])
            except BrokerUnavailable as away:
                self._away = str(away)
                self._stopped.wait(self._retry_s)
                continue
            self._away = ""
            return [each for each in pending if positions[each.commit.partition] == each.commit.position]
        return []

    def _confirm(self, pending: Sequence[PendingCommit]) -> None:
        for each in pending:
            self._queue.confirm(each)
            self._on_committed(each)
