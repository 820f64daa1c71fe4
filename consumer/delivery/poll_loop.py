"""The poll loop: reads records, follows rebalances, pauses and resumes. It never waits for work."""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from consumer.core.errors import BrokerUnavailable
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Position, Source
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.retry_headers import RetryState, parse

POLL_S = 0.1
# Records a partition that may wait here. Pausing costs up to half a second of fetching, so not for every record.
PAUSE_ABOVE, RESUME_BELOW = 32, 8
# A member that was assigned nothing for so long gets nothing: it stands by.
SETTLED_S = 10.0


class PollLoop:
    """Implements ports.Assignments. One thread calls `run`; `stop` may be called from any."""

    def __init__(
        self,
        source: Source,
        dispatcher: Dispatcher,
        *,
        topics: Sequence[str],
        retry_topics: Collection[str],
        max_retry_delay_s: float,
        revoke_grace_s: float,
    ) -> None:
        self._source, self._dispatcher = source, dispatcher
        self._topics = topics
        self._retry_topics = frozenset(retry_topics)
        self._max_retry_delay = timedelta(seconds=max_retry_delay_s)
        self._revoke_grace_s = revoke_grace_s
        self._paused: set[TopicPartition] = set()
        self._refused: set[TopicPartition] = set()
        self._ends_at: float | None = None
        self._log = structlog.get_logger()
        self.last_poll = time.monotonic()
        self._member_since = float("inf")
        self.rebalances = 0
        self.has_joined = False

    def run(self) -> None:
        """Poll until stopped, and then as long as what is at work may take. Raises Fatal."""
        self._source.subscribe([*self._topics, *sorted(self._retry_topics)], self)
        while self._ends_at is None:
            self.step()
        self._dispatcher.stop_dispatching()
        while time.monotonic() < self._ends_at and not self._dispatcher.is_quiet():
            self.step()

    def stop(self, grace_s: float) -> None:
        """Begin nothing more; what is at work may take grace_s. Of several calls the earliest end counts."""
        ends_at = time.monotonic() + grace_s
        self._ends_at = ends_at if self._ends_at is None else min(ends_at, self._ends_at)

    def leave(self) -> None:
        """Leave the group. What is still at work is cancelled, and will be done by others."""
        self._source.close()

    def step(self, timeout_s: float = POLL_S) -> None:
        """One poll and what follows from it."""
        event = self._source.poll(timeout_s)
        self.last_poll = time.monotonic()
        if not self.has_joined:
            self._look_for_membership()
        match event:
            case Record() if self._has_begun(event.topic_partition, event.offset):
                self._dispatcher.admit(event, self._redelivery(event))
            case EndOfPartition() if self._has_begun(event.topic_partition, event.offset):
                self._dispatcher.reach(event)
            case _:
                pass
        self._refused.update(self._dispatcher.take_refused())
        for partition in list(self._refused):
            if not self._read_again(partition):
                break  # each question takes seconds while the broker is away, and polling must go on
        self._balance()

    def _look_for_membership(self) -> None:
        """A member for whom there are no partitions may never be called back, and is ready all the same."""
        if not self._source.is_member():
            self._member_since = float("inf")
        elif self._member_since == float("inf"):
            self._member_since = self.last_poll
        self.has_joined = self.last_poll - self._member_since >= SETTLED_S
        if self.has_joined:
            self._stand_by()

    def _stand_by(self) -> None:
        """Nothing is wrong with this replica, but whoever started it should know that it will have nothing to do."""
        self._log.warning("partitions.none", reason="more replicas than partitions; this one stands by")

    def _redelivery(self, record: Record) -> RetryState:
        """What the record has been through; due at most the longest delay after it was written."""
        now = datetime.now(UTC)
        written = min(record.timestamp or now, now)
        return parse(record, is_redelivery=record.topic in self._retry_topics).due_by(written + self._max_retry_delay)

    def _has_begun(self, partition: TopicPartition, offset: int) -> bool:
        """Learn where the partition stands, at its first event. False, and that event again, where that fails."""
        try:
            if self._dispatcher.needs_position(partition):
                self._dispatcher.begin(partition, self._source.committed([partition])[partition])
            position = self._dispatcher.position(partition)
            if offset < position and self._source.end(partition) < position:
                self._begin_anew(partition, position, offset)
            return True
        except BrokerUnavailable as away:
            self._log.warning("partition.position_unknown", partition=partition, reason=str(away))
            self._source.rewind(partition, offset)
            return False

    def _begin_anew(self, partition: TopicPartition, position: int, offset: int) -> None:
        """The log ends before our position in it: it is another one, whose records are new however low their offsets.

        Records below the position alone prove nothing: a resume or a refused commit may bring them once more.
        """
        self._log.warning("partition.log_was_replaced", partition=partition, position=position, begins_at=offset)
        self._dispatcher.close([partition], "log was replaced")
        self._dispatcher.open([partition])
        self._dispatcher.begin(partition, Position(offset=offset))

    def _read_again(self, partition: TopicPartition) -> bool:
        """Its commit was refused. If it is ours nevertheless, begin anew at what is committed. False: not yet."""
        try:
            committed = self._source.committed([partition])[partition]
        except BrokerUnavailable:
            return False
        self._refused.discard(partition)
        if self._source.rewind(partition, committed.offset if committed else None):
            self._dispatcher.open([partition])
        return True

    def _balance(self) -> None:
        """Stop fetching what would only pile up here.

        Unlike in Java, a pause outlives the assignment, so a partition that comes back is resumed here too; one that
        is not paused must not be: that may rewind it (librdkafka #4637).
        """
        waiting = self._dispatcher.waiting()
        full = [p for p, count in waiting.items() if count > PAUSE_ABOVE and p not in self._paused]
        roomy = [p for p, count in waiting.items() if count < RESUME_BELOW and p in self._paused]
        if full:
            self._source.pause(full)
            self._paused.update(full)
        if roomy:
            self._source.resume(roomy)
            self._paused.difference_update(roomy)

    # --- ports.Assignments ---

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._log.info("partitions.assigned", partitions=[f"{t}[{p}]" for t, p in partitions])
        if not partitions:
            self._stand_by()
        self.has_joined = True
        self.rebalances += 1
        self._dispatcher.open(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._log.info("partitions.revoked", partitions=[f"{t}[{p}]" for t, p in partitions])
        grace_s = self._revoke_grace_s if self._ends_at is None else 0.0
        self._dispatcher.drain(partitions, grace_s, "partition revoked")
        self._let_go(partitions, "partition revoked")

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._log.warning("partitions.lost", partitions=[f"{t}[{p}]" for t, p in partitions])
        self._let_go(partitions, "partition lost")

    def _let_go(self, partitions: Sequence[TopicPartition], reason: str) -> None:
        self.rebalances += 1
        self._dispatcher.close(partitions, reason)
        self._refused.difference_update(partitions)
