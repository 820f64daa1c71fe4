"""The power of a stereo signal behind two filters, which is what loudness is reckoned from."""

import numpy as np

from spleeter_kernels.binding import Array, Doubles, Layers
from spleeter_kernels.checks import expect


class Weighting:
    """The mean square of each step of one stereo signal behind two biquads, both channels added. One thread's.

    Raises ValueError unless there are two filters.
    """

    def __init__(self, layers: Layers, filters: Doubles, step: int) -> None:
        """filters: (2, 5), of each b0, b1, b2, a1, a2. step: samples."""
        expect("filters", filters, (2, 5), np.float64)
        self._layers, self._step, self._open = layers, step, 0
        self._coefficients = np.repeat(filters, 2, axis=0).T.copy()
        self._state = np.zeros(9)

    def __call__(self, block: Array) -> Doubles:
        """Of those steps that get full with this block, float32 (samples, 2), contiguous."""
        powers = np.empty((self._open + len(block)) // self._step)
        self._layers.weigh(block, self._coefficients, self._step, self._open, self._state, powers)
        self._open = (self._open + len(block)) % self._step
        return powers / self._step
