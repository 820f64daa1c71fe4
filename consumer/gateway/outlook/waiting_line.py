"""Jobs that have not ended, in their order: how many stand before one, and how much work they are together.

Some 20 bytes a job, in blocks, each with its sums: what stands before a job is told without looking at each.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field

_LARGEST_BLOCK = 1000
_UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is left of one job. audio_ms: None where nobody knows yet how long it is."""

    networks: int
    audio_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkAhead:
    """What several jobs are together. Known audio counts once for each network that it goes through.

    unknown_networks and unknown_squares: of the jobs whose length is not known, the sums of their networks, and of the
    squares of these.
    """

    jobs: int = 0
    network_ms: int = 0
    unknown_networks: int = 0
    unknown_squares: int = 0

    def __add__(self, other: "WorkAhead") -> "WorkAhead":
        return WorkAhead(
            jobs=self.jobs + other.jobs,
            network_ms=self.network_ms + other.network_ms,
            unknown_networks=self.unknown_networks + other.unknown_networks,
            unknown_squares=self.unknown_squares + other.unknown_squares,
        )

    @classmethod
    def of(cls, work: Work) -> "WorkAhead":
        """One job's."""
        if work.audio_ms is None:
            return cls(jobs=1, unknown_networks=work.networks, unknown_squares=work.networks**2)
        return cls(jobs=1, network_ms=work.networks * work.audio_ms)


@dataclass(slots=True)
class _Sums:
    network_ms: int = 0
    unknown_networks: int = 0
    unknown_squares: int = 0

    def count(self, networks: int, audio_ms: int, sign: int) -> None:
        if audio_ms == _UNKNOWN:
            self.unknown_networks += sign * networks
            self.unknown_squares += sign * networks**2
        else:
            self.network_ms += sign * networks * audio_ms

    def ahead(self, jobs: int) -> WorkAhead:
        return WorkAhead(
            jobs=jobs,
            network_ms=self.network_ms,
            unknown_networks=self.unknown_networks,
            unknown_squares=self.unknown_squares,
        )


@dataclass(slots=True)
class _Block:
    places: "array[int]" = field(default_factory=lambda: array("q"))
    networks: "array[int]" = field(default_factory=lambda: array("B"))
    audio_ms: "array[int]" = field(default_factory=lambda: array("q"))
    sums: _Sums = field(default_factory=_Sums)

    def insert(self, at: int, place: int, networks: int, audio_ms: int) -> None:
        self.places.insert(at, place)
        self.networks.insert(at, networks)
        self.audio_ms.insert(at, audio_ms)
        self.sums.count(networks, audio_ms, 1)

    def pop(self, at: int) -> Work:
        self.places.pop(at)
        networks, audio_ms = self.networks.pop(at), self.audio_ms.pop(at)
        self.sums.count(networks, audio_ms, -1)
        return _work(networks, audio_ms)

    def split(self) -> "_Block":
        """Keep the first half; returns the other."""
        middle, other = len(self.places) // 2, _Block()
        other.places, self.places = self.places[middle:], self.places[:middle]
        other.networks, self.networks = self.networks[middle:], self.networks[:middle]
        other.audio_ms, self.audio_ms = self.audio_ms[middle:], self.audio_ms[:middle]
        for networks, audio_ms in zip(other.networks, other.audio_ms, strict=True):
            other.sums.count(networks, audio_ms, 1)
            self.sums.count(networks, audio_ms, -1)
        return other


class WaitingLine:
    """Not thread-safe. A place is a whole number below 2**63; whose is lower comes first. most: jobs in one block."""

    def __init__(self, most: int = _LARGEST_BLOCK) -> None:
        self._most = most
        self._blocks: list[_Block] = []
        self._lasts: list[int] = []  # of each block

    def __len__(self) -> int:
        return sum(len(block.places) for block in self._blocks)

    def first(self) -> int | None:
        """The lowest place; None where nobody waits."""
        return self._blocks[0].places[0] if self._blocks else None

    def add(self, place: int, work: Work) -> None:
        """A job has come; at a place that is taken it stands behind or before the other."""
        if not self._blocks:
            self._blocks.append(_Block())
            self._lasts.append(place)
        number = min(bisect_left(self._lasts, place), len(self._blocks) - 1)
        block = self._blocks[number]
        block.insert(bisect_left(block.places, place), place, work.networks, _kept(work))
        if len(block.places) > self._most:
            self._blocks.insert(number + 1, block.split())
            self._lasts.insert(number + 1, self._blocks[number + 1].places[-1])
        self._lasts[number] = block.places[-1]

    def remove(self, place: int) -> Work | None:
        """A job has gone; returns what was left of it, None where there is none."""
        if (found := self._find(place)) is None:
            return None
        number, at = found
        block = self._blocks[number]
        work = block.pop(at)
        if block.places:
            self._lasts[number] = block.places[-1]
        else:
            del self._blocks[number], self._lasts[number]
        return work

    def get(self, place: int) -> Work | None:
        """What is left of the job there."""
        if (found := self._find(place)) is None:
            return None
        block = self._blocks[found[0]]
        return _work(block.networks[found[1]], block.audio_ms[found[1]])

    def before(self, place: int) -> WorkAhead:
        """What stands before that place."""
        number = bisect_left(self._lasts, place)
        whole = self._blocks[:number]
        ahead = WorkAhead(
            jobs=sum(len(block.places) for block in whole),
            network_ms=sum(block.sums.network_ms for block in whole),
            unknown_networks=sum(block.sums.unknown_networks for block in whole),
            unknown_squares=sum(block.sums.unknown_squares for block in whole),
        )
        if number == len(self._blocks):
            return ahead
        block, part = self._blocks[number], _Sums()
        end = bisect_left(block.places, place)
        for networks, audio_ms in zip(block.networks[:end], block.audio_ms[:end], strict=True):
            part.count(networks, audio_ms, 1)
        return ahead + part.ahead(end)

    def _find(self, place: int) -> tuple[int, int] | None:
        number = bisect_left(self._lasts, place)
        if number == len(self._blocks):
            return None
        at = bisect_left(self._blocks[number].places, place)
        return (number, at) if self._blocks[number].places[at] == place else None


def _kept(work: Work) -> int:
    return _UNKNOWN if work.audio_ms is None else work.audio_ms


def _work(networks: int, audio_ms: int) -> Work:
    return Work(networks=networks, audio_ms=None if audio_ms == _UNKNOWN else audio_ms)
