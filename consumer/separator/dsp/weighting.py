"""What ITU-R BS.1770 makes of samples before their loudness is reckoned."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from consumer.separator.dsp.spectral import Samples

STEP_MS = 100
OFFSET_LU = -0.691  # loudness of a mean square of 1

# Takes the next block of one stereo signal, float32 (samples, 2), contiguous, and gives the weighted power of each
# tenth of a second that gets full with it: the mean squares of both channels, added.
Weighting = Callable[[Samples], NDArray[np.float64]]


def power(lufs: float) -> float:
    """The weighted power that has this loudness."""
    return float(10 ** ((lufs - OFFSET_LU) / 10))
