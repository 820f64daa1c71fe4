"""What one endpoint is still to be told, partition by partition, and what its group's commits say of that."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.model import TopicPartition
from consumer.core.ports import Position
from consumer.webhooks.notices import Notice
from consumer.webhooks.policy import RetryPolicy
from consumer.webhooks.sending import Attempt, Outcome
from consumer.webhooks.window import Mark, PartitionWindow, mark_of, metadata_of

_OUTAGE_FAILURES = 5  # in a row, after which a success means that the receiver is back
_WAKE_EVERY_S = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class Delivery:
    """One notice on its way. first_tried_s: since 1970, 0 before. due_at_s: of the monotonic clock. created_ms: the
    record's time, since 1970."""

    place: TopicPartition
    offset: int
    notice: Notice
    created_ms: int
    first_tried_s: int
    due_at_s: float
    attempts: int = 0
    is_under_way: bool = False


class Deliveries:
    """Used by one thread; a group calls `assigned` and `released` from within its polls in that thread."""

    def __init__(self, policy: RetryPolicy, clock: Clock = SYSTEM_CLOCK) -> None:
        self._policy, self._clock = policy, clock
        self._windows: dict[TopicPartition, PartitionWindow] = {}
        self._waiting: dict[tuple[TopicPartition, int], Delivery] = {}
        self._committed: dict[TopicPartition, Mark] = {}
        self._gone: dict[TopicPartition, str] = {}
        self._failures_in_a_row, self._woken_at_s = 0, float("-inf")

    def __len__(self) -> int:
        """How many notices are read and not delivered."""
        return len(self._waiting)

    @property
    def oldest_ms(self) -> int | None:
        """When the oldest record that is read and not delivered was made, since 1970; None: there is none."""
        return min((delivery.created_ms for delivery in self._waiting.values()), default=None)

    def assigned(self, positions: Mapping[TopicPartition, Position | None]) -> None:
        """These are ours, from there on."""
        self._forget(positions)
        for place, position in positions.items():
            mark = mark_of(position.offset, position.offset_metadata) if position else None
            self._windows[place] = PartitionWindow(mark)
            if mark:
                self._committed[place] = mark

    def released(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position]:
        """These are another's; what is to be committed of them."""
        last = {place: position for place, position in self.positions().items() if place in partitions}
        self._forget(partitions)
        return last

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        for place in partitions:
            for known in (self._windows, self._committed, self._gone):
                known.pop(place, None)
        self._waiting = {key: value for key, value in self._waiting.items() if key[0] not in partitions}

    def read(self, place: TopicPartition, offset: int, notice: Notice | None, *, created_ms: int) -> None:
        """A record was read; None: it says nothing to this endpoint."""
        window = self._windows.setdefault(place, PartitionWindow(None))
        first_tried_s = window.read(offset)
        if notice is None or first_tried_s is None:
            return
        window.open(offset, first_tried_s)
        self._waiting[place, offset] = Delivery(
            place=place,
            offset=offset,
            notice=notice,
            created_ms=created_ms,
            first_tried_s=first_tried_s,
            due_at_s=self._clock.monotonic(),
        )

    def reached_end(self, place: TopicPartition, offset: int) -> None:
        """All of a partition before `offset` was read."""
        self._windows.setdefault(place, PartitionWindow(None)).reached_end(offset)

    def is_full(self, place: TopicPartition) -> bool:
        """Whether no more of a partition may be read for now."""
        return place in self._windows and self._windows[place].is_full

    def begin(self, count: int) -> Sequence[Delivery]:
        """At most so many that are due and not under way, the longest due first; they are under way from now on."""
        now_s, at_s = self._clock.monotonic(), int(self._clock.now().timestamp())
        due = [each for each in self._waiting.values() if not each.is_under_way and each.due_at_s <= now_s]
        begun = sorted(due, key=lambda each: each.due_at_s)[:count]
        for delivery in begun:
            delivery.is_under_way = True
            delivery.attempts += 1
            if not delivery.first_tried_s:
                delivery.first_tried_s = at_s
                self._windows[delivery.place].open(delivery.offset, at_s)
        return begun

    def drop(self, delivery: Delivery) -> None:
        """It is nobody's any more."""
        if self._waiting.get((delivery.place, delivery.offset)) is delivery:
            del self._waiting[delivery.place, delivery.offset]
            self._windows[delivery.place].close(delivery.offset)

    def settle(self, delivery: Delivery, attempt: Attempt) -> Outcome:
        """What came of an attempt, and what that means to the delivery: GIVEN_UP where it was the last."""
        delivery.is_under_way = False
        if attempt.outcome is Outcome.DELIVERED:
            self.drop(delivery)
            self._succeeded()
            return attempt.outcome
        self._failures_in_a_row += 1
        tried_for_s = max(0.0, self._clock.now().timestamp() - delivery.first_tried_s)
        wait_s = self._policy.wait_s(tried_for_s, asked_s=attempt.retry_after_s)
        if wait_s is None and attempt.outcome is not Outcome.GONE:
            self.drop(delivery)
            return Outcome.GIVEN_UP
        delivery.due_at_s = self._clock.monotonic() + (wait_s or 0.0)
        return attempt.outcome

    def _succeeded(self) -> None:
        """A receiver that was away is back: what waits for it need not wait longer. A few that it never takes are no
        outage, and are not tried at each success."""
        now_s = self._clock.monotonic()
        if self._failures_in_a_row >= _OUTAGE_FAILURES and now_s - self._woken_at_s >= _WAKE_EVERY_S:
            self._woken_at_s = now_s
            for delivery in self._waiting.values():
                delivery.due_at_s = min(delivery.due_at_s, now_s)
        self._failures_in_a_row = 0

    def end(self, delivery: Delivery, digest: str) -> None:
        """The endpoint of that digest is gone: the next commit of the partition tells whoever comes after."""
        if delivery.place in self._windows:
            self._gone[delivery.place] = digest

    def positions(self) -> Mapping[TopicPartition, Position]:
        """What is to be committed, of the partitions in which anything has changed; it counts as committed then."""
        changed: dict[TopicPartition, Position] = {}
        for place, window in self._windows.items():
            mark = window.mark(gone=self._gone.get(place, ""))
            if mark is not None and mark != self._committed.get(place):
                self._committed[place] = mark
                changed[place] = Position(offset=mark.offset, offset_metadata=metadata_of(mark))
        return changed

    def not_committed(self, places: Collection[TopicPartition]) -> None:
        """Their commits failed."""
        for place in places:
            self._committed.pop(place, None)
