"""Signals for tests: something that has melody, drums, noise, width and silence, made from a seed."""

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
