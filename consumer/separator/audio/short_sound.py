"""Brings a few samples to another rate: ffmpeg's resampler gives none at all of fewer than some twenty."""

import numpy as np

from consumer.separator.dsp.spectral import Samples


def resampled(samples: Samples, *, from_hz: int, to_hz: int) -> Samples:
    """The same sound, float32 (samples, 2), at to_hz: band-limited, and at least one sample of it.

    The time and memory that it takes grow with the square of the number of samples.
    """
    ratio = to_hz / from_hz
    count = max(1, round(len(samples) * ratio))
    band = min(1.0, ratio)
    distances = np.arange(count)[:, None] / ratio - np.arange(len(samples))
    return np.asarray(band * np.sinc(band * distances) @ samples, np.float32)
