"""How fast separators are, and how long tracks, told from the latest results."""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev

import msgspec

from consumer.core.catalog import STEM_MODELS

LATEST = 200  # results that count
_FEW = 5  # results, of which spread says little
_SHORTEST_S, _LONGEST_S = 1e-3, 1e6
_UNSURE = 2.0  # times faster or slower, where spread is not known
_SEPARATING = ("separate", "encode_tail")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Sample:
    """What one result tells. way_s: seconds spent before and after the separating."""

    at_ms: int
    audio_s: float
    networks: int
    separate_s: float
    way_s: float

    @property
    def seconds_per_network_second(self) -> float:
        """Of a separator, for each second of audio that goes through one network."""
        return self.separate_s / (self.audio_s * self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A value and the range that it lies in nine times of ten, or twice and half of it where that is not known."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """speed: seconds per network and second of audio. audio_s and audio_sd_s: a track's length, and its deviation.

    tracks: of how many that is told. way_s: what a job takes beside its separating.
    """

    speed: Spread
    audio_s: float
    audio_sd_s: float
    tracks: int
    way_s: Spread


@dataclass(frozen=True, slots=True)
class _Source:
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Told:
    model: str = ""
    source: _Source = _Source()
    timings_s: dict[str, float] = field(default_factory=dict)
    deduplicated: bool = False


_DECODER = msgspec.json.Decoder(_Told)


def sample_of(result: bytes, at_ms: int) -> Sample | None:
    """What a result tells, from its document; None where nothing was separated for it, or its figures can't be."""
    try:
        told = _DECODER.decode(result)
    except msgspec.MsgspecError:
        return None
    separate_s = sum(told.timings_s.get(stage, 0.0) for stage in _SEPARATING)
    way_s = sum(spent for stage, spent in told.timings_s.items() if stage not in _SEPARATING)
    audio_s, model = told.source.duration_s, STEM_MODELS.get(told.model)
    if told.deduplicated or model is None or not _SHORTEST_S <= audio_s < _LONGEST_S:
        return None
    if not 0 < separate_s < _LONGEST_S or not 0 <= way_s < _LONGEST_S:
        return None
    return Sample(at_ms=at_ms, audio_s=audio_s, networks=len(model.stems), separate_s=separate_s, way_s=way_s)


class LatestResults:
    """Not thread-safe. Those of the latest times count, in whatever order they are read."""

    def __init__(self, most: int = LATEST) -> None:
        self._most = most
        self._samples: list[Sample] = []
        self._pace: Pace | None = None

    def note(self, result: bytes, at_ms: int) -> None:
        """A result was read."""
        if len(self._samples) == self._most and at_ms < self._samples[0].at_ms:
            return
        if (sample := sample_of(result, at_ms)) is not None:
            insort(self._samples, sample)
            del self._samples[: -self._most]
            self._pace = None

    def pace(self) -> Pace | None:
        """What they tell together; None where there are none."""
        if self._pace is None and self._samples:
            self._pace = pace_of(self._samples)
        return self._pace


def pace_of(samples: Sequence[Sample]) -> Pace:
    """Of one at least. Long tracks count for more than short ones."""
    speeds = [sample.seconds_per_network_second for sample in samples]
    spent_s = sum(sample.separate_s for sample in samples)
    lengths, ways = [sample.audio_s for sample in samples], [sample.way_s for sample in samples]
    length_s = fmean(lengths)
    return Pace(
        speed=_spread(spent_s / sum(sample.audio_s * sample.networks for sample in samples), speeds),
        audio_s=length_s,
        audio_sd_s=pstdev(lengths) if len(samples) >= _FEW else max(length_s, pstdev(lengths)),
        tracks=len(samples),
        way_s=_spread(fmean(ways), ways),
    )


def guessed(speeds: Sequence[float], lengths_s: Sequence[float]) -> Pace:
    """Where there are no results yet, from jobs that are under way: of one at least, with all that is uncertain."""
    mean, length_s = fmean(speeds), fmean(lengths_s) if lengths_s else math.nan
    unknown = Spread(mean=0.0, low=0.0, high=0.0)
    return Pace(
        speed=_unsure(mean), audio_s=length_s, audio_sd_s=length_s, tracks=max(1, len(lengths_s)), way_s=unknown
    )


def _spread(mean: float, values: Sequence[float]) -> Spread:
    if len(values) < _FEW:
        return _unsure(mean)
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    return Spread(mean=mean, low=min(mean, low), high=max(mean, high))


def _unsure(mean: float) -> Spread:
    return Spread(mean=mean, low=mean / _UNSURE, high=mean * _UNSURE)
