"""What is committed of one partition, and when, besides outcomes."""

from consumer.core.model import Done, Message, TopicPartition
from consumer.core.ports import Position
from consumer.delivery.start_counts import StartCounts
from harness.clock import ManualClock
from harness.delivery import UNTRACED, admit, delivery_of, take, the_pending

T0 = TopicPartition("separation.requests", 0)
DONE = Done(result=Message(topic="results", key=None, value=b"v"))
ONE_START = '{"starts": {"0": 1}}'
TWO_RECORDS = '{"starts": {"1": 2, "2": 1}}'


def test_nothing_is_committed_before_anything_has_happened() -> None:
    """Metadata of others beside the committed offset stays until there is something of ours to commit."""
    delivery = delivery_of(T0, committed=Position(offset=3, offset_metadata="somebody else's"))
    assert delivery.commit_queue.pending(0) == []
    admit(delivery, T0, 3)
    delivery.dispatcher.complete(take(delivery), DONE, UNTRACED)
    assert the_pending(delivery).commit.position == Position(offset=4)


def test_forgetting_waits_for_an_outcome_just_as_long_as_it_was_told_to() -> None:
    """Until then nothing is committed for it alone, and from that moment on it is."""
    clock = ManualClock()
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata=ONE_START), clock=clock)
    admit(delivery, T0, 0)
    delivery.start_counter.decrement(take(delivery), within_s=5.0)
    clock.advance(4.5)
    assert delivery.commit_queue.pending(0) == []
    clock.advance(0.5)
    assert the_pending(delivery).commit.position == Position(offset=0)


def test_starts_of_what_is_finished_are_not_kept() -> None:
    """Once its outcome is committed a record's starts take no room and count for nothing."""
    delivery = delivery_of(T0, committed=Position(offset=0, offset_metadata=ONE_START))
    admit(delivery, T0, 0)
    attempt = take(delivery)
    assert delivery.start_counter.count(attempt) == 1
    delivery.dispatcher.complete(attempt, DONE, UNTRACED)
    delivery.commit_queue.confirm(the_pending(delivery))
    assert delivery.start_counter.count(attempt) == 0


def test_a_new_start_is_never_taken_for_forgetting() -> None:
    """Counts that only shrink may wait; one more, of whichever record, may not."""
    counts = StartCounts(TWO_RECORDS)
    counts.decrement(1)
    assert counts.only_forgets(TWO_RECORDS)
    counts.increment(3)
    assert not counts.only_forgets(TWO_RECORDS)
    counts.forget_before(3)
    assert [counts[offset] for offset in (1, 2, 3)] == [0, 0, 1]
