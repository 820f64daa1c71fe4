"""What the layers are given, held against what they read and write: in C++ nobody would notice, at first."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Shape = tuple[int, ...]


def expect(
    name: str, array: NDArray[Any], shape: Shape, dtype: DTypeLike = np.float32, *, longer: bool = False
) -> None:
    """Raise ValueError unless the array has this shape and type, and lies in memory as C has it.

    longer: whether it may have more than that along its first axis.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.dtype(dtype):
        raise ValueError(f"{name} must be an array of {np.dtype(dtype)}, not {getattr(array, 'dtype', type(array))}")
    fits = array.ndim == len(shape) and array.shape[1:] == shape[1:]
    fits = fits and (array.shape[0] >= shape[0] if longer else array.shape[0] == shape[0])
    if not fits or min(shape) < 0:
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    if not array.flags.c_contiguous or not array.flags.aligned:
        raise ValueError(f"{name} must be contiguous and aligned")


def expect_output(
    name: str, array: NDArray[Any], shape: Shape, dtype: DTypeLike = np.float32, *, longer: bool = False
) -> None:
    """The same of what is written to. Raises ValueError."""
    expect(name, array, shape, dtype, longer=longer)
    if not array.flags.writeable:
        raise ValueError(f"{name} is written to, and must not be read-only")


def expect_map(name: str, array: NDArray[Any]) -> Shape:
    """The shape of a map, of three axes. Raises ValueError; `expect` says the rest."""
    if not isinstance(array, np.ndarray) or array.ndim != 3:
        raise ValueError(f"{name} must be an array of three axes")
    return array.shape


def expect_multiple(name: str, number: int, of: int) -> None:
    """Raise ValueError unless the number is a multiple of `of`, and not 0: the layers go in whole steps."""
    if number < of or number % of:
        raise ValueError(f"{name} must be a multiple of {of}, not {number}")


def expect_within(name: str, number: int, least: int, most: int) -> None:
    """Raise ValueError unless the number is a whole one from `least` to `most`."""
    if not isinstance(number, int | np.integer) or not least <= number <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, not {number!r}")


def expect_scratch(array: NDArray[Any], size: int) -> None:
    """Raise ValueError unless there is room for so many values."""
    expect_output("scratch", array, (size,), longer=True)


def expect_tables(half: int, halving: NDArray[Any], turns: NDArray[Any], window: NDArray[Any], step: int) -> None:
    """Raise ValueError unless a transform of frames of 2 * half samples has these tables, as in fourier.py."""
    expect("window", window, (2 * half,))
    expect("halving", halving, (2, half))
    expect("turns", turns, (3 * ((half.bit_length() - 1) // 2), 2, half // 4))
    expect_within("step", step, 0, 1 << 30)


def expect_bins(stft: NDArray[Any], half: int) -> None:
    """Raise ValueError unless it is (frames, bins), of at most half + 1 bins."""
    if not isinstance(stft, np.ndarray) or stft.ndim != 2 or not 0 < stft.shape[1] <= half + 1:
        raise ValueError(f"stft must be an array of two axes, of at most {half + 1} bins")
