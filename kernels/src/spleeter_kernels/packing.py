"""Kernels as the layers read them: panel by panel of their outputs, and transformed for Winograd's filtering.

Taken are those of TensorFlow, with its SAME padding.
"""

from itertools import product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spleeter_kernels.winograd import Filtering, Matrix

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
    """So many channels as they lie in memory: the next multiple of CHANNELS."""
    return -(-count // CHANNELS) * CHANNELS


def affine(layer: Layer) -> Array:
    """(3, channels): bias, scale and shift."""
    assert layer.scale is not None
    assert layer.shift is not None
    return np.stack([_padded(values, 0) for values in (layer.bias, layer.scale, layer.shift)])


def strided(kernel: Array, filtering: Filtering) -> Array:
    """(5, 5, in, out) -> (panels, products, in, PANEL), for a convolution with a stride of 2."""
    taps = _padded(_padded(kernel, 2), 3)
    return _transformed(filtering.strided, taps.reshape(25, *taps.shape[2:]))


def transposed(kernel: Array, filtering: Filtering, *, maps: int) -> Array:
    """(5, 5, out, in of all maps) -> (panels, products, in of all, PANEL), for a transposed one.

    The panels are of the four phases of its outputs.
    """
    phases = [_taps_by_3(kernel, down, across, maps) for down, across in product((0, 1), repeat=2)]
    return _transformed(filtering.plain, np.concatenate(phases, axis=2))


def outermost_strided(kernel: Array) -> Array:
    """(5, 5, in, out) -> (in, 5, 5, out)."""
    return np.ascontiguousarray(_padded(kernel, 3).transpose(2, 0, 1, 3))


def outermost_transposed(kernel: Array) -> Array:
    """(5, 5, 1, in of two maps) -> (in of both, 25), the taps phase by phase of the output."""
    taps = np.stack(
        [
            kernel[a, b, 0]
            for down, across in product((_OF_EVEN_OUTPUTS, _OF_ODD_OUTPUTS), repeat=2)
            for a, b in product(down, across)
        ],
        axis=1,
    )
    return np.ascontiguousarray(_padded_maps(taps, 0, 2))


def _taps_by_3(kernel: Array, down: int, across: int, maps: int) -> Array:
    """(5, 5, out, in) -> (9, in, out): the convolution by 3 that makes one phase of the outputs."""
    taps = np.zeros((3, 3, *kernel.shape[:1:-1]), np.float32)
    rows, columns = ((_OF_EVEN_OUTPUTS, _OF_ODD_OUTPUTS)[phase] for phase in (down, across))
    for (a, row), (b, column) in product(enumerate(rows), enumerate(columns)):
        taps[a, b] = kernel[row, column].T
    return _padded(_padded_maps(taps.reshape(9, *taps.shape[2:]), 1, maps), 2)


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


def _padded_maps(array: Array, axis: int, maps: int) -> Array:
    """Of several maps, one behind the other, each is padded for itself."""
    return np.concatenate([_padded(part, axis) for part in np.split(array, maps, axis)], axis)


def _padded(array: Array, axis: int) -> Array:
    """With zeros, to a multiple of CHANNELS."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, padded_channels(array.shape[axis]) - array.shape[axis])
    return np.pad(array, widths) if widths[axis][1] else array
