"""Integrated loudness (EBU R 128, ITU-R BS.1770), block by block.

Each tenth of a second is weighted and summed once as it comes, and what is left to do is done at the end: 80 bytes for
each second. libebur128's own gate remembers as much or rounds it, and sums each sample four times.
"""

import math
from array import array

import numpy as np

from consumer.separator.dsp.spectral import Samples
from consumer.separator.dsp.weighting import OFFSET_LU, Weighting, power

_STEPS = 4  # a gating block is as many tenths of a second long
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0


class Loudness:
    """Of one stereo signal. weighting: of its own."""

    def __init__(self, weighting: Weighting) -> None:
        self._weighting = weighting
        self._powers = array("d")  # of each full tenth

    def add(self, block: Samples) -> None:
        """block: float32 (samples, 2), contiguous."""
        self._powers.extend(self._weighting(block))

    def integrated_lufs(self) -> float | None:
        """None where nothing was loud enough, or long enough (400 ms), to count."""
        if len(self._powers) < _STEPS:
            return None
        blocks = np.lib.stride_tricks.sliding_window_view(np.array(self._powers), _STEPS).mean(-1)
        loud = blocks[blocks >= power(_ABSOLUTE_GATE_LUFS)]
        if not len(loud):
            return None
        relative_gate = loud.mean() * 10 ** (_RELATIVE_GATE_LU / 10)
        return 10 * math.log10(loud[loud >= relative_gate].mean()) + OFFSET_LU
