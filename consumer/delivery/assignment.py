"""One uninterrupted ownership of one partition, and the turns of the records that were read under it."""

import json
import time
from collections import deque
from dataclasses import dataclass, field

from consumer.core.cancellation import Cancellation
from consumer.core.model import DeadLettered, Done, Message, Outcome, Record, Retry, TopicPartition
from consumer.core.ports import Commit, Membership, Position
from consumer.core.tracing import JobSpan, Untraced
from consumer.delivery.retry_headers import RetryState
from consumer.delivery.watermark import Watermark

# Outcomes of one partition in one transaction: behind a long track there may be very many short ones.
MAX_PENDING_OUTCOMES = 500


@dataclass(slots=True, eq=False)
class Attempt:
    """One record's turn. `membership` is captured when its work begins, and is what its outcome is published with."""

    assignment: "Assignment"
    record: Record
    retry_state: RetryState
    cancellation: Cancellation
    admitted_at: float = field(default_factory=time.monotonic)
    membership: Membership | None = None
    trace: JobSpan = field(default_factory=Untraced)


@dataclass(frozen=True, slots=True)
class Completed:
    attempt: Attempt
    outcome: Outcome


@dataclass(slots=True, eq=False)
class Assignment:
    """Guarded by the dispatcher's lock. Once `is_open` is False it stays so, and nothing more of it is published."""

    partition: TopicPartition
    is_open: bool = True
    committed: Position | None = None
    membership: Membership | None = None  # as of the latest thing that happened in this partition
    watermark: Watermark[Completed] | None = None  # None until it is known where reading begins
    waiting: deque[Attempt] = field(default_factory=deque)
    working: dict[int, Attempt] = field(default_factory=dict)
    # offset -> how often a separator began that record without coming to an end of it, crashes of replicas included
    starts: dict[int, int] = field(default_factory=dict)
    # Until then a start that is only to be forgotten waits for the outcome that it can be committed with.
    forgets_at: float = 0.0

    def begin(self, committed: Position | None) -> None:
        """Reading begins at the committed position, whose note tells of crashes under earlier owners."""
        self.committed = committed
        self.watermark = Watermark(committed.offset if committed else None)
        self.starts = parse_note(committed.note) if committed else {}

    def pending(self) -> "PendingCommit | None":
        """What is to be published and committed now; None for nothing."""
        if not self.is_open or self.watermark is None or self.membership is None:
            return None
        ready = self.watermark.publishable(MAX_PENDING_OUTCOMES)
        position = Position(offset=ready.offset, note=format_note(self.starts, ready.offset))
        if position == (self.committed or Position(offset=0)) or self._can_wait(position):
            return None
        # The oldest membership of the batch: if the partition was away in between, the broker refuses it.
        membership = ready.outcomes[0].attempt.membership if ready.outcomes else self.membership
        assert membership
        commit = Commit(
            partition=self.partition,
            position=position,
            membership=membership,
            messages=tuple(message_of(settled.outcome) for settled in ready.outcomes),
        )
        return PendingCommit(self, commit, ready.outcomes)

    @property
    def unpublished(self) -> int:
        """Records that were handed out and whose outcome is not committed."""
        return self.watermark.in_flight - len(self.waiting) if self.watermark else 0

    def _can_wait(self, position: Position) -> bool:
        """Whether that would only forget starts, for which there is time."""
        if self.committed is None or position.offset != self.committed.offset or time.monotonic() >= self.forgets_at:
            return False
        known = parse_note(self.committed.note)
        return all(n <= known.get(offset, 0) for offset, n in self.starts.items())

    def confirm(self, pending: "PendingCommit") -> None:
        """What was offered is published and committed."""
        assert self.watermark
        position = pending.commit.position
        self.watermark.published(position.offset)
        self.committed = position
        self.starts = {offset: n for offset, n in self.starts.items() if offset >= position.offset}


@dataclass(frozen=True, slots=True)
class PendingCommit:
    """What an assignment has to publish, and whose outcomes that are."""

    assignment: Assignment
    commit: Commit
    settled: tuple[Completed, ...]


def message_of(outcome: Outcome) -> Message:
    match outcome:
        case Done():
            return outcome.result
        case Retry():
            return outcome.message
        case DeadLettered():
            return outcome.letter


def format_note(starts: dict[int, int], from_offset: int) -> str:
    """The note that is committed beside an offset; empty where there is nothing to tell."""
    told = {str(offset): n for offset, n in sorted(starts.items()) if n > 0 and offset >= from_offset}
    return json.dumps({"starts": told}) if told else ""


def parse_note(note: str) -> dict[int, int]:
    """Starts by offset; a note that is not ours tells nothing."""
    try:
        return {int(offset): int(n) for offset, n in json.loads(note)["starts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}
