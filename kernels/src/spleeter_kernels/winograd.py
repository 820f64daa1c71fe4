"""Kernels transformed for minimal filtering, as matrices: from a kernel's values to the factors of the products.

The points, and what the layers do with them, are in filtering.h.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Which of a kernel's five values the odd and the even inputs of a convolution with a stride of 2 meet, in order.
_ODD_INPUTS, _EVEN_INPUTS = (0, 2, 4), (1, 3)


class Filtering:
    """The products of so many outputs at a time.

    points: all but infinity; left_out: the one that filters of two values do without.
    """

    def __init__(self, points: Sequence[float], left_out: int) -> None:
        self._of_3 = _values(points, 3)
        self._of_2 = np.insert(_values([*points[:left_out], *points[left_out + 1 :]], 2), left_out, 0, axis=0)
        self._left_out = left_out

    @cached_property
    def strided(self) -> Matrix:
        """(products, 25): point by point, of each the odd rows' odd and even columns, then the even rows'."""
        count = len(self._of_3)
        return np.stack(
            [
                np.outer(vertical, horizontal).ravel()
                for p, q in product(range(count), repeat=2)
                for vertical, horizontal in product(self._phases(p), self._phases(q))
            ]
        )

    @cached_property
    def plain(self) -> Matrix:
        """(products, 9), of a convolution by 3."""
        return np.kron(self._of_3, self._of_3)

    def _phases(self, point: int) -> Sequence[Matrix]:
        """What odd and even inputs take of a kernel's five values for their product at this point."""
        odd, even = np.zeros(5), np.zeros(5)
        odd[list(_ODD_INPUTS)] = self._of_3[point]
        even[list(_EVEN_INPUTS)] = self._of_2[point]
        return (odd,) if point == self._left_out else (odd, even)


def _values(points: Sequence[float], taps: int) -> Matrix:
    """(len(points) + 1, taps): a filter's values at the points and at infinity, scaled after Toom and Cook."""
    rows = []
    for point in points:
        scale = math.prod(point - other for other in points if other != point)
        rows.append([point**power / scale for power in range(taps)])
    return np.array([*rows, [0] * (taps - 1) + [1]], np.float64)


_R = 0.5**0.5
FOUR_AT_A_TIME = Filtering((0, _R, -_R, 2 * _R, -2 * _R), left_out=4)
TWO_AT_A_TIME = Filtering((0, 1, -1), left_out=2)
