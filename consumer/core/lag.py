"""How far the group is behind: records without an outcome, how long the oldest waits, how much work they are.

What is counted is records, never offsets, because between records there may be transaction markers.
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from consumer.core.model import TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRecord:
    """A record without an outcome. `audio_s` is None where the request does not say; 0 where there will be no work."""

    offset: int
    at_s: float  # since the epoch
    model: str = ""
    audio_s: float | None = None
    size_bytes: int = 0


@dataclass(slots=True)
class Demand:
    """Audio to be separated by one model: what is known of it, and records that don't say."""

    audio_ms: int = 0
    unknown_duration_count: int = 0

    def add(self, record: PendingRecord, sign: int) -> None:
        if record.audio_s is None:
            self.unknown_duration_count += sign
        else:
            self.audio_ms += sign * round(record.audio_s * 1000)  # whole numbers: sums come back to exactly 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """One partition: its unfinished records, since when the oldest waits (None: there is none), and their audio.

    held: offsets behind the last stable one, which nobody can read before a sender's transaction ends; held_since_s:
    since when that offset stands, in seconds since the epoch; held_at: that offset. They are in none of the other
    figures.
    """

    partition: TopicPartition
    messages: int
    oldest_at_s: float | None
    demand: Mapping[str, Demand] = field(default_factory=dict)
    held: int = 0
    held_since_s: float = 0.0
    held_at: int = -1

    def waited_s(self, now_s: float) -> float:
        """Age of the oldest; a producer's clock may be ahead of ours."""
        return 0.0 if self.oldest_at_s is None else max(0.0, now_s - self.oldest_at_s)

    def held_s(self, now_s: float) -> float:
        """For how long a sender's transaction has held readers up; 0 where none does."""
        return max(0.0, now_s - self.held_since_s) if self.held else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAhead:
    """How much of a partition is read and kept; beyond either, records are estimated from offsets."""

    records: int = 2000
    size_bytes: int = 16 << 20


READ_AHEAD = ReadAhead()


class UnfinishedLog:
    """One partition's unfinished records, each read once: all of them from `start` up to `read_to`."""

    def __init__(self, start: int, read_ahead: ReadAhead = READ_AHEAD) -> None:
        self.start = self.read_to = start
        self._most = read_ahead
        self._records: deque[PendingRecord] = deque()
        self._demand: defaultdict[str, Demand] = defaultdict(Demand)
        self._size_bytes = 0

    def add(self, record: PendingRecord) -> None:
        """A record was read; one that was seen before is ignored."""
        if record.offset < self.read_to:
            return
        self._records.append(record)
        self._demand[record.model].add(record, 1)
        self._size_bytes += record.size_bytes
        self.read_to = record.offset + 1

    def reach(self, offset: int) -> None:
        """Everything before `offset` was read: behind the last record there may be transaction markers."""
        self.read_to = max(self.read_to, offset)

    def settle(self, offset: int) -> None:
        """Everything before `offset` has its outcome."""
        while self._records and self._records[0].offset < offset:
            record = self._records.popleft()
            self._demand[record.model].add(record, -1)
            self._size_bytes -= record.size_bytes
        self.start = max(self.start, offset)

    @property
    def is_full(self) -> bool:
        return len(self._records) >= self._most.records or self._size_bytes >= self._most.size_bytes

    @property
    def is_roomy(self) -> bool:
        return len(self._records) < self._most.records // 2 and self._size_bytes < self._most.size_bytes // 2

    def lag(self, partition: TopicPartition, end: int, *, stands_since_s: float | None = None) -> PartitionLag:
        """As of now; `end` is where the partition ends, and only matters where not everything was read.

        stands_since_s: since when what comes next can't be read, in seconds since the epoch; None: it can.
        """
        demand = {
            m: Demand(d.audio_ms, d.unknown_duration_count)
            for m, d in self._demand.items()
            if d.audio_ms or d.unknown_duration_count
        }
        beyond = 0
        if self._records and end > self.read_to:
            first = self._records[0]
            beyond = math.ceil((end - self.read_to) * len(self._records) / (self.read_to - first.offset))
            demand.setdefault(first.model, Demand()).unknown_duration_count += beyond
        elif stands_since_s is not None:
            beyond = max(0, end - self.read_to)
            demand.setdefault("", Demand()).unknown_duration_count += beyond
        oldest_at_s = stands_since_s if beyond else None
        return PartitionLag(
            partition=partition,
            messages=len(self._records) + beyond,
            oldest_at_s=self._records[0].at_s if self._records else oldest_at_s,
            demand=demand,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The whole group's lag at one moment, partitions that nobody owns included."""

    lags: Sequence[PartitionLag]
    taken_at: float  # time.monotonic()

    @property
    def messages(self) -> int:
        return sum(lag.messages for lag in self.lags)

    def demand(self) -> dict[str, Demand]:
        """By model, jobs in flight counted whole."""
        total: defaultdict[str, Demand] = defaultdict(Demand)
        for lag in self.lags:
            for model, part in lag.demand.items():
                total[model].audio_ms += part.audio_ms
                total[model].unknown_duration_count += part.unknown_duration_count
        return dict(total)


class LagReader(Protocol):
    """Reads the group's lag in the background."""

    trouble: str
    """Why there are no figures, in the library's words; "" where nothing is known to be wrong."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def backlog(self) -> Backlog | None:
        """The latest figures; None while they can't be had, or are not read yet."""
        ...
