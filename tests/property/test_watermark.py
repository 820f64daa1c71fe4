"""A committed position p means: every record before p has its outcome, and none after p has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.delivery.watermark import Watermark


class Partition(RuleBasedStateMachine):
    """One partition that is read with gaps, settled in any order, and published whenever something can be."""

    @initialize(committed=st.none() | st.integers(0, 50))
    def begin(self, committed: int | None) -> None:
        self.watermark: Watermark[int] = Watermark(committed)
        self.read_to = self.committed = committed or 0
        self.unsettled: list[int] = []
        self.settled: list[int] = []
        self.published: list[int] = []

    @rule(gap=st.integers(0, 5))
    def read(self, gap: int) -> None:
        """The next record; what was compacted away or was a transaction's marker leaves a gap."""
        offset = self.read_to + gap
        assert self.watermark.admit(offset)
        self.unsettled.append(offset)
        self.read_to = offset + 1

    @precondition(lambda self: self.read_to)
    @rule(back=st.integers(1, 20))
    def read_again(self, back: int) -> None:
        assert not self.watermark.admit(max(0, self.read_to - back))

    @rule(beyond=st.integers(-5, 5))
    def reach_end(self, beyond: int) -> None:
        self.watermark.reach(self.read_to + beyond)
        self.read_to = max(self.read_to, self.read_to + beyond)

    @precondition(lambda self: self.unsettled)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        offset = self.unsettled.pop(data.draw(st.integers(0, len(self.unsettled) - 1)))
        self.watermark.settle(offset, offset)
        self.settled.append(offset)

    @rule(limit=st.none() | st.integers(1, 3))
    def publish(self, limit: int | None) -> None:
        ready = self.watermark.publishable(limit)
        assert list(ready.outcomes) == sorted(o for o in self.settled if o < ready.offset and o not in self.published)
        assert len(ready.outcomes) == min(len(self.watermark.publishable().outcomes), limit or 1000)
        self.watermark.published(ready.offset)
        assert ready.offset >= self.committed, "a position never goes back"
        self.committed = ready.offset
        self.published += ready.outcomes

    @invariant()
    def never_passes_what_is_unfinished(self) -> None:
        offset = self.watermark.publishable().offset
        assert offset == min(self.unsettled, default=self.read_to)
        assert self.committed <= offset
        assert self.watermark.position == self.read_to
        assert self.watermark.in_flight == len(self.unsettled) + len(self.settled) - len(self.published)

    def teardown(self) -> None:
        """In the end everything is committed, each outcome once and in order, up to the end of the partition."""
        while self.unsettled:
            offset = self.unsettled.pop()
            self.watermark.settle(offset, offset)
            self.settled.append(offset)
        self.publish(None)
        assert self.published == sorted(self.settled)
        assert self.committed == self.read_to
        assert self.watermark.in_flight == 0


class TestPartition(Partition.TestCase):  # type: ignore[valid-type, misc] # it is made for each machine
    """A position never passes an unfinished record and never goes back, and in the end all is committed."""


@given(st.sets(st.integers(0, 30), min_size=1), st.integers(0, 30))
def test_only_what_is_in_flight_can_be_settled(offsets: set[int], other: int) -> None:
    """Settling a record twice, or one that was never read or is committed, is an error and changes nothing."""
    watermark: Watermark[str] = Watermark()
    for offset in sorted(offsets):
        watermark.admit(offset)
        watermark.settle(offset, "first")
    for wrong in (*offsets, other):
        with pytest.raises(KeyError):
            watermark.settle(wrong, "second")
    ready = watermark.publishable()
    assert set(ready.outcomes) == {"first"}
    watermark.published(ready.offset)
    with pytest.raises(KeyError):
        watermark.settle(min(offsets), "third")
