"""Measures a stem while it passes: peak, clipping, loudness, and an overview of its waveform."""

import numpy as np

from consumer.separator.audio.loudness import Loudness
from consumer.separator.dsp.spectral import Samples
from consumer.separator.dsp.weighting import Weighting

OVERVIEW_POINTS = 800  # about what a page is wide


class Meter:
    """Measures one stem, block by block, in next to constant memory. weighting: of its own."""

    def __init__(self, weighting: Weighting) -> None:
        self.samples = 0
        self.peak = 0.0
        self.clipped_samples = 0
        self._spans: list[float] = []  # largest absolute sample of each span
        self._span_samples = 1024
        self._open_peak, self._open_samples = 0.0, 0  # of the span that is not full yet
        self._loudness = Loudness(weighting)

    def add(self, block: Samples) -> None:
        """block: float32 (samples, 2), contiguous."""
        if not len(block):
            return
        level = np.abs(block)
        highest = float(level.max())
        self.samples += len(block)
        self.peak = max(self.peak, highest)
        if highest > 1.0:
            self.clipped_samples += int(np.count_nonzero(level > 1.0))
        self._loudness.add(block)
        self._add_spans(level)

    def _add_spans(self, level: Samples) -> None:
        starts = np.array([0, *range(self._span_samples - self._open_samples, len(level), self._span_samples)])
        peaks = np.maximum.reduceat(level.reshape(-1), 2 * starts).tolist()
        peaks[0] = max(peaks[0], self._open_peak)
        full, self._open_samples = divmod(self._open_samples + len(level), self._span_samples)
        self._open_peak = max(peaks[full:], default=0.0)
        self._spans += peaks[:full]
        while len(self._spans) >= 2 * OVERVIEW_POINTS:  # halve the resolution instead of growing
            if len(self._spans) % 2:
                self._open_peak = max(self._open_peak, self._spans.pop())
                self._open_samples += self._span_samples
            self._spans = [max(pair) for pair in zip(self._spans[::2], self._spans[1::2], strict=True)]
            self._span_samples *= 2

    @property
    def loudness_lufs(self) -> float | None:
        """Integrated loudness (EBU R 128); None where nothing was loud enough, or long enough (400 ms), to count."""
        loudness = self._loudness.integrated_lufs()
        return None if loudness is None else round(loudness, 2)

    @property
    def overview(self) -> tuple[float, ...]:
        """Largest absolute sample of each of at most 2 x OVERVIEW_POINTS equal spans; the last may be shorter."""
        last = [self._open_peak] if self._open_samples else []
        return tuple(round(value, 4) for value in self._spans + last)
