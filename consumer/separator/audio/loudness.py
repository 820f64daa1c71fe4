"""Integrated loudness (EBU R 128, ITU-R BS.1770), block by block.

libebur128 weights the samples. Its own gate sums each of them four times, once for each gating block that it lies in,
which takes a third of its time, and for a long track it either remembers every block or rounds it. Here each tenth of
a second is summed once, and what is left to do is done at the end: 80 bytes for each second.
"""

import math
from array import array

import numpy as np
from pyebur128 import MeasurementMode, R128State, get_loudness_window

from consumer.separator.dsp.spectral import Samples

_STEP_MS, _STEPS = 100, 4  # a gating block is as many steps long
_OFFSET_LU = -0.691  # loudness of a mean square of 1
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0


class Loudness:
    """Of one stereo signal. rate_hz: a multiple of 10, so that a step is a whole number of samples."""

    def __init__(self, rate_hz: int) -> None:
        self._state = R128State(2, rate_hz, MeasurementMode.MODE_M)
        self._step = rate_hz * _STEP_MS // 1000
        self._open = 0  # samples of the step that is not full yet
        self._powers = array("d")  # of each full step, weighted

    def add(self, block: Samples) -> None:
        """block: float32 (samples, 2), contiguous."""
        while len(block):
            wanted = self._step - self._open
            part, block = block[:wanted], block[wanted:]
            self._state.add_frames(part.reshape(-1), len(part))
            self._open += len(part)
            if self._open == self._step:
                self._powers.append(_power(get_loudness_window(self._state, _STEP_MS)))
                self._open = 0

    def integrated_lufs(self) -> float | None:
        """None where nothing was loud enough, or long enough (400 ms), to count."""
        if len(self._powers) < _STEPS:
            return None
        blocks = np.lib.stride_tricks.sliding_window_view(np.array(self._powers), _STEPS).mean(-1)
        loud = blocks[blocks >= _power(_ABSOLUTE_GATE_LUFS)]
        if not len(loud):
            return None
        relative_gate = loud.mean() * 10 ** (_RELATIVE_GATE_LU / 10)
        return 10 * math.log10(loud[loud >= relative_gate].mean()) + _OFFSET_LU


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_LU) / 10))
