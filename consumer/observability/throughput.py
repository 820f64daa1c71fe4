"""How fast a replica separates, measured as it works, and how much work a request is expected to be."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from consumer.core.catalog import STEM_MODELS
from consumer.core.lag import Demand

# Until something was measured: a song, and a small machine.
TYPICAL_AUDIO_S, ASSUMED_FACTOR = 210.0, 10.0
_ASSUMED_NETS = 2
_KEPT = 0.8  # of what was known, at each new track: the last ten or so count


@dataclass(slots=True)
class _Measured:
    audio_s: float = 0.0
    work_s: float = 0.0
    tracks: float = 0.0

    def add(self, audio_s: float, work_s: float) -> None:
        self.audio_s = self.audio_s * _KEPT + audio_s
        self.work_s = self.work_s * _KEPT + work_s
        self.tracks = self.tracks * _KEPT + 1.0


class Throughput:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_model: dict[str, _Measured] = {}
        self._typical = _Measured()

    def record(self, model: str, *, audio_s: float, work_s: float) -> None:
        """A track of audio_s took work_s."""
        with self._lock:
            self._by_model.setdefault(model, _Measured()).add(audio_s, max(work_s, 1e-3))
            self._typical.add(audio_s, 0.0)

    def realtime_factors(self) -> Mapping[str, float]:
        """Seconds of audio a second of work, for each model that was used."""
        with self._lock:
            return {model: measured.audio_s / measured.work_s for model, measured in self._by_model.items()}

    def work_s(self, demand: Mapping[str, Demand]) -> float:
        """Seconds that one separator is expected to need."""
        factors = self.realtime_factors()
        with self._lock:
            typical = self._typical
            typical_s = typical.audio_s / typical.tracks if typical.tracks else TYPICAL_AUDIO_S
        return sum(
            (part.audio_ms / 1000 + part.unknown_duration_count * typical_s) / _factor(model, factors)
            for model, part in demand.items()
        )


def _factor(model: str, measured: Mapping[str, float]) -> float:
    """Measured; else from another model, since work grows with the number of networks; else assumed."""
    if factor := measured.get(model):
        return factor
    products = [factor * _nets(other) for other, factor in measured.items()]
    return (max(products) if products else ASSUMED_FACTOR * _ASSUMED_NETS) / _nets(model)


def _nets(model: str) -> int:
    """Networks of a model, of whatever name someone sent."""
    known = STEM_MODELS.get(model)
    return len(known.stems) if known else _ASSUMED_NETS
