"""The compiled layers, by ctypes, which lets other threads run meanwhile. In C++, what each does is said above it."""

import ctypes
from collections.abc import Callable, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

INSTRUCTION_SETS = ("any", "avx2", "avx512")  # the better ones behind
BORDER = 3  # of a map (h + BORDER, w + BORDER, channels): 1 before and 2 behind, zeros

_ARGUMENTS: dict[str, Any] = {
    "f": np.ctypeslib.ndpointer(np.float32, flags="C_CONTIGUOUS"),
    "c": np.ctypeslib.ndpointer(np.complex64, flags="C_CONTIGUOUS"),
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
}


class Layers:
    """The layers, and what becomes of the masks, in one instruction set, by default the best that the processor has.

    Affines are (3, channels): bias, scale, shift. Activations: 0 ReLU, 1 LeakyReLU, 2 ELU.
    """

    def __init__(self, instruction_set: str | None = None) -> None:
        self.instruction_set = instruction_set or available()[-1]
        library = _library()
        self._call: dict[str, Callable[..., None]] = {}
        for name, arguments in _FUNCTIONS.items():
            function = library[f"{name}_{self.instruction_set}"]
            function.argtypes, function.restype = [_ARGUMENTS[kind] for kind in arguments], None
            self._call[name] = function

    def outermost_down(
        self, x: Array, kernel: Array, affine: Array, activation: int, raw: Array, active: Array
    ) -> None:
        """x: (2, 2h + BORDER, 2w + BORDER); raw, active: maps (h, w, out)."""
        height, width, out = _size(raw)
        self._call["outermost_down"](x, kernel, affine, out, height, width, activation, raw, active)

    def down(
        self, x: Array, kernel: Array, affine: Array, activation: int, raw: Array, active: Array, scratch: Array
    ) -> None:
        """x: map (2h, 2w, in); raw, active: maps (h, w, out)."""
        height, width, out = _size(raw)
        self._call["down"](x, x.shape[2], kernel, affine, out, height, width, activation, raw, active, scratch)

    def innermost_down(self, x: Array, kernel: Array, affine: Array, raw: Array, scratch: Array) -> None:
        """x: map (2h, 2w, in); raw: map (h, w, out), by the bias alone."""
        height, width, out = _size(raw)
        self._call["innermost_down"](x, x.shape[2], kernel, affine, out, height, width, raw, scratch)

    def innermost_up(self, x: Array, kernel: Array, affine: Array, activation: int, y: Array, scratch: Array) -> None:
        """x: map (h, w, in); y: map (2h, 2w, out)."""
        height, width, channels = _size(x)
        self._call["innermost_up"](x, channels, kernel, affine, y.shape[2], height, width, activation, y, scratch)

    def up(
        self, skip: Array, x: Array, kernel: Array, affine: Array, activation: int, y: Array, scratch: Array
    ) -> None:
        """skip, x: maps (h, w, in); y: map (2h, 2w, out)."""
        height, width, channels = _size(x)
        self._call["up"](skip, x, channels, kernel, affine, y.shape[2], height, width, activation, y, scratch)

    def outermost_up(
        self, skip: Array, x: Array, kernel: Array, affine: Array, activation: int, y: Array, scratch: Array
    ) -> None:
        """skip, x: maps (h, w, in); y: (2h + 6, 2w + 6), within a border of 3."""
        height, width, channels = _size(x)
        self._call["outermost_up"](skip, x, channels, kernel, affine, height, width, activation, y, scratch)

    def dilated(self, x: Array, kernel: Array, bias: Array) -> Array:
        """x: (h + 6, w + 6), within a border of 3. Returns (2, h, w)."""
        y = np.empty((2, x.shape[0] - 6, x.shape[1] - 6), np.float32)
        self._call["dilated"](x, kernel, bias, *y.shape[1:], y)
        return y

    def ratio_masks(
        self, logits: Sequence[Array], mix: Array, *, has_softmax: bool, exponent: int, epsilon: float
    ) -> Array:
        """Spleeter's ratio masks, (stems, *mix.shape), from the logits of each stem, which are of mix's shape."""
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
        half = len(window) // 2
        self._call["overlap_add"](stft, mask, *stft.shape, half, step, halving, turns, window, samples, scratch)


def available() -> tuple[str, ...]:
    """The instruction sets that this processor has, the best last."""
    return INSTRUCTION_SETS[: _library().best_instruction_set() + 1]


def _size(of: Array) -> tuple[int, int, int]:
    return of.shape[0] - BORDER, of.shape[1] - BORDER, of.shape[2]


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(__file__).with_name(f"_layers{EXTENSION_SUFFIXES[0]}")))
