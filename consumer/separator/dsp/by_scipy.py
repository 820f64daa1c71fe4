"""The transform and its inverse by SciPy, for frames of any length, for runtimes that have none of their own."""

import numpy as np
import scipy.fft

from consumer.separator.dsp.spectral import (
    Array,
    OverlapAdd,
    Samples,
    Spectrum,
    Transform,
    blocks_of,
    hann,
    synthesis_window,
)
from consumer.separator.models.spec import ModelSpec


def transform_by_scipy(spec: ModelSpec) -> Transform:
    """A Transform that computes on one core, for frames of any length."""
    window = hann(spec.frame_length)

    def transform(samples: Samples, stft: Spectrum, magnitudes: Array) -> None:
        framed = np.lib.stride_tricks.sliding_window_view(samples, spec.frame_length)[:: spec.frame_step]
        for block in blocks_of(len(stft)):
            stft[block] = scipy.fft.rfft(framed[block] * window, overwrite_x=True)[:, : stft.shape[1]]
        np.abs(stft[:, : magnitudes.shape[1]], out=magnitudes)

    return transform


def overlap_add_by_scipy(spec: ModelSpec) -> OverlapAdd:
    """An OverlapAdd that computes on one core, for frames of any length that is a multiple of frame_step."""
    window, step = synthesis_window(spec), spec.frame_step

    def overlap_add(stft: Spectrum, mask: Array, samples: Samples) -> None:
        frames, bins = stft.shape
        masked = np.zeros((frames, spec.frame_length // 2 + 1), np.complex64)
        np.multiply(stft, mask, out=masked[:, :bins])
        framed = scipy.fft.irfft(masked, spec.frame_length)
        framed *= window
        hops, parts = samples.reshape(-1, step), framed.reshape(frames, -1, step)
        for hop in range(parts.shape[1]):
            hops[hop : hop + frames] += parts[:, hop]

    return overlap_add
