"""The kernels against plain sums in double precision, for each instruction set that the processor has."""

import json
import shutil
from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal
from spleeter_kernels import BORDER, Layers, OverlapAdd, Transform, UNet, Weighting, Workspace, available

from consumer.core.errors import Code, Rejected
from consumer.separator.models.checkpoint import Layer
from consumer.separator.models.spec import load_spec
from consumer.separator.runtimes.factory import make_runtime
from harness.audio import error_db

FRAMES, BINS = 128, 512
FILTERS = (5, 16, 20, 33, 40, 70)  # most of them no multiple of any vector
MOST_ERROR_DB = -105.0  # -113 is what was measured

Array = NDArray[Any]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "ReLU": lambda x: np.maximum(x, 0),
    "LeakyReLU": lambda x: np.where(x > 0, x, 0.2 * x),
    "ELU": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


def make_layers() -> tuple[list[Layer], list[Layer], Layer]:
    """Random layers whose activations stay of about the same size, with values on both sides of zero."""
    rng = np.random.default_rng(7)

    def layer(shape: tuple[int, ...], incoming: int, out: int) -> Layer:
        return Layer(
            kernel=(rng.normal(size=shape) / np.sqrt(5 * incoming)).astype(np.float32),
            bias=rng.normal(size=out).astype(np.float32),
            scale=rng.uniform(0.5, 1.5, out).astype(np.float32),
            shift=rng.normal(size=out).astype(np.float32),
        )

    widths = [2, *FILTERS]
    down = [layer((5, 5, a, b), a, b) for a, b in pairwise(widths)]
    up_widths = [*reversed(FILTERS[:-1]), 1]
    incoming = [FILTERS[-1], *(2 * width for width in up_widths[:-1])]
    up = [layer((5, 5, b, a), a, b) for a, b in zip(incoming, up_widths, strict=True)]
    return down, up, layer((4, 4, 1, 2), 1, 2)


def strided(x: Array, layer: Layer) -> Array:
    """(H, W, in) -> (H / 2, W / 2, out), padded as TensorFlow's SAME: 1 before, 2 behind."""
    padded = np.pad(x, ((1, 2), (1, 2), (0, 0)))
    height, width = x.shape[0], x.shape[1]
    taps = product(range(5), range(5))
    total: Array = sum(
        (padded[a : a + height : 2, b : b + width : 2] @ layer.kernel[a, b] for a, b in taps), layer.bias
    )
    return total


def transposed(x: Array, layer: Layer) -> Array:
    """(H, W, in) -> (2H, 2W, out): each input adds the whole kernel, from one sample before its own place on."""
    height, width, _ = x.shape
    y = np.zeros((2 * height + 3, 2 * width + 3, layer.kernel.shape[2]))
    for a, b in product(range(5), range(5)):
        y[a : a + 2 * height : 2, b : b + 2 * width : 2] += x @ layer.kernel[a, b].T
    return y[1 : 2 * height + 1, 1 : 2 * width + 1] + layer.bias


def normalized(x: Array, layer: Layer) -> Array:
    assert layer.scale is not None
    assert layer.shift is not None
    scaled: Array = x * layer.scale + layer.shift
    return scaled


def dilated(x: Array, layer: Layer) -> Array:
    padded = np.pad(x, ((3, 3), (3, 3), (0, 0)))
    height, width, _ = x.shape
    taps = product(range(4), range(4))
    parts = (padded[2 * a : 2 * a + height, 2 * b : 2 * b + width] @ layer.kernel[a, b] for a, b in taps)
    total: Array = sum(parts, layer.bias)
    return total


def reference(magnitudes: Array, encoder: str, decoder: str) -> Array:
    """(2, T, F) -> (2, T, F), in float64."""
    down, up, last = make_layers()
    x, skips = magnitudes.transpose(1, 2, 0).astype(np.float64), []
    for layer in down:
        skips.append(strided(x, layer))
        x = ACTIVATIONS[encoder](normalized(skips[-1], layer))
    x = skips.pop()
    for layer in up:
        x = normalized(ACTIVATIONS[decoder](transposed(x, layer)), layer)
        x = np.concatenate([skips.pop(), x], axis=2) if skips else x
    return dilated(x, last).transpose(2, 0, 1)


