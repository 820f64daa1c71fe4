"""`python -m tests.separator.sanitized_kernels LIBRARY table|fuzz|unchecked`: the kernels, compiled with sanitizers.

Each call either computes or is refused by ValueError; what reads or writes elsewhere ends the process with a report.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from spleeter_kernels import (
    BORDER,
    Layers,
    OverlapAdd,
    Transform,
    Weighting,
    Workspace,
    available,
    binding,
    library,
    packing,
)
from spleeter_kernels.winograd import FOUR_AT_A_TIME, TWO_AT_A_TIME

Array = NDArray[Any]
SIZES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 64)
CHANNELS = (0, 1, 5, 16, 24, 32, 48)


def zeros(*shape: int) -> Array:
    """No more memory than this: one value further is another's."""
    return np.zeros([max(0, extent) for extent in shape], np.float32)


def bordered(height: int, width: int, channels: int) -> Array:
    return zeros(height + BORDER, width + BORDER, channels)


def scratch(filtering: Any, transformed: int) -> Array:
    points = len(filtering.plain)
    return zeros(32 * (transformed + points * 32) + 2 * points * 16)


def outermost_down(layers: Layers, h: int, w: int, _: int, out: int) -> None:
    x, maps = zeros(2, 2 * h + BORDER, 2 * w + BORDER), (bordered(h, w, out), bordered(h, w, out))
    layers.outermost_down(x, zeros(2, 5, 5, out), zeros(3, out), 2, *maps)


def down(layers: Layers, h: int, w: int, channels: int, out: int) -> None:
    kernel = packing.strided(zeros(5, 5, channels, out), FOUR_AT_A_TIME)
    work = scratch(FOUR_AT_A_TIME, len(FOUR_AT_A_TIME.strided) * channels)
    maps = (bordered(h, w, out), bordered(h, w, out))
    layers.down(bordered(2 * h, 2 * w, channels), kernel, zeros(3, out), 1, *maps, work)


def innermost_down(layers: Layers, h: int, w: int, channels: int, out: int) -> None:
    kernel = packing.strided(zeros(5, 5, channels, out), TWO_AT_A_TIME)
    work = scratch(TWO_AT_A_TIME, len(TWO_AT_A_TIME.strided) * channels)
    layers.innermost_down(bordered(2 * h, 2 * w, channels), kernel, zeros(3, out), bordered(h, w, out), work)


def innermost_up(layers: Layers, h: int, w: int, channels: int, out: int) -> None:
    kernel = packing.transposed(zeros(5, 5, out, channels), TWO_AT_A_TIME, maps=1)
    work = scratch(TWO_AT_A_TIME, len(TWO_AT_A_TIME.plain) * channels)
    layers.innermost_up(bordered(h, w, channels), kernel, zeros(3, out), 0, bordered(2 * h, 2 * w, out), work)


def up(layers: Layers, h: int, w: int, channels: int, out: int) -> None:
    kernel = packing.transposed(zeros(5, 5, out, 2 * channels), FOUR_AT_A_TIME, maps=2)
    work = scratch(FOUR_AT_A_TIME, len(FOUR_AT_A_TIME.plain) * 2 * channels)
    maps = (bordered(h, w, channels), bordered(h, w, channels))
    layers.up(*maps, kernel, zeros(3, out), 2, bordered(2 * h, 2 * w, out), work)


def outermost_up(layers: Layers, h: int, w: int, channels: int, _: int) -> None:
    maps = (bordered(h, w, channels), bordered(h, w, channels))
    work = zeros(3 * 2 * channels * (w + BORDER + 16))
    layers.outermost_up(*maps, zeros(2 * channels, 25), zeros(3, 1), 0, zeros(2 * h + 6, 2 * w + 6), work)


def dilated(layers: Layers, h: int, w: int, _: int, __: int) -> None:
    layers.dilated(zeros(h + 6, w + 6), zeros(4, 4, 1, 2), zeros(2))


def ratio_masks(layers: Layers, h: int, w: int, stems: int, exponent: int) -> None:
    logits = [zeros(h, w) for _ in range(min(stems, 5))]
    layers.ratio_masks(logits, zeros(h, w), has_softmax=bool(h % 2), exponent=min(exponent, 3), epsilon=1e-10)


