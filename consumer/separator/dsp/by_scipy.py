"""The transform, its inverse and the filters of loudness by SciPy, for runtimes that have none of their own."""

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from consumer.separator.dsp.spectral import (
    Array,
    OverlapAdd,
    Samples,
    Spectrum,
    Transform,
    hann,
    synthesis_window,
)
from consumer.separator.dsp.weighting import STEPS_PER_S, weighting_filters
from consumer.separator.models.spec import ModelSpec

# Frames that are transformed at a time: so many stay in a core's cache, which takes a third less time than all at once.
_BLOCK_FRAMES = 32


def transform_by_scipy(spec: ModelSpec) -> Transform:
    """A Transform that computes on one core, for frames of any length."""
    window = hann(spec.frame_length)

    def transform(samples: Samples, stft: Spectrum, magnitudes: Array) -> None:
        framed = np.lib.stride_tricks.sliding_window_view(samples, spec.frame_length)[:: spec.frame_step]
        for block in _blocks_of(len(stft)):
            stft[block] = scipy.fft.rfft(framed[block] * window, overwrite_x=True)[:, : stft.shape[1]]
        np.abs(stft[:, : magnitudes.shape[1]], out=magnitudes)

    return transform


def overlap_add_by_scipy(spec: ModelSpec) -> OverlapAdd:
    """An OverlapAdd that computes on one core, for frames of any length that is a multiple of frame_step."""
    window, step = synthesis_window(spec), spec.frame_step

    def overlap_add(stft: Spectrum, mask: Array, samples: Samples) -> None:
        hops = samples.reshape(-1, step)
        for block in _blocks_of(len(stft)):
            add_block(stft[block], mask[block], hops[block.start :])

    def add_block(stft: Spectrum, mask: Array, hops: Samples) -> None:
        frames, bins = stft.shape
        masked = np.zeros((frames, spec.frame_length // 2 + 1), np.complex64)
        np.multiply(stft, mask, out=masked[:, :bins])
        framed = scipy.fft.irfft(masked, spec.frame_length)
        framed *= window
        parts = framed.reshape(frames, -1, step)
        for hop in range(parts.shape[1]):
            hops[hop : hop + frames] += parts[:, hop]

    return overlap_add


class WeightingByScipy:
    """See Weighting."""

    def __init__(self, rate_hz: int) -> None:
        """rate_hz: a multiple of 10."""
        # SciPy wants the first coefficient behind the b too, which is 1 in these.
        self._sections = np.insert(weighting_filters(rate_hz), 3, 1.0, axis=1)
        self._state = np.zeros((len(self._sections), 2, 2))
        self._step, self._sum, self._open = rate_hz // STEPS_PER_S, 0.0, 0

    def __call__(self, block: Samples) -> NDArray[np.float64]:
        weighted, self._state = scipy.signal.sosfilt(self._sections, block.astype(np.float64), axis=0, zi=self._state)
        squares = (weighted**2).sum(axis=1)
        ends = np.arange(self._step - self._open, len(squares) + 1, self._step)
        sums = np.array([part.sum() for part in np.split(squares, ends)])
        sums[0] += self._sum
        self._sum, self._open = float(sums[-1]), (self._open + len(squares)) % self._step
        return sums[:-1] / self._step


def _blocks_of(frames: int) -> list[slice]:
    """Frames that are transformed at a time, of so many."""
    return [slice(start, min(start + _BLOCK_FRAMES, frames)) for start in range(0, frames, _BLOCK_FRAMES)]