def make_unet(instruction_set: str, encoder: str, decoder: str) -> UNet:
    down, up, last = make_layers()
    return UNet(Layers(instruction_set), down, up, last, encoder_activation=encoder, decoder_activation=decoder)


def bordered(magnitudes: Array) -> Array:
    return np.pad(magnitudes, ((0, 0), (1, BORDER - 1), (1, BORDER - 1)))


def magnitudes(seed: int = 1) -> Array:
    drawn: Array = np.abs(np.random.default_rng(seed).normal(size=(2, FRAMES, BINS))).astype(np.float32)
    return drawn


def test_a_processor_has_the_plain_set_at_least() -> None:
    """And what it has is tested below, not what it might have."""
    assert available()[0] == "any"


@pytest.mark.parametrize("instruction_set", available())
@pytest.mark.parametrize(("encoder", "decoder"), [("LeakyReLU", "ReLU"), ("ELU", "ELU"), ("ReLU", "LeakyReLU")])
def test_a_network_is_its_sums(instruction_set: str, encoder: str, decoder: str) -> None:
    """Every layer, each activation, and channels that fill no vector."""
    unet = make_unet(instruction_set, encoder, decoder)
    got = unet.logits(bordered(magnitudes()), Workspace(FRAMES, BINS, FILTERS))
    assert error_db(got, reference(magnitudes(), encoder, decoder)) < MOST_ERROR_DB


def test_nothing_is_left_of_the_segment_before() -> None:
    """A workspace serves one segment after the other, and each comes out as from a fresh one."""
    unet, workspace = make_unet(available()[-1], "ELU", "ELU"), Workspace(FRAMES, BINS, FILTERS)
    first = unet.logits(bordered(magnitudes()), workspace)
    assert not np.array_equal(first, unet.logits(bordered(1000 * magnitudes(2)), workspace))
    assert np.array_equal(first, unet.logits(bordered(magnitudes()), workspace))


@pytest.mark.parametrize("instruction_set", available())
@pytest.mark.parametrize("frames", [1, 7, 29, 64, 100, 127, 128])
def test_the_first_frames_alone_are_the_same(instruction_set: str, frames: int) -> None:
    """To the bit, whatever lies in the rows that they leave out."""
    unet, workspace = make_unet(instruction_set, "ELU", "ELU"), Workspace(FRAMES, BINS, FILTERS)
    whole = unet.logits(bordered(magnitudes()), Workspace(FRAMES, BINS, FILTERS))
    for left in workspace.up:
        left[1 : 1 - BORDER, 1 : 1 - BORDER] = np.nan
    workspace.last[3:-3, 3:-3] = np.nan
    first = unet.logits(bordered(magnitudes()), workspace, frames=frames)
    assert np.array_equal(first, whole[:, :frames])


@pytest.mark.parametrize("instruction_set", available())
@pytest.mark.parametrize("has_softmax", [False, True])
@pytest.mark.parametrize("size", [1.0, 30.0, 1e30])
def test_masks_are_spleeters(instruction_set: str, size: float, *, has_softmax: bool) -> None:
    """Also where a stem's logits are so large that their exponential is no number."""
    rng = np.random.default_rng(3)
    logits = (size * rng.normal(size=(5, 2, 16, 64))).astype(np.float32)
    mix = np.abs(rng.normal(size=(2, 16, 64))).astype(np.float32)
    got = Layers(instruction_set).ratio_masks(list(logits), mix, has_softmax=has_softmax, exponent=2, epsilon=1e-10)
    exact = logits.astype(np.float64)
    with np.errstate(over="ignore"):
        shares = np.exp(exact - exact.max(0)) if has_softmax else 1 / (1 + np.exp(-exact))
    powers = ((shares / shares.sum(0) if has_softmax else shares) * mix) ** 2
    assert np.abs(got - (powers + 1e-10 / 5) / (powers.sum(0) + 1e-10)).max() < 1e-6