def overlap_add(layers: Layers, h: int, w: int, _: int, __: int) -> None:
    length = 128 << (w % 3)
    bins = min(2 * w, length // 2 + 1)
    stft, step = np.zeros((h, bins), np.complex64), length // 4
    samples = zeros((h - 1) * step + length)
    OverlapAdd(layers, np.ones(length, np.float32), step)(stft, zeros(h, bins), samples)


def transform(layers: Layers, h: int, w: int, _: int, __: int) -> None:
    length = 128 << (w % 3)
    bins = min(2 * w, length // 2 + 1)
    samples = zeros((h - 1) * (length // 4) + length)
    stft, magnitudes = np.zeros((h, bins), np.complex64), zeros(h, bins - bins % 7)
    Transform(layers, np.ones(length, np.float32), length // 4)(samples, stft, magnitudes)


def weigh(layers: Layers, h: int, w: int, _: int, __: int) -> None:
    weighting = Weighting(layers, np.ones((2, 5)), max(1, w))
    for count in (h, h * w, 1):
        weighting(zeros(count, 2))


CALLS: tuple[Callable[[Layers, int, int, int, int], None], ...] = (
    outermost_down, down, innermost_down, innermost_up, up, outermost_up, dilated, ratio_masks, overlap_add, transform,
    weigh,
)  # fmt: skip


def tried(call: Callable[..., object], *sizes: int) -> bool:
    """Whether it was computed; False where it was refused, in words."""
    try:
        call(*sizes)
    except ValueError as error:
        if not str(error):
            raise AssertionError("refused without a reason") from error
        return False
    return True


def table() -> None:
    """Every layer at small sizes of every kind, in each set of instructions."""
    computed: dict[str, int] = {}
    for instruction_set in available():
        layers = Layers(instruction_set)
        for call in CALLS:
            for h, w in product(SIZES[:9], SIZES):
                for channels, out in ((16, 16), (32, 48), *((c, 16) for c in CHANNELS), *((16, c) for c in CHANNELS)):
                    done = tried(call, layers, h, w, channels, out)  # type: ignore[arg-type]
                    computed[call.__name__] = computed.get(call.__name__, 0) + done
                    if not done and (channels, out) == (16, 16):
                        break  # by its height or width: whatever the channels
    missing = [call.__name__ for call in CALLS if not computed.get(call.__name__)]
    if missing:
        raise AssertionError(f"never computed: {missing}")
    print(computed)  # noqa: T201


def odd_arrays(array: Array) -> Iterator[Array]:
    """The same array in ways that C++ does not expect."""
    yield array.astype(np.float64)
    yield array.astype(">f4")
    yield np.asfortranarray(array)
    yield array[..., ::-1]
    yield array[..., :-1]
    yield array[:-1]
    yield array[np.newaxis]
    yield array.reshape(-1)
    yield np.frombuffer(b"\0" + array.tobytes(), np.float32, offset=1, count=array.size).reshape(array.shape)


ARGUMENTS = 8


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(CALLS),
    st.sampled_from(available()),
    st.tuples(st.integers(0, 40), st.integers(0, 80), st.integers(0, 50), st.integers(0, 50)),
    st.none() | st.tuples(st.integers(0, ARGUMENTS), st.integers(0, 8)),
)
def fuzz(
    call: Callable[..., None], instruction_set: str, sizes: tuple[int, int, int, int], odd: tuple[int, int] | None
) -> None:
    """Sizes by chance, and one argument of another kind than it ought to be."""
    layers = Layers(instruction_set)
    if odd is not None:
        method = getattr(layers, call.__name__)

        def with_an_odd_one(*arguments: Any, **options: Any) -> Any:
            given = list(arguments)
            number = odd[0] % len(given)
            if isinstance(given[number], np.ndarray) and given[number].ndim > 1 and given[number].size > 1:
                strange = list(odd_arrays(given[number]))
                given[number] = strange[odd[1] % len(strange)]
            return method(*given, **options)

        setattr(layers, call.__name__, with_an_odd_one)
    tried(call, layers, *sizes)  # type: ignore[arg-type]


@contextmanager
def unchecked() -> Iterator[None]:
    """The binding as it was before it checked anything."""
    kept = {name: value for name, value in vars(binding).items() if name.startswith(("expect", "_expect"))}
    for name in kept:
        setattr(binding, name, lambda *_, **__: (0, 0, 0))
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(binding, name, value)


def too_many_bins() -> None:
    """What a configuration with `F: 2176` did: its workspace has more bins than a spectrum of 4096 samples."""
    workspace = Workspace(128, 2176, (16, 16, 16, 16, 16, 16))
    magnitudes = np.pad(zeros(2, 128, 2049), ((0, 0), (1, 2), (1, 2)))
    arguments = (zeros(2, 5, 5, 16), zeros(3, 16), 0, workspace.raw[0], workspace.active[0])
    if tried(Layers().outermost_down, magnitudes, *arguments):  # type: ignore[arg-type]
        raise AssertionError("2176 bins were read from 2049")
    with unchecked():
        Layers().outermost_down(magnitudes, *arguments)


def no_multiple_of_a_vector() -> None:
    """Masks of 33 values."""
    if tried(lambda: Layers("any").ratio_masks([zeros(33)], zeros(33), has_softmax=False, exponent=2, epsilon=1e-10)):
        raise AssertionError("33 values were taken")
    with unchecked():
        Layers("any").ratio_masks([zeros(33)], zeros(33), has_softmax=False, exponent=2, epsilon=1e-10)


if __name__ == "__main__":
    sanitized, what = sys.argv[1:]
    library.load = lambda: ctypes.CDLL(sanitized)
    globals()[what]()
