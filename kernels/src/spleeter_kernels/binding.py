"""The compiled layers, by ctypes, which lets other threads run meanwhile. In C++, what each does is said above it."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spleeter_kernels import library
from spleeter_kernels.checks import (
    expect,
    expect_bins,
    expect_map,
    expect_multiple,
    expect_output,
    expect_scratch,
    expect_tables,
    expect_within,
)
from spleeter_kernels.fit import LONGEST, SHORTEST
from spleeter_kernels.packing import CHANNELS, PANEL
from spleeter_kernels.winograd import FOUR_AT_A_TIME, TWO_AT_A_TIME, Filtering

Array = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
Doubles = NDArray[np.float64]

TILES, APART = 32, 16  # as in unet.cpp and winograd.h
LANES = 16  # of the widest vectors: what all sets can do is a multiple of them
BORDER = 3  # of a map (h + BORDER, w + BORDER, channels): 1 before and 2 behind, zeros

_ARGUMENTS: dict[str, Any] = {
    "f": np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS"),
    "c": np.ctypeslib.ndpointer(np.complex64, flags="C_CONTIGUOUS"),
    "d": np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS"),
    "n": ctypes.c_size_t,
    "i": ctypes.c_int,
    "e": ctypes.c_float,
    "p": ctypes.POINTER(ctypes.c_void_p),
}
_FUNCTIONS = {
    "outermost_down": "fffnnniff",
    "down": "fnffnnnifff",
    "innermost_down": "fnffnnnff",
    "innermost_up": "fnffnnniff",
    "up": "ffnffnnniff",
    "outermost_up": "ffnffnniff",
    "dilated": "fffnnf",
    "ratio_masks": "pnfniief",
    "overlap_add": "cfnnnnfffff",
    "transform": "fnnnnnfffcff",
    "weigh": "fndnndd",
}


class Layers:
    """The layers, and what becomes of the masks, in one instruction set, by default the best that the processor has.

    Affines are (3, channels): bias, scale, shift. Activations: 0 ReLU, 1 LeakyReLU, 2 ELU. All raise ValueError where
    what they are given does not fit together: C++ would read and write beyond it.
    """

    def __init__(self, instruction_set: str | None = None) -> None:
        """Raises KernelsUnusable where the compiled layers can't be loaded."""
        self.instruction_set = instruction_set or library.available()[-1]
        loaded = library.load()
        self._call: dict[str, Callable[..., None]] = {}
        for name, arguments in _FUNCTIONS.items():
            function = library.find(loaded, f"{name}_{self.instruction_set}")
            function.argtypes, function.restype = [_ARGUMENTS[kind] for kind in arguments], None
            self._call[name] = function

    def outermost_down(
        self, x: Array, kernel: Array, affine: Array, activation: int, raw: Array, active: Array
    ) -> None:
        """x: (2, 2h + BORDER, 2w + BORDER); raw, active: maps (h, w, out)."""
        height, width, out = _size(raw)
        expect_multiple("the output's width", width, 8)
        _expect_layer(height, out, affine, activation)
        expect("x", x, (2, 2 * height + BORDER, 2 * width + BORDER))
        expect("kernel", kernel, (2, 5, 5, out))
        _expect_outputs(raw, active)
        self._call["outermost_down"](x, kernel, affine, out, height, width, activation, raw, active)

    def down(
        self, x: Array, kernel: Array, affine: Array, activation: int, raw: Array, active: Array, scratch: Array
    ) -> None:
        """x: map (2h, 2w, in); raw, active: maps (h, w, out)."""
        height, width, out = _size(raw)
        _expect_strided(FOUR_AT_A_TIME, x, kernel, affine, raw, scratch)
        expect_within("activation", activation, 0, 2)
        _expect_outputs(raw, active)
        self._call["down"](x, x.shape[2], kernel, affine, out, height, width, activation, raw, active, scratch)

    def innermost_down(self, x: Array, kernel: Array, affine: Array, raw: Array, scratch: Array) -> None:
        """x: map (2h, 2w, in); raw: map (h, w, out), by the bias alone."""
        height, width, out = _size(raw)
        _expect_strided(TWO_AT_A_TIME, x, kernel, affine, raw, scratch)
        _expect_outputs(raw)
        self._call["innermost_down"](x, x.shape[2], kernel, affine, out, height, width, raw, scratch)

    def innermost_up(self, x: Array, kernel: Array, affine: Array, activation: int, y: Array, scratch: Array) -> None:
        """x: map (h, w, in); y: map (2h, 2w, out)."""
        height, width, channels = _size(x)
        _expect_transposed(TWO_AT_A_TIME, [x], kernel, affine, y, scratch)
        expect_within("activation", activation, 0, 2)
        self._call["innermost_up"](x, channels, kernel, affine, y.shape[2], height, width, activation, y, scratch)

    def up(
        self, skip: Array, x: Array, kernel: Array, affine: Array, activation: int, y: Array, scratch: Array
    ) -> None:
        """skip, x: maps (h, w, in); y: map (2h, 2w, out)."""
        height, width, channels = _size(x)
        _expect_transposed(FOUR_AT_A_TIME, [x, skip], kernel, affine, y, scratch)
        expect_within("activation", activation, 0, 2)
        self._call["up"](skip, x, channels, kernel, affine, y.shape[2], height, width, activation, y, scratch)

    def outermost_up(
        self, skip: Array, x: Array, kernel: Array, affine: Array, activation: int, y: Array, scratch: Array
    ) -> None:
        """skip, x: maps (h, w, in); y: (2h + 6, 2w + 6), within a border of 3."""
        height, width, channels = _size(x)
        expect_multiple("channels", channels, CHANNELS)
        expect_multiple("the input's width", width, 2 * LANES)
        expect_within("the height", height, 1, 1 << 20)
        expect("affine", affine, (3, 1))
        expect_within("activation", activation, 0, 2)
        for name, each in (("x", x), ("skip", skip)):
            expect(name, each, x.shape)
        expect("kernel", kernel, (2 * channels, 25))
        expect_output("y", y, (2 * height + 6, 2 * width + 6), longer=True)
        expect_scratch(scratch, 3 * 2 * channels * (width + BORDER + LANES))
        self._call["outermost_up"](skip, x, channels, kernel, affine, height, width, activation, y, scratch)

    def dilated(self, x: Array, kernel: Array, bias: Array) -> Array:
        """x: (h + 6, w + 6), within a border of 3; kernel: (4, 4, 1, 2). Returns (2, h, w)."""
        if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[0] <= 6:
            raise ValueError("x must be an array of two axes, within a border of 3")
        expect("x", x, x.shape)
        expect_multiple("the width", x.shape[1] - 6, LANES)
        expect("kernel", kernel, (4, 4, 1, 2))
        expect("bias", bias, (2,))
        y = np.empty((2, x.shape[0] - 6, x.shape[1] - 6), np.float32)
        self._call["dilated"](x, kernel, bias, *y.shape[1:], y)
        return y

    def ratio_masks(
        self, logits: Sequence[Array], mix: Array, *, has_softmax: bool, exponent: int, epsilon: float
    ) -> Array:
        """Spleeter's ratio masks, (stems, *mix.shape), from the logits of each stem, which are of mix's shape."""
        expect_within("the number of stems", len(logits), 1, 64)
        expect_within("exponent", exponent, 1, 64)
        for name, each in (("mix", mix), *(("logits", stem) for stem in logits)):
            expect(name, each, np.shape(mix))
        expect_multiple("the number of values", mix.size, LANES)
        masks = np.empty((len(logits), *mix.shape), np.float32)
        pointers = (ctypes.c_void_p * len(logits))(*(stem.ctypes.data for stem in logits))
        self._call["ratio_masks"](pointers, len(logits), mix, mix.size, has_softmax, exponent, epsilon, masks)
        return masks

    def overlap_add(
        self,
        stft: Spectrum,
        mask: Array,
        step: int,
        halving: Array,
        turns: Array,
        window: Array,
        samples: Array,
        scratch: Array,
    ) -> None:
        """stft, mask: (frames, bins); samples: ((frames - 1) * step + len(window)); the others as in fourier.py."""
        half = _half_of(window)
        expect_bins(stft, half)
        expect("stft", stft, stft.shape, np.complex64)
        expect("mask", mask, stft.shape)
        expect_tables(half, halving, turns, window, step)
        expect_scratch(scratch, 6 * half + 2)
        if not stft.shape[0]:
            return
        expect_output("samples", samples, ((stft.shape[0] - 1) * step + 2 * half,), longer=True)
        self._call["overlap_add"](stft, mask, *stft.shape, half, step, halving, turns, window, samples, scratch)

    def transform(
        self,
        samples: Array,
        step: int,
        halving: Array,
        turns: Array,
        window: Array,
        stft: Spectrum,
        magnitudes: Array,
        scratch: Array,
    ) -> None:
        """samples: at least ((frames - 1) * step + len(window)); stft: (frames, bins); magnitudes: (frames, measured),
        of at most as many bins; the others as in fourier.py.
        """
        half = _half_of(window)
        expect_bins(stft, half)
        frames, bins = stft.shape
        expect_output("stft", stft, stft.shape, np.complex64)
        measured = magnitudes.shape[-1] if isinstance(magnitudes, np.ndarray) and magnitudes.ndim else 0
        expect_within("the number of magnitudes", measured, 0, bins)
        expect_output("magnitudes", magnitudes, (frames, measured))
        expect_tables(half, halving, turns, window, step)
        expect_scratch(scratch, 4 * (half + LANES))
        if not frames:
            return
        expect("samples", samples, ((frames - 1) * step + 2 * half,), longer=True)
        arguments = (samples, frames, bins, measured, half, step, halving, turns, window, stft, magnitudes, scratch)
        self._call["transform"](*arguments)

    def weigh(
        self, samples: Array, coefficients: Doubles, step: int, opened: int, state: Doubles, powers: Doubles
    ) -> int:
        """samples: (n, 2); the others as in loudness.py. Returns how many of `powers` it has written."""
        if not isinstance(samples, np.ndarray) or samples.ndim != 2:
            raise ValueError("samples must be an array of two axes")
        expect("samples", samples, (len(samples), 2))
        expect("coefficients", coefficients, (5, 4), np.float64)
        expect_within("step", step, 1, 1 << 30)
        expect_within("opened", opened, 0, step - 1)
        expect_output("state", state, (9,), np.float64)
        full = (opened + len(samples)) // step
        expect_output("powers", powers, (full,), np.float64, longer=True)
        self._call["weigh"](samples, len(samples), coefficients, step, opened, state, powers)
        return full


