"""The poll loop: reads records, follows rebalances, pauses and resumes. It never waits for work."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from consumer.core.errors import BrokerUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Source
from consumer.delivery.assignments import Assignments
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.log_identity import LogIdentities, is_of_another_log
from consumer.delivery.retry_headers import RetryState, parse

POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What is read: requests, and the topics of their retries.

    max_retry_delay_s: no retry is due later than so long after it was written, whatever its header says.
    try_out: reads a record as those who work on it will, to see whether this process survives that; see GuardedSource.
    """

    topics: Sequence[str]
    retry_topics: Collection[str]
    max_retry_delay_s: float
    try_out: Callable[[Record], object] = lambda record: None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """revoke_grace_s: what is nearly done when its partition moves may still be published; others wait no longer.
    standby_after_s: a member that was assigned nothing for so long gets nothing: it stands by.
    pause_above, resume_below: records of a partition that may wait for their turn. Pausing costs up to half a second of
    fetching, so not for every record.
    """

    revoke_grace_s: float = 1.0
    standby_after_s: float = 10.0
    pause_above: int = 32
    resume_below: int = 8


class PollLoop:
    """Implements ports.RebalanceListener. One thread calls `run`; `stop` may be called from any.

    on_stop: called by that thread once it was stopped, before what is at work is waited for.
    """

    def __init__(
        self,
        source: Source,
        assignments: Assignments,
        dispatcher: Dispatcher,
        subscription: Subscription,
        policy: PollPolicy,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_stop = on_stop
        self._source, self._assignments, self._dispatcher = source, assignments, dispatcher
        self._subscription, self._policy = subscription, policy
        self._retry_topics = frozenset(subscription.retry_topics)
        self._clock = assignments.clock
        self._identities = LogIdentities(source)
        self._paused: set[TopicPartition] = set()
        self._refused: set[TopicPartition] = set()
        self._ends_at: float | None = None  # None: nobody has stopped it
        self._log = structlog.get_logger()
        self.last_poll = self._clock.monotonic()
        self._member_since = float("inf")
        self.rebalances = 0
        self.has_joined = False

    def run(self) -> None:
        """Poll until stopped, and then as long as what is at work may take. Raises Fatal."""
        self._source.subscribe([*self._subscription.topics, *sorted(self._retry_topics)], self)
        while self._ends_at is None:
            self.step()
        self._dispatcher.stop()
        self._on_stop()
        while self._clock.monotonic() < self._ends_at and not self._dispatcher.is_quiet():
            self.step()

    def stop(self, grace_s: float) -> None:
        """Begin nothing more; what is at work may take grace_s. Of several calls the earliest end counts."""
        ends_at = self._clock.monotonic() + grace_s
        self._ends_at = ends_at if self._ends_at is None else min(ends_at, self._ends_at)

    def leave(self) -> None:
        """Leave the group. What is still at work is cancelled, and will be done by others."""
        self._source.close()

    def step(self, timeout_s: float = POLL_S) -> None:
        """One poll and what follows from it."""
        event = self._source.poll(timeout_s)
        self.last_poll = self._clock.monotonic()
        if not self.has_joined:
            self._look_for_membership()
        match event:
            case Record() if self._has_begun(event.topic_partition, event.offset, event):
                self._dispatcher.admit(event, self._redelivery(event))
            case EndOfPartition() if self._has_begun(event.topic_partition, event.offset):
                self._dispatcher.reach(event)
                self._identities.reach_end(event.topic_partition)
            case _:
                pass
        self._follow_replaced_logs()
        self._refused.update(self._assignments.take_refused())
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
        self.has_joined = self.last_poll - self._member_since >= self._policy.standby_after_s
        if self.has_joined:
            self._stand_by()

    def _stand_by(self) -> None:
        """Nothing is wrong with this replica, but whoever started it should know that it will have nothing to do."""
        self._log.warning(LogEvent.PARTITIONS_NONE, reason="more replicas than partitions; this one stands by")

    def _redelivery(self, record: Record) -> RetryState:
        """What the record has been through; due at most the longest delay after it was written."""
        now = self._clock.now()
        written = min(record.timestamp or now, now)
        return parse(record, is_redelivery=record.topic in self._retry_topics).due_by(
            written + timedelta(seconds=self._subscription.max_retry_delay_s)
        )

    def _has_begun(self, partition: TopicPartition, offset: int, record: Record | None = None) -> bool:
        """Learn where the partition stands, at its first event: that record, or its end.

        False, and that event again, where that fails.
        """
        try:
            if self._assignments.needs_position(partition):
                if not self._begin(partition, offset, record):
                    return False
            elif self._identities.is_replaced(partition):
                self._start_over(partition)
                return False
            position = self._assignments.position(partition)
            if offset < position and self._source.end(partition) < position:
                return self._begin_anew(partition, position, offset, record)
            return True
        except BrokerUnavailable as away:
            self._log.warning(LogEvent.POSITION_UNKNOWN, partition=partition, reason=str(away))
            self._go_back(partition, offset)
            return False

    def _go_back(self, partition: TopicPartition, offset: int) -> None:
        """To the event at hand; where the client can't, as in a topic that is gone, to what is committed, later."""
        try:
            self._source.rewind(partition, offset)
        except BrokerUnavailable:
            self._refused.add(partition)

    def _begin(self, partition: TopicPartition, offset: int, record: Record | None) -> bool:
        """Begin where the group stands; False where that is not at this event. Raises BrokerUnavailable."""
        log_id = self._identities.begin(partition)
        committed = self._source.committed([partition])[partition]
        begins_at, recalled = offset, None
        if committed and is_of_another_log(committed, log_id):  # where the client has begun all the same
            committed, begins_at = None, self._source.beginning(partition)
        # Nothing may be committed because nothing was ever done, or because the brokers have forgotten it.
        if committed is None and record:
            recalled = self._source.recalled(record)
            begins_at = max(begins_at, recalled or 0)
        if begins_at != offset:
            self._source.rewind(partition, begins_at)
        self._assignments.begin(partition, committed, recalled, log_id=log_id)
        return begins_at == offset

    def _follow_replaced_logs(self) -> None:
        """Start over where a topic was made anew, also where the new log has nothing beyond our position."""
        for partition, log_id in self._identities.learnt().items():
            self._assignments.identify(partition, log_id)
        try:
            for partition in self._identities.replaced():
                self._start_over(partition)
        except BrokerUnavailable:
            pass  # looked at again at the next poll

    def _start_over(self, partition: TopicPartition) -> None:
        """The partition's log is another one. Raises BrokerUnavailable, with nothing done."""
        position = self._assignments.position(partition)
        is_ours = self._source.rewind(partition, None)
        log_id = self._identities.begin(partition)
        self._log.warning(LogEvent.LOG_WAS_REPLACED, partition=partition, position=position, begins_at=0)
        self._assignments.close([partition], "log was replaced")
        if is_ours:
            self._assignments.open([partition])
            self._assignments.begin(partition, None, log_id=log_id)

    def _begin_anew(self, partition: TopicPartition, position: int, offset: int, record: Record | None) -> bool:
        """The log ends before our position in it: it is another one, whose records are new however low their offsets;
        or it was cut, or the position is an operator's, and the outcomes tell what is done of what is there.

        Records below the position alone prove nothing: a resume or a refused commit may bring them once more. False
        where reading goes on behind the event at hand. Raises BrokerUnavailable, with nothing done.
        """
        log_id = self._identities.begin(partition)
        recalled = self._source.recalled(record) if record else None
        begins_at = max(offset, recalled or 0)
        if begins_at != offset:
            self._source.rewind(partition, begins_at)
        self._log.warning(LogEvent.LOG_WAS_REPLACED, partition=partition, position=position, begins_at=begins_at)
        self._assignments.close([partition], "log was replaced")
        self._assignments.open([partition])
        # What is committed lies behind the end, and says nothing.
        self._assignments.begin(partition, None, begins_at, log_id=log_id)
        return begins_at == offset

    def _read_again(self, partition: TopicPartition) -> bool:
        """Its commit was refused. If it is ours nevertheless, begin anew at what is committed. False: not yet."""
        try:
            committed = self._source.committed([partition])[partition]
            is_ours = self._source.rewind(partition, committed.offset if committed else None)
        except BrokerUnavailable:
            return False
        self._refused.discard(partition)
        if is_ours:
            self._assignments.open([partition])
        return True

    def _balance(self) -> None:
        """Stop fetching what would only pile up here.

        Unlike in Java, a pause outlives the assignment, so a partition that comes back is resumed here too; one that
        is not paused must not be: that may rewind it (librdkafka #4637).
        """
        queued = self._dispatcher.queued()
        full = [p for p, count in queued.items() if count > self._policy.pause_above and p not in self._paused]
        roomy = [p for p, count in queued.items() if count < self._policy.resume_below and p in self._paused]
        if full:
            self._source.pause(full)
            self._paused.update(full)
        if roomy:
            self._source.resume(roomy)
            self._paused.difference_update(roomy)

    # --- ports.RebalanceListener ---

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self._log.info(LogEvent.PARTITIONS_ASSIGNED, partitions=[f"{t}[{p}]" for t, p in partitions])
        if not partitions:
            self._stand_by()
        self.has_joined = True
        self.rebalances += 1
        self._assignments.open(partitions)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self._log.info(LogEvent.PARTITIONS_REVOKED, partitions=[f"{t}[{p}]" for t, p in partitions])
        grace_s = self._policy.revoke_grace_s if self._ends_at is None else 0.0
        self._assignments.drain(partitions, grace_s, "partition revoked")
        self._let_go(partitions, "partition revoked")

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self._log.warning(LogEvent.PARTITIONS_LOST, partitions=[f"{t}[{p}]" for t, p in partitions])
        self._let_go(partitions, "partition lost")

    def _let_go(self, partitions: Sequence[TopicPartition], reason: str) -> None:
        self.rebalances += 1
        self._assignments.close(partitions, reason)
        self._identities.forget(partitions)
        self._refused.difference_update(partitions)
