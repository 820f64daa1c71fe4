"""Samples weighted by libebur128, for runtimes that have no filters of their own."""

import numpy as np
from numpy.typing import NDArray
from pyebur128 import MeasurementMode, R128State, get_loudness_window

from consumer.separator.dsp.spectral import Samples
from consumer.separator.dsp.weighting import STEP_MS, power


class WeightingByEbur128:
    """See Weighting. Its own gate would sum each sample four times, once for each block that it lies in."""

    def __init__(self, rate_hz: int) -> None:
        self._state = R128State(2, rate_hz, MeasurementMode.MODE_M)
        self._step = rate_hz * STEP_MS // 1000
        self._open = 0  # samples of the step that is not full yet

    def __call__(self, block: Samples) -> NDArray[np.float64]:
        powers = []
        while len(block):
            wanted = self._step - self._open
            part, block = block[:wanted], block[wanted:]
            self._state.add_frames(part.reshape(-1), len(part))
            self._open += len(part)
            if self._open == self._step:
                powers.append(power(get_loudness_window(self._state, STEP_MS)))
                self._open = 0
        return np.array(powers)
