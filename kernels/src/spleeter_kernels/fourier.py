"""From samples to spectra, and from masked spectra back to samples."""

import numpy as np
from numpy.typing import NDArray

from spleeter_kernels.binding import LANES, Array, Layers, Spectrum
from spleeter_kernels.fit import why_unfit_transform


class Transform:
    """The Fourier transform of windowed frames, and its magnitudes. Safe for several threads.

    Raises ValueError unless the window's length is a power of two, and at least 128.
    """

    def __init__(self, layers: Layers, window: Array, step: int) -> None:
        """window: (frame length); step: samples from frame to frame."""
        self._layers, self._step = layers, step
        self._halving, self._turns = _tables(len(window))
        self._window = (window / np.float32(2)).astype(np.float32)

    def __call__(self, samples: Array, stft: Spectrum, magnitudes: Array) -> None:
        """Write the frames' spectra to `stft`, (frames, bins), the lowest of length / 2 + 1, and the magnitudes of the
        lowest of these to `magnitudes`, (frames, at most bins).

        samples: at least ((frames - 1) * step + length), contiguous.
        """
        scratch = np.empty(4 * (len(self._window) // 2 + LANES), np.float32)
        tables = (self._halving, self._turns, self._window)
        self._layers.transform(samples, self._step, *tables, stft, magnitudes, scratch)


class OverlapAdd:
    """The inverse Fourier transform of masked frames, windowed and summed. Safe for several threads.

    Raises ValueError unless the window's length is a power of two, and at least 128.
    """

    def __init__(self, layers: Layers, window: Array, step: int) -> None:
        """window: (frame length); step: samples from frame to frame."""
        self._layers, self._step = layers, step
        self._halving, self._turns = _tables(len(window))
        self._window = (window / np.float32(len(window))).astype(np.float32)

    def __call__(self, stft: Spectrum, mask: Array, samples: Array) -> None:
        """Adds the frames to `samples`, ((frames - 1) * step + length).

        stft, mask: (frames, bins), contiguous; bins: at most length / 2 + 1, the lowest.
        """
        scratch = np.empty(3 * len(self._window) + 2, np.float32)
        self._layers.overlap_add(stft, mask, self._step, self._halving, self._turns, self._window, samples, scratch)


def _tables(length: int) -> tuple[Array, Array]:
    """Factors of the pairs of bins, and of each pass, for a frame of this length."""
    half = length // 2
    if why := why_unfit_transform(length):
        raise ValueError(why)
    halving = _parts(np.exp(2j * np.pi * np.arange(half) / length))
    # Stockham's passes, by four: that of stride s turns the k-th quarter's number i by k * (i // s) / (half / s).
    quarter, strides = np.arange(half // 4), [4**n for n in range((half.bit_length() - 1) // 2)]
    passes = [np.exp(2j * np.pi * k * (quarter // s) * s / half) for s in strides for k in (1, 2, 3)]
    return halving, np.stack([_parts(turns) for turns in passes])


def _parts(numbers: NDArray[np.complex128]) -> Array:
    return np.stack([numbers.real, numbers.imag]).astype(np.float32)