def _half_of(window: Array) -> int:
    """Half a frame's length. Raises ValueError unless that is one that can be transformed."""
    expect_within("a frame's length", len(window), SHORTEST, LONGEST)
    if len(window) & (len(window) - 1):
        raise ValueError(f"a frame's length must be a power of two, not {len(window)}")
    return len(window) // 2


def _expect_layer(height: int, out: int, affine: Array, activation: int) -> None:
    expect_within("the height", height, 1, 1 << 20)
    expect_multiple("channels", out, CHANNELS)
    expect("affine", affine, (3, out))
    expect_within("activation", activation, 0, 2)


def _expect_strided(filtering: Filtering, x: Array, kernel: Array, affine: Array, raw: Array, scratch: Array) -> None:
    """x: map (2h, 2w, in); raw: map (h, w, out), of whole tiles. Raises ValueError."""
    height, width, out = _size(raw)
    channels = expect_map("x", x)[2]
    _expect_tiles(filtering, height, width)
    _expect_layer(height, out, affine, 0)
    expect_multiple("channels", channels, CHANNELS)
    expect("x", x, (2 * height + BORDER, 2 * width + BORDER, channels))
    expect("kernel", kernel, (-(-out // PANEL), len(filtering.strided), channels, PANEL))
    expect_scratch(scratch, _work(filtering, len(filtering.strided) * channels))


def _expect_transposed(
    filtering: Filtering, maps: Sequence[Array], kernel: Array, affine: Array, y: Array, scratch: Array
) -> None:
    """maps: (h, w, in) each, of whole tiles; y: map (2h, 2w, out), or a longer one. Raises ValueError."""
    height, width, channels = _size(maps[0])
    out = expect_map("y", y)[2]
    _expect_tiles(filtering, height, width)
    _expect_layer(height, out, affine, 0)
    expect_multiple("channels", channels, CHANNELS)
    for each in maps:
        expect("x", each, maps[0].shape)
    depth = len(maps) * channels
    expect("kernel", kernel, (-(-4 * out // PANEL), len(filtering.plain), depth, PANEL))
    expect_output("y", y, (2 * height + BORDER, 2 * width + BORDER, out), longer=True)
    expect_scratch(scratch, _work(filtering, len(filtering.plain) * depth))


def _expect_tiles(filtering: Filtering, height: int, width: int) -> None:
    outputs = 4 if filtering is FOUR_AT_A_TIME else 2
    expect_multiple("the height", height, outputs)
    expect_multiple("the width", width, outputs)


def _work(filtering: Filtering, transformed: int) -> int:
    """Values that a block of tiles takes: its inputs and its products, of each channel."""
    points = len(filtering.plain)
    return TILES * (transformed + points * PANEL) + 2 * points * APART


def _expect_outputs(*maps: Array) -> None:
    for each in maps:
        expect_output("raw and active", each, maps[0].shape)


def _size(of: Array) -> tuple[int, int, int]:
    expect_map("a map", of)
    return of.shape[0] - BORDER, of.shape[1] - BORDER, of.shape[2]
