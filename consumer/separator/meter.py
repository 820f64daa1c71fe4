"""Measures a stem while it passes: peak, clipping, loudness, and an overview of its waveform."""

import math

import numpy as np
from pyebur128 import MeasurementMode, R128State, get_loudness_global

from consumer.separator.spectral import Samples

OVERVIEW_POINTS = 800  # about what a page is wide


class Meter:
    """Measures one stem, block by block, in constant memory."""

    def __init__(self, rate_hz: int) -> None:
        self.samples = 0
        self.peak = 0.0
        self.clipped_samples = 0
        self._spans: list[float] = []  # largest absolute sample of each span
        self._span_samples = 1024
        self._open = np.zeros((0, 2), np.float32)
        # The histogram keeps a long track from being remembered block by block.
        self._loudness = R128State(2, rate_hz, MeasurementMode.MODE_I | MeasurementMode.MODE_HISTOGRAM)

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
        self._loudness.add_frames(block.reshape(-1), len(block))
        self._add_spans(level)

    def _add_spans(self, level: Samples) -> None:
        level = np.concatenate((self._open, level))
        whole = len(level) - len(level) % self._span_samples
        self._spans += level[:whole].reshape(-1, 2 * self._span_samples).max(axis=1).tolist()
        self._open = level[whole:]
        while len(self._spans) >= 2 * OVERVIEW_POINTS:  # halve the resolution instead of growing
            if len(self._spans) % 2:
                tail = np.full((self._span_samples, 2), self._spans.pop(), np.float32)
                self._open = np.concatenate((tail, self._open))
            self._spans = [max(pair) for pair in zip(self._spans[::2], self._spans[1::2], strict=True)]
            self._span_samples *= 2

    @property
    def loudness_lufs(self) -> float | None:
        """Integrated loudness (EBU R 128); None where nothing was loud enough, or long enough (400 ms), to count."""
        loudness = float(get_loudness_global(self._loudness))
        return round(loudness, 2) if math.isfinite(loudness) else None

    @property
    def overview(self) -> tuple[float, ...]:
        """Largest absolute sample of each of at most 2 x OVERVIEW_POINTS equal spans; the last may be shorter."""
        last = [float(self._open.max())] if len(self._open) else []
        return tuple(round(value, 4) for value in self._spans + last)
