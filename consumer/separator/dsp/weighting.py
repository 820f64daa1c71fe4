"""What ITU-R BS.1770 makes of samples before their loudness is reckoned: two filters, and the power behind them."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from consumer.separator.dsp.spectral import Samples

STEPS_PER_S = 10
OFFSET_LU = -0.691  # loudness of a mean square of 1

# Takes the next block of one stereo signal, float32 (samples, 2), contiguous, and gives the weighted power of each
# tenth of a second that gets full with it: the mean squares of both channels, added.
Weighting = Callable[[Samples], NDArray[np.float64]]


def power(lufs: float) -> float:
    """The weighted power that has this loudness."""
    return float(10 ** ((lufs - OFFSET_LU) / 10))


def weighting_filters(rate_hz: int) -> NDArray[np.float64]:
    """Both, one behind the other: (2, 5), of each b0, b1, b2, a1, a2.

    BS.1770 gives them at 48 kHz. These are the analogue ones that they come from, brought to other rates by the
    bilinear transform, as libebur128 has them.
    """
    return np.array([_shelf(rate_hz), _high_pass(rate_hz)])


def _shelf(rate_hz: int) -> tuple[float, ...]:
    """About the head: 4 dB more, above 1.7 kHz."""
    k, q = math.tan(math.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    return (
        (high + band * k / q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / q + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / q + k * k) / a0,
    )


def _high_pass(rate_hz: int) -> tuple[float, ...]:
    """Revised low-frequency B-curve: nothing below 38 Hz."""
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return 1.0, -2.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0
