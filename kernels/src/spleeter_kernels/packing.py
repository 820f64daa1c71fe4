"""Kernels as the layers read them: panel by panel of their outputs, and transformed for Winograd's filtering.

Taken are those of TensorFlow, with its SAME padding.
"""

from collections.abc import Sequence
from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spleeter_kernels.winograd import STRIDED_PRODUCTS, TRANSPOSED_PRODUCTS, Matrix

Array = NDArray[np.float32]

PANEL = 32  # outputs that lie side by side
CHANNELS = 16  # channels are a multiple of this, the added ones being zero

# Which of a kernel's five values make the even and the odd outputs of a transposed convolution with a stride of 2.
_OF_EVEN_OUTPUTS, _OF_ODD_OUTPUTS = (3, 1), (4, 2, 0)


class Layer(Protocol):
    """`kernel` (5, 5, in, out), or (5, 5, out, in) of a transposed convolution; `bias`, `scale`, `shift` (out,)."""

    @property
    def kernel(self) -> Array: ...
    @property
    def bias(self) -> Array: ...
    @property
    def scale(self) -> Array | None: ...
    @property
    def shift(self) -> Array | None: ...


def padded_channels(count: int) -> int:
    return -(-count // CHANNELS) * CHANNELS


def affine(layer: Layer) -> Array:
    """(3, channels): bias, scale and shift."""
    assert layer.scale is not None
    assert layer.shift is not None
    return np.stack([_padded(values, 0) for values in (layer.bias, layer.scale, layer.shift)])


def strided(kernel: Array) -> Array:
    """(5, 5, in, out) -> (panels, products, in, PANEL), for a convolution with a stride of 2."""
    taps = _padded(_padded(kernel, 2), 3)
    return _transformed(STRIDED_PRODUCTS, taps.reshape(25, *taps.shape[2:]))


def transposed(kernel: Array) -> Array:
    """(5, 5, out, 2 * in) -> (panels, 36, 2 * in, PANEL), for a transposed one of two maps, one behind the other.

    To the outputs, phase by phase.
    """
    phases = [_taps_by_3(kernel, down, across) for down, across in product((0, 1), repeat=2)]
    return _transformed(TRANSPOSED_PRODUCTS, np.concatenate(phases, axis=2))


def strided_plain(kernel: Array) -> Array:
    """(5, 5, in, out) -> (panels, 25, in, PANEL)."""
    taps = _padded(_padded(kernel, 2), 3)
    return _panels(taps.reshape(25, *taps.shape[2:]))


def transposed_plain(kernel: Array) -> Array:
    """(5, 5, out, in) -> (panels, 25, in, PANEL), the taps phase by phase of the output."""
    return _panels(_padded(_padded(_taps_by_phases(kernel), 1), 2))


def outermost_strided(kernel: Array) -> Array:
    """(5, 5, in, out) -> (in, 5, 5, out)."""
    return np.ascontiguousarray(_padded(kernel, 3).transpose(2, 0, 1, 3))


def outermost_transposed(kernel: Array) -> Array:
    """(5, 5, 1, 2 * in) -> (2 * in, 25), the taps phase by phase of the output."""
    taps = np.concatenate([_padded(half, 1) for half in _halves(_taps_by_phases(kernel), 1)], axis=1)
    return np.ascontiguousarray(taps[..., 0].T)


def _taps_by_phases(kernel: Array) -> Array:
    """(5, 5, out, in) -> (25, in, out), the taps phase by phase of the output."""
    taps = [
        kernel[a, b].T
        for down, across in product((_OF_EVEN_OUTPUTS, _OF_ODD_OUTPUTS), repeat=2)
        for a, b in product(down, across)
    ]
    return np.stack(taps)


def _taps_by_3(kernel: Array, down: int, across: int) -> Array:
    """(5, 5, out, 2 * in) -> (9, 2 * in, out): the convolution by 3 that makes one phase of the outputs."""
    taps = np.zeros((3, 3, *kernel.shape[:1:-1]), np.float32)
    rows, columns = ((_OF_EVEN_OUTPUTS, _OF_ODD_OUTPUTS)[phase] for phase in (down, across))
    for (a, row), (b, column) in product(enumerate(rows), enumerate(columns)):
        taps[a, b] = kernel[row, column].T
    taps = taps.reshape(9, *taps.shape[2:])
    return np.concatenate([_padded(_padded(half, 1), 2) for half in _halves(taps, 1)], axis=1)


def _transformed(points: Matrix, taps: Array) -> Array:
    """points: (products, taps); taps: (taps, in, out). Returns (panels, products, in, PANEL)."""
    panels = _panels(taps)
    products = points.astype(np.float32) @ panels.reshape(*panels.shape[:2], -1)
    return products.reshape(*products.shape[:2], *panels.shape[2:])


def _panels(taps: Array) -> Array:
    """(taps, in, out) -> (panels, taps, in, PANEL)."""
    missing = -taps.shape[2] % PANEL
    whole = np.pad(taps, ((0, 0), (0, 0), (0, missing))) if missing else taps
    return np.ascontiguousarray(whole.reshape(*taps.shape[:2], -1, PANEL).transpose(2, 0, 1, 3))


def _halves(array: Array, axis: int) -> Sequence[Array]:
    """Of two maps, one behind the other: each is padded for itself."""
    return np.split(array, 2, axis)


def _padded(array: Array, axis: int) -> Array:
    """With zeros, to a multiple of CHANNELS."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, padded_channels(array.shape[axis]) - array.shape[axis])
    return np.pad(array, widths) if widths[axis][1] else array
