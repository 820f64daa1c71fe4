"""Signals for tests: something that has melody, drums, noise, width and silence, made from a seed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44100


def music(*, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Stereo music-like signal, float32 (samples, 2), within -1..1."""
    return music_samples(round(seconds * RATE_HZ), seed=seed)


def music_samples(count: int, *, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    t = np.arange(count) / RATE_HZ
    mix = np.zeros((count, 2))
    for voice in range(4):
        notes = 110.0 * 2 ** (rng.integers(0, 36, max(1, int(t[-1] * 2) + 1)) / 12 if count else np.zeros(1))
        pitch = np.repeat(notes, RATE_HZ // 2 + 1)[:count]
        phase = 2 * np.pi * np.cumsum(np.resize(pitch, count)) / RATE_HZ
        tone = sum(np.sin(k * phase) / k for k in range(1, 6))
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 1) * t + voice)
        left = rng.uniform(0.2, 0.8)
        mix += 0.12 * (tone * swell)[:, None] * np.array([left, 1 - left])
    beat = np.exp(-30 * (t % 0.5))
    mix += 0.15 * (beat * rng.normal(size=count))[:, None] * np.array([1.0, 0.8])
    mix += 0.005 * rng.normal(size=(count, 2))
    return np.clip(mix, -1, 1).astype(np.float32)


def error_db(got: NDArray[np.floating[Any]], wanted: NDArray[np.floating[Any]]) -> float:
    """Energy of the difference relative to what was wanted; -inf where they are the same, silence included."""
    assert got.shape == wanted.shape
    difference = np.linalg.norm(np.subtract(got, wanted, dtype=np.float64))
    if difference == 0:
        return -np.inf
    with np.errstate(divide="ignore"):
        return float(20 * np.log10(difference / np.linalg.norm(wanted.astype(np.float64))))


def pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """As a 16-bit file holds them: rounded, and clipped at full scale."""
    pcm: NDArray[np.int16] = np.clip(np.rint(samples.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    return pcm


def similarity(got: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    """Largest correlation, -1..1, of two signals (samples, channels) over the delays that a codec may add."""
    count = min(len(got), len(wanted))
    a, b = got[:count].mean(axis=1), wanted[:count].mean(axis=1)
    size = 2 * count
    products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    near = np.concatenate((products[:2500], products[-2500:]))
    return float(near.max() / (np.linalg.norm(a) * np.linalg.norm(b)))
