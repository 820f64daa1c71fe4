"""One uninterrupted ownership of one partition, and what becomes of the records that are read under it.

A record that was read is a QueuedRecord; when its turn comes it is an Attempt; with its outcome it is Completed; what
may be committed of a partition is a PendingCommit.
"""

from collections import deque
from dataclasses import dataclass, field

from consumer.core.cancellation import Cancellation
from consumer.core.model import Audited, DeadLettered, Done, Message, Outcome, Record, Retry, TopicPartition
from consumer.core.ports import Commit, Membership, Position
from consumer.core.tracing import JobSpan
from consumer.delivery.reading import Reading
from consumer.delivery.retry_headers import RetryState
from consumer.delivery.start_counts import StartCounts, format_offset_metadata, parse_reading
from consumer.delivery.watermark import Watermark


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRecord:
    """A record that waits for its turn, and what it has been through."""

    record: Record
    retry_state: RetryState


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attempt:
    """A record whose turn it is. `membership` is the replica's place in its group as of now: the outcome is committed
    with it, so that the broker refuses the commit if the partition was another's in between.
    """

    assignment: "Assignment"
    record: Record
    retry_state: RetryState
    membership: Membership
    cancellation: Cancellation = field(default_factory=Cancellation)

    @property
    def is_ours(self) -> bool:
        """Whether an outcome of it may still be published by this replica."""
        return self.assignment.is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """An attempt and its outcome; `span` hears of the commit."""

    attempt: Attempt
    outcome: Outcome
    span: JobSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCommit:
    """What may be published and committed of one partition, and whose outcomes those are."""

    assignment: "Assignment"
    commit: Commit
    completed: tuple[Completed, ...]


@dataclass(slots=True, eq=False)
class Assignment:
    """Guarded by the lock of `Assignments`. Once `is_open` is False it stays so, and nothing more of it is published.

    committed: where the group stands; None: it has committed nothing yet.
    membership: as of the latest thing that happened in this partition; None: nothing has happened yet.
    watermark: None until it is known where reading begins.
    log_id: of the partition's log, as it is committed beside each position; "" where nobody gives any.
    reading: deaths over reading it. is_announced: these are to be committed although nothing was read yet; is_fresh:
    beside an offset that says nothing, since none was committed.
    forgets_at: until then (on the monotonic clock) a commit that only forgets starts waits for an outcome to go with.
    """

    partition: TopicPartition
    is_open: bool = True
    committed: Position | None = None
    membership: Membership | None = None
    watermark: Watermark[Completed] | None = None
    log_id: str = ""
    queued: deque[QueuedRecord] = field(default_factory=deque)
    at_work: dict[int, Attempt] = field(default_factory=dict)  # by offset
    starts: StartCounts = field(default_factory=StartCounts)
    reading: Reading = field(default_factory=Reading)
    is_announced: bool = False
    is_fresh: bool = False
    forgets_at: float = 0.0

    def begin(self, committed: Position | None, recalled: int | None = None, *, log_id: str = "") -> None:
        """Reading begins at the committed position, whose metadata tells of crashes under earlier owners.

        Where there is none it begins at `recalled`, and at the log's beginning where that is None too.
        """
        self.log_id = log_id
        self.committed = committed or self.committed  # an offset that says nothing is there, and to be replaced
        self.watermark = Watermark(committed.offset if committed else recalled)
        self.starts = StartCounts(committed.offset_metadata if committed else "")

    @property
    def uncommitted(self) -> int:
        """Records that were handed out and whose outcome is not committed."""
        return self.watermark.in_flight - len(self.queued) if self.watermark else 0

    def pending_commit(self, *, max_outcomes: int, now_s: float) -> PendingCommit | None:
        """What is to be published and committed now; None for nothing."""
        if not self.is_open or self.membership is None:
            return None
        if self.watermark is None:
            return self._announcement(now_s) if self.is_announced else None
        ready = self.watermark.publishable(max_outcomes)
        position = Position(offset=ready.offset, offset_metadata=self._offset_metadata(ready.offset))
        if position == (self.committed or self._nothing_done()) or self._can_wait(position, now_s):
            return None
        commit = Commit(
            partition=self.partition,
            position=position,
            # The oldest membership of the batch: if the partition was away in between, the broker refuses it.
            membership=ready.outcomes[0].attempt.membership if ready.outcomes else self.membership,
            messages=tuple(message_of(completed.outcome) for completed in ready.outcomes),
            audit=tuple(audit.message for each in ready.outcomes if (audit := audit_of(each.outcome))),
            last=ready.outcomes[-1].attempt.record if ready.outcomes else None,
        )
        return PendingCommit(assignment=self, commit=commit, completed=ready.outcomes)

    def _announcement(self, now_s: float) -> PendingCommit | None:
        """Before anything is read: that it will be, beside the offset where that begins."""
        at = self.reading.at
        position = Position(offset=at, offset_metadata=self._offset_metadata(at, is_fresh=self.is_fresh))
        if position == self.committed or self._can_wait(position, now_s):
            return None
        commit = Commit(partition=self.partition, position=position, membership=self.membership)
        return PendingCommit(assignment=self, commit=commit, completed=())

    def _nothing_done(self) -> Position:
        return Position(offset=0, offset_metadata=format_offset_metadata({}, log_id=self.log_id))

    def _offset_metadata(self, offset: int, *, is_fresh: bool = False) -> str:
        reading = self.reading.count_beside(offset)
        return self.starts.offset_metadata(offset, reading=reading, is_fresh=is_fresh, log_id=self.log_id)

    def _can_wait(self, position: Position, now_s: float) -> bool:
        """Whether that would only forget starts, for which there is time."""
        if self.committed is None or position.offset != self.committed.offset or now_s >= self.forgets_at:
            return False
        committed = self.committed.offset_metadata
        forgets_reading = self.reading.count_beside(position.offset) <= parse_reading(committed)
        return forgets_reading and self.starts.only_forgets(committed)

    def confirm(self, position: Position) -> None:
        """Everything before this position is published and committed."""
        if self.watermark:
            self.watermark.published(position.offset)
        self.committed = position
        self.starts.forget_before(position.offset)


def message_of(outcome: Outcome) -> Message:
    """The message that an outcome is published as."""
    match outcome:
        case Done():
            return outcome.result
        case Retry():
            return outcome.message
        case DeadLettered():
            return outcome.letter


def audit_of(outcome: Outcome) -> Audited | None:
    """What the audit trail is told with an outcome; None where it decides nothing."""
    match outcome:
        case Done() | DeadLettered():
            return outcome.audit
        case Retry():
            return None
