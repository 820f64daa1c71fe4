"""The kernels' wheel for aarch64, in an emulator of its processor, against plain sums in double precision."""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from spleeter_kernels import OverlapAdd, UNet, Workspace

from harness.audio import error_db
from harness.dist import build_kernels
from tests.dist.emulated import EmulatedLayers, Emulator
from tests.separator.test_kernels import bordered, magnitudes, make_layers, reference

pytestmark = [pytest.mark.dist, pytest.mark.timeout(900)]

FILTERS = (5, 16, 20, 33, 40, 70)  # of tests.separator.test_kernels' layers


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedLayers]:
    folder = tmp_path_factory.mktemp("aarch64")
    shutil.unpack_archive(build_kernels(folder, "aarch64"), folder, "zip")
    emulator = Emulator(folder / "spleeter_kernels" / "_layers.so", folder)
    assert emulator.instruction_sets == ["neon"]
    yield EmulatedLayers(emulator, "neon")
    emulator.close()


@pytest.mark.parametrize(("encoder", "decoder"), [("LeakyReLU", "ReLU"), ("ELU", "ELU"), ("ReLU", "LeakyReLU")])
def test_a_network_is_its_sums(layers: EmulatedLayers, encoder: str, decoder: str) -> None:
    """Every layer, each activation, and channels that fill no vector."""
    down, up, last = make_layers()
    unet = UNet(layers, down, up, last, encoder_activation=encoder, decoder_activation=decoder)
    got = unet.logits(bordered(magnitudes()), Workspace(128, 512, FILTERS))
    assert error_db(got, reference(magnitudes(), encoder, decoder)) < -105.0


@pytest.mark.parametrize("size", [1.0, 30.0, 1e30])
@pytest.mark.parametrize("has_softmax", [False, True])
def test_masks_are_spleeters(layers: EmulatedLayers, size: float, *, has_softmax: bool) -> None:
    """Also where a stem's logits are so large that their exponential is no number."""
    rng = np.random.default_rng(3)
    logits = (size * rng.normal(size=(5, 2, 16, 64))).astype(np.float32)
    mix = np.abs(rng.normal(size=(2, 16, 64))).astype(np.float32)
    got = layers.ratio_masks(list(logits), mix, has_softmax=has_softmax, exponent=2, epsilon=1e-10)
    exact = logits.astype(np.float64)
    with np.errstate(over="ignore"):
        shares = np.exp(exact - exact.max(0)) if has_softmax else 1 / (1 + np.exp(-exact))
    powers = ((shares / shares.sum(0) if has_softmax else shares) * mix) ** 2
    assert np.abs(got - (powers + 1e-10 / 5) / (powers.sum(0) + 1e-10)).max() < 1e-6


@pytest.mark.parametrize("length", [128, 256, 4096])
def test_frames_are_masked_and_added(layers: EmulatedLayers, length: int) -> None:
    """With an even and an odd number of halvings, and bins that fill no vector."""
    rng = np.random.default_rng(5)
    frames, step, bins = 6, length // 4, length // 2 - 13
    stft = (rng.normal(size=(frames, bins)) + 1j * rng.normal(size=(frames, bins))).astype(np.complex64)
    mask, window = rng.uniform(size=(frames, bins)).astype(np.float32), rng.uniform(size=length).astype(np.float32)
    samples = rng.normal(size=(frames - 1) * step + length).astype(np.float32)
    exact = samples.astype(np.float64)
    for start, frame in zip(range(0, frames * step, step), np.fft.irfft(stft * mask, length), strict=True):
        exact[start : start + length] += frame * window
    OverlapAdd(layers, window, step)(stft, mask, samples)
    assert error_db(samples, exact) < -135.0
