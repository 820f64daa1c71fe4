"""`python -m bench.kernels`: the kernels alone, one network on one core, layer by layer, in each instruction set.

Random weights of Spleeter's sizes; the least of several runs counts. For whoever changes `kernels/`; the tables of
`python -m bench` say what becomes of it in a whole job.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from spleeter_kernels import BORDER, Layers, UNet, Workspace, available

from consumer.separator.models.checkpoint import Layer

_FRAMES, _BINS, _FILTERS = 512, 1024, (16, 32, 64, 128, 256, 512)
_RUNS = 9


class _Timed:
    """Layers that note how long each call took, in the order of the calls."""

    def __init__(self, layers: Layers) -> None:
        self.calls: list[tuple[str, float]] = []
        self._layers = layers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._call, name)

    def _call(self, name: str, *args: Any) -> Any:
        started = time.perf_counter()
        result = getattr(self._layers, name)(*args)
        self.calls.append((name, time.perf_counter() - started))
        return result


def main() -> None:
    magnitudes = np.abs(np.random.default_rng(0).normal(size=(2, _FRAMES, _BINS))).astype(np.float32)
    bordered = np.pad(magnitudes, ((0, 0), (1, BORDER - 1), (1, BORDER - 1)))
    columns = {name: _layer_times_ms(name, bordered) for name in available()}
    _say(f"| layer, ms | {' | '.join(columns)} |")
    _say(f"|---|{'---:|' * len(columns)}")
    for rows in zip(*columns.values(), strict=True):
        _say(f"| {rows[0][0]} | {' | '.join(f'{taken_ms:.1f}' for _, taken_ms in rows)} |")
    totals_ms = [sum(taken_ms for _, taken_ms in column) for column in columns.values()]
    _say(f"| all | {' | '.join(f'{total_ms:.1f}' for total_ms in totals_ms)} |")


def _layer_times_ms(instruction_set: str, bordered: NDArray[np.float32]) -> list[tuple[str, float]]:
    """Each layer's name and least time, in the order of the computation."""
    timed, workspace = _Timed(Layers(instruction_set)), Workspace(_FRAMES, _BINS, _FILTERS)
    down, up, last = _random_layers()
    unet = UNet(timed, down, up, last, encoder_activation="LeakyReLU", decoder_activation="ReLU")  # type: ignore[arg-type]
    runs = []
    for _ in range(_RUNS):
        timed.calls.clear()
        unet.logits(bordered, workspace)
        runs.append(list(timed.calls))
    return [(calls[0][0], 1000 * min(taken_s for _, taken_s in calls)) for calls in zip(*runs, strict=True)]


def _random_layers() -> tuple[list[Layer], list[Layer], Layer]:
    rng = np.random.default_rng(1)

    def layer(shape: tuple[int, ...], incoming: int, out: int) -> Layer:
        kernel = (rng.normal(size=shape) / np.sqrt(25 * incoming)).astype(np.float32)
        ones, zeros = np.ones(out, np.float32), np.zeros(out, np.float32)
        return Layer(kernel=kernel, bias=zeros, scale=ones, shift=zeros)

    down = [layer((5, 5, a, b), a, b) for a, b in pairwise((2, *_FILTERS))]
    outs = [*reversed(_FILTERS[:-1]), 1]
    incoming = [_FILTERS[-1], *(2 * out for out in outs[:-1])]
    up = [layer((5, 5, b, a), a, b) for a, b in zip(incoming, outs, strict=True)]
    return down, up, layer((4, 4, 1, 2), 1, 2)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
