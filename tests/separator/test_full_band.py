"""Above the networks' band: with `average` nothing is lost, with `zeros` it is silent, as in Spleeter."""

import numpy as np
import pytest
from numpy.typing import NDArray

from consumer.separator.dsp.engine import separate
from consumer.separator.dsp.network import Network
from harness.audio import RATE_HZ, music

Samples = NDArray[np.float32]


def stems_of(mix: Samples, network: Network, high_frequencies: str) -> Samples:
    position = 0

    def read(count: int) -> Samples:
        nonlocal position
        position += count
        return mix[position - count : position]

    segments = [np.stack(stems) for stems in separate(network, read, high_frequencies=high_frequencies)]
    return np.concatenate(segments, axis=1)


@pytest.mark.parametrize("seconds", [0.05, 3.0, 13.0])
def test_stems_add_up_to_the_mix(network: Network, seconds: float) -> None:
    """With `average` the sum of the stems is the mix: what is left over is below -90 dB of it, at any length."""
    mix = music(seconds=seconds, seed=11)
    residual = stems_of(mix, network, "average").sum(axis=0) - mix
    assert 10 * np.log10(np.square(residual).sum() / np.square(mix).sum()) < -90


def test_zeros_is_silent_above_the_band(network: Network) -> None:
    """With `zeros` the stems hold nothing above 11 kHz, and so do not add up to a mix that does."""
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    mix = np.repeat((0.5 * np.sin(2 * np.pi * 15_000 * time_s))[:, None], 2, axis=1).astype(np.float32)
    assert np.abs(stems_of(mix, network, "zeros")[:, 5000:-5000]).max() < 1e-3
    whole = stems_of(mix, network, "average").sum(axis=0)
    assert np.abs(whole - mix).max() < 1e-4
