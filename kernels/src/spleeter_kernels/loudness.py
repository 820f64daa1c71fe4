"""What ITU-R BS.1770 makes of samples before their loudness is reckoned."""

import math

import numpy as np

from spleeter_kernels.binding import Array, Doubles, Layers


class Weighting:
    """The mean square of each tenth of a second of one stereo signal, weighted, both channels added. One thread's."""

    def __init__(self, layers: Layers, rate_hz: int) -> None:
        """rate_hz: a multiple of 10."""
        self._layers, self._step, self._open = layers, rate_hz // 10, 0
        self._coefficients = np.repeat([_shelf(rate_hz), _high_pass(rate_hz)], 2, axis=0).T.copy()
        self._state = np.zeros(9)

    def __call__(self, block: Array) -> Doubles:
        """Of those tenths that get full with this block, float32 (samples, 2), contiguous."""
        powers = np.empty((self._open + len(block)) // self._step)
        self._layers.weigh(block, self._coefficients, self._step, self._open, self._state, powers)
        self._open = (self._open + len(block)) % self._step
        return powers / self._step


# BS.1770 gives both filters at 48 kHz. These are the analogue ones that they come from, brought to other rates by the
# bilinear transform, as in libebur128: b0, b1, b2, a1, a2.


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
