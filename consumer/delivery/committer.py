"""Publishes outcomes: the only place that commits. One thread, one transaction at a time."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import BrokerUnavailable, OwnershipLost, ProducerFenced, TopicUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.model import TopicPartition
from consumer.core.ports import Outbox, Source
from consumer.delivery.assignment import PendingCommit
from consumer.delivery.commit_queue import CommitQueue

_IDLE_S = 0.2
RETRY_S = 0.5
_MOST_RETRIES_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blocked:
    """A partition whose outcome a topic did not take: it is published apart from others, one outcome at a time.

    reason: the topic and what it says; "" once an outcome was taken again, until nothing more of it waits.
    due: when it is tried again, on the monotonic clock; each refusal doubles `retry_s`.
    """

    reason: str
    due: float
    retry_s: float


class Committer:
    """Moves pending commits into Kafka.

    on_committed: told of each after its transaction is committed.
    retry_s: how long it waits before it asks a broker again that is away.

    What a single topic does not take keeps its own partitions waiting, and no others: the transaction that failed is
    split until the culprit is alone, and that is tried again apart, ever less often.
    """

    def __init__(
        self,
        queue: CommitQueue,
        outbox: Outbox,
        source: Source,
        on_committed: Callable[[PendingCommit], None],
        *,
        retry_s: float = RETRY_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._queue, self._outbox, self._source = queue, outbox, source
        self._on_committed, self._retry_s, self._clock = on_committed, retry_s, clock
        self._blocked: dict[TopicPartition, _Blocked] = {}
        self._stopped = threading.Event()
        self._turns = 0
        self._away = ""
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Publish until stopped."""
        while not self._stopped.is_set():
            self._turns += 1
            self.step(_IDLE_S)

    def step(self, timeout_s: float) -> None:
        """Publish what is pending, or becomes so within that time."""
        pending = self._queue.pending(timeout_s, one_by_one=self._blocked)
        # What could not be published and is pending no more is another replica's by now.
        places = {each.commit.partition for each in pending}
        self._blocked = {place: blocked for place, blocked in self._blocked.items() if place in places}
        if not pending:
            self._away = ""
            return
        now = self._clock.monotonic()
        together = [each for each in pending if each.commit.partition not in self._blocked]
        due = [
            each
            for each in pending
            if (blocked := self._blocked.get(each.commit.partition)) is not None and blocked.due <= now
        ]
        if together:
            self.publish(together)
        for each in due:
            self.publish([each])
        if not together and not due:
            self._stopped.wait(self._retry_s)

    def sign_of_life(self) -> object:
        """Changes as long as this goes on, however long an outage takes."""
        return self._turns, self._outbox.calls

    @property
    def trouble(self) -> str:
        """What keeps outcomes from being published, "" if nothing does."""
        blocked = sorted({blocked.reason for blocked in list(self._blocked.values())} - {""})
        return self._outbox.waits_for or self._away or "; ".join(blocked)

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
        except TopicUnavailable as refusal:
            self._away = ""  # the brokers answer
            if len(pending) > 1:
                for each in pending:
                    self.publish([each])
                return
            self._block(pending[0].commit.partition, str(refusal))
        except BrokerUnavailable as away:
            self._away = str(away)
            self._log.warning(LogEvent.PUBLISH_DELAYED, reason=str(away))
            self._stopped.wait(self._retry_s)
        except ProducerFenced as fenced:
            self._log.warning(LogEvent.PUBLISH_FENCED, reason=str(fenced))
            self._confirm(self._committed_after_all(pending))
        else:
            self._confirm(pending)

    def _block(self, partition: TopicPartition, reason: str) -> None:
        before = self._blocked.get(partition)
        retry_s = min(2 * before.retry_s, _MOST_RETRIES_S) if before and before.reason else self._retry_s
        self._blocked[partition] = _Blocked(reason=reason, due=self._clock.monotonic() + retry_s, retry_s=retry_s)
        self._log.warning(LogEvent.PUBLISH_BLOCKED, partition=partition, reason=reason)

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
            if each.commit.partition in self._blocked:
                self._blocked[each.commit.partition] = _Blocked(reason="", due=0.0, retry_s=self._retry_s)
            self._queue.confirm(each)
            self._on_committed(each)