@pytest.mark.parametrize("instruction_set", available())
@pytest.mark.parametrize("length", [128, 256, 512, 4096])
@pytest.mark.parametrize("bins_of", [lambda half: half + 1, lambda half: half // 2, lambda half: half - 13])
@pytest.mark.parametrize("measured_of", [lambda bins: bins, lambda bins: bins // 2 + 1])
def test_frames_are_transformed(
    instruction_set: str, length: int, bins_of: Callable[[int], int], measured_of: Callable[[int], int]
) -> None:
    """NumPy's transform, which is in double precision, of windowed frames; and its absolute values."""
    frames, step, bins = 7, length // 4, bins_of(length // 2)
    rng = np.random.default_rng(length)
    samples = rng.normal(size=(frames - 1) * step + length).astype(np.float32)
    window = rng.uniform(size=length).astype(np.float32)
    stft = np.full((frames, bins), np.nan, np.complex64)
    magnitudes = np.full((frames, measured_of(bins)), np.nan, np.float32)
    Transform(Layers(instruction_set), window, step)(samples, stft, magnitudes)
    framed = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), length)[::step]
    expected = np.fft.rfft(framed * window)[:, :bins]
    assert np.abs(stft - expected).max() < 1e-6 * np.abs(expected).max()
    assert np.abs(magnitudes - np.abs(expected[:, : magnitudes.shape[1]])).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("instruction_set", available())
@pytest.mark.parametrize("step", [800, 4_410, 19_200])
def test_samples_are_filtered_and_summed(instruction_set: str, step: int) -> None:
    """As by SciPy's filters, however the samples are cut into blocks, and behind a long silence too."""
    rng = np.random.default_rng(step)
    filters = np.array([[1.5, -2.7, 1.2, -1.7, 0.73], [1.0, -2.0, 1.0, -1.99, 0.9901]])
    samples = rng.normal(size=(30 * step + 7, 2)).astype(np.float32)
    samples[10 * step : 20 * step] = 0.0
    ours = Weighting(Layers(instruction_set), filters, step)
    found: list[float] = []
    left = samples
    while len(left):
        block, left = np.split(left, [rng.integers(1, 30_000)])
        found.extend(ours(block))
    filtered = signal.sosfilt(np.insert(filters, 3, 1.0, axis=1), samples.astype(np.float64), axis=0)
    expected = (filtered[: 30 * step] ** 2).reshape(30, -1).sum(axis=1) / step
    assert np.array(found) == pytest.approx(expected, rel=1e-9, abs=1e-50)


@pytest.mark.parametrize("instruction_set", available())
@pytest.mark.parametrize("length", [128, 256, 512, 4096])
@pytest.mark.parametrize("bins_of", [lambda half: half + 1, lambda half: half // 2, lambda half: half - 13])
def test_frames_are_masked_and_added(instruction_set: str, length: int, bins_of: Callable[[int], int]) -> None:
    """As exact as float32 allows, to what is there; with an even and an odd number of halvings; few bins, and all."""
    rng = np.random.default_rng(5)
    frames, step, bins = 6, length // 4, bins_of(length // 2)
    stft = (rng.normal(size=(frames, bins)) + 1j * rng.normal(size=(frames, bins))).astype(np.complex64)
    mask, window = rng.uniform(size=(frames, bins)).astype(np.float32), rng.uniform(size=length).astype(np.float32)
    samples = rng.normal(size=(frames - 1) * step + length).astype(np.float32)
    exact = samples.astype(np.float64)
    for start, frame in zip(range(0, frames * step, step), np.fft.irfft(stft * mask, length), strict=True):
        exact[start : start + length] += frame * window
    OverlapAdd(Layers(instruction_set), window, step)(stft, mask, samples)
    assert error_db(samples, exact) < -135.0


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"F": 1000}, "F of 128, not 512 and 1000"),
        ({"frame_length": 4000, "frame_step": 1000}, "a power of two and at least 128, not 4000"),
    ],
)
def test_sizes_that_the_kernels_cant_do_are_refused(
    narrow_models: Path, tmp_path: Path, sizes: dict[str, int], reason: str
) -> None:
    """A configuration of other sizes is refused by its name, not computed wrongly."""
    shutil.copytree(narrow_models / "2stems", tmp_path / "2stems")
    own = tmp_path / "2stems" / "2stems.json"
    own.write_text(json.dumps(json.loads(own.read_text()) | sizes))
    with pytest.raises(Rejected, match=rf"model 2stems: the runtime native .* {reason}") as refusal:
        make_runtime("native").load(load_spec("2stems", tmp_path))
    assert refusal.value.code == Code.MODEL_UNAVAILABLE
