"""Publishes outcomes: the only place that commits. One thread, one transaction at a time."""

import threading
from collections.abc import Callable, Sequence

import structlog

from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced
from consumer.core.ports import Outbox, Source
from consumer.delivery.assignment import PendingCommit
from consumer.delivery.dispatcher import Dispatcher

_IDLE_S = 0.2
_RETRY_S = 0.5


class Committer:
    """Moves pending commits into Kafka.

    on_published: told of each pending after its transaction is committed.
    """

    def __init__(
        self, dispatcher: Dispatcher, outbox: Outbox, source: Source, on_published: Callable[[PendingCommit], None]
    ) -> None:
        self._dispatcher, self._outbox, self._source = dispatcher, outbox, source
        self._on_published = on_published
        self._stopped = threading.Event()
        self._turns = 0
        self._away = ""
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Publish until stopped."""
        while not self._stopped.is_set():
            self._turns += 1
            if pending_commits := self._dispatcher.pending_commits(_IDLE_S):
                self.publish(pending_commits)
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
        self._stopped.set()

    def publish(self, pending_commits: Sequence[PendingCommit]) -> None:
        """Publish what can be; what can't be now is offered again by the dispatcher."""
        try:
            self._outbox.publish([pending.commit for pending in pending_commits])
            self._away = ""
        except OwnershipLost as lost:
            if len(pending_commits) > 1:  # one of them spoils the transaction for all
                for pending in pending_commits:
                    self.publish([pending])
                return
            self._log.warning("publish.refused", partition=pending_commits[0].assignment.partition, reason=str(lost))
            self._dispatcher.refuse(pending_commits[0])
        except BrokerUnavailable as away:
            self._away = str(away)
            self._log.warning("publish.delayed", reason=str(away))
            self._stopped.wait(_RETRY_S)
        except ProducerFenced as fenced:
            self._log.warning("publish.fenced", reason=str(fenced))
            self._confirm(self._committed_after_all(pending_commits))
        else:
            self._confirm(pending_commits)

    def _committed_after_all(self, pending_commits: Sequence[PendingCommit]) -> list[PendingCommit]:
        """Those whose transaction went through although nobody told us."""
        while not self._stopped.is_set():
            self._turns += 1
            try:
                positions = self._source.committed([pending.assignment.partition for pending in pending_commits])
            except BrokerUnavailable as away:
                self._away = str(away)
                self._stopped.wait(_RETRY_S)
                continue
            self._away = ""
            return [
                pending
                for pending in pending_commits
                if positions[pending.assignment.partition] == pending.commit.position
            ]
        return []

    def _confirm(self, pending_commits: Sequence[PendingCommit]) -> None:
        for pending in pending_commits:
            self._dispatcher.confirm(pending)
            self._on_published(pending)
