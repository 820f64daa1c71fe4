"""How far the group was behind, and how many replicas it had, over the last hour. Pure but for its lock."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

EVERY_S = 30
SPAN_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment. at_s: since 1970. What could not be read is None.

    messages: records without an outcome, of all partitions; seconds: age of the oldest of them.
    """

    at_s: float
    messages: int | None = None
    seconds: float | None = None
    replicas: int | None = None


class SampleRing:
    """Thread-safe. Keeps one sample for each `EVERY_S` seconds of the last `SPAN_S`, and no others.

    What is noted later in the same span of time takes the place of what was noted before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: OrderedDict[int, Sample] = OrderedDict()

    def note_lag(self, at_s: float, *, messages: int, seconds: float) -> None:
        """The lag was read."""
        with self._lock:
            self._put(replace(self._now(at_s), messages=messages, seconds=seconds))

    def note_replicas(self, at_s: float, count: int) -> None:
        """The group's members were read."""
        with self._lock:
            self._put(replace(self._now(at_s), replicas=count))

    def note_nothing(self, at_s: float) -> None:
        """Something could not be read: the gap is told, unless the figures of this span of time are there already."""
        with self._lock:
            self._put(self._now(at_s))

    def samples(self, now_s: float) -> list[Sample]:
        """Those of the last hour, the oldest first."""
        with self._lock:
            self._forget(now_s)
            return list(self._slots.values())

    def _now(self, at_s: float) -> Sample:
        return replace(self._slots.get(_slot(at_s), Sample(at_s=at_s)), at_s=at_s)

    def _put(self, sample: Sample) -> None:
        slot = _slot(sample.at_s)
        if self._slots and slot < next(reversed(self._slots)):
            self._slots.clear()  # the clock was set back: what was noted lies in no order with what comes
        self._slots[slot] = sample
        self._forget(sample.at_s)

    def _forget(self, now_s: float) -> None:
        while self._slots and next(iter(self._slots)) <= _slot(now_s) - SPAN_S // EVERY_S:
            self._slots.popitem(last=False)


def _slot(at_s: float) -> int:
    return int(at_s // EVERY_S)
