"""Winograd's transforms of kernels, as matrices: from a kernel's values to the factors of the products.

The points, and what the layers do with them, are in winograd.h.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_ROOT_HALF = 0.5**0.5
_FINITE_POINTS = (0.0, _ROOT_HALF, -_ROOT_HALF, 2 * _ROOT_HALF, -2 * _ROOT_HALF)
_LEFT_OUT = 4  # by the even inputs' two taps, for which a point less is enough


def _points(taps: int, left_out: int | None = None) -> Matrix:
    """(6, taps): a filter's values at the points, infinity last, by Toom and Cook; at the one left out, none."""
    used = [point for i, point in enumerate(_FINITE_POINTS) if i != left_out]
    values = np.zeros((6, taps))
    for i, point in enumerate(_FINITE_POINTS):
        if i != left_out:
            scale = math.prod(point - other for other in used if other != point)
            values[i] = [point**power / scale for power in range(taps)]
    values[5, -1] = 1
    return values


_POINTS_OF_3, _POINTS_OF_2 = _points(3), _points(2, _LEFT_OUT)

# Which of a kernel's five values the odd and the even inputs of a convolution with a stride of 2 meet, in order.
_ODD_INPUTS, _EVEN_INPUTS = (0, 2, 4), (1, 3)


def _phases(point: int) -> Sequence[Matrix]:
    """What each phase of the inputs, odd and even, takes of a kernel's five values for its product at this point."""
    odd, even = np.zeros(5), np.zeros(5)
    odd[list(_ODD_INPUTS)] = _POINTS_OF_3[point]
    even[list(_EVEN_INPUTS)] = _POINTS_OF_2[point]
    return (odd,) if point == _LEFT_OUT else (odd, even)


# (121, 25): point by point, of each the input's phases: its odd rows' odd and even columns, then its even rows'.
STRIDED_PRODUCTS = np.stack(
    [
        np.outer(vertical, horizontal).ravel()
        for p, q in product(range(6), repeat=2)
        for vertical, horizontal in product(_phases(p), _phases(q))
    ]
)

# (36, 9), of each of the convolutions by 3 that a transposed one is.
TRANSPOSED_PRODUCTS = np.kron(_POINTS_OF_3, _POINTS_OF_3)
