"""What tests of decoding have in common: a file's samples and warnings, and sound whose place in time is seen in it."""

from pathlib import Path

import numpy as np

from consumer.core.model import Separation
from consumer.separator.audio.decode import Decoder
from harness.audio import RATE_HZ
from harness.files import Samples, decode_file
from tests.separator.jobs import FFMPEG

_BLOCK = 1 << 16


def decoded(
    path: Path, *, start_s: float | None = None, duration_s: float | None = None, max_s: float = 600.0
) -> tuple[Samples, tuple[str, ...]]:
    """What the separator's decoder makes of a file at RATE_HZ, float32 (samples, 2), and its warnings."""
    blocks: list[Samples] = []
    with Decoder(FFMPEG, path, rate_hz=RATE_HZ, start_s=start_s, duration_s=duration_s, max_s=max_s) as decoder:
        while not blocks or len(blocks[-1]) == _BLOCK:
            blocks.append(decoder.read(_BLOCK))
        return np.concatenate(blocks), decoder.warnings


def sum_of_stems(separation: Separation) -> Samples:
    """With a share of the high frequencies, where masks sum to one, it is what was decoded."""
    first, *others = (decode_file(stem.path) for stem in separation.stems)
    return sum(others, first)


def noise(seconds: float, *, seed: int = 1, channels: int = 2) -> Samples:
    """Noise below 4 kHz, float32 (samples, channels), that codecs keep and that is like itself at no other time."""
    count = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=(count, channels)), axis=0)
    spectrum[int(4000 * seconds) :] = 0
    wave = np.fft.irfft(spectrum, count, axis=0)
    return np.ascontiguousarray(0.3 * wave / np.abs(wave).max(), np.float32)


def delay_of(got: Samples, wanted: Samples, *, start: int, count: int, most: int = 4000) -> int:
    """Samples by which what stands at wanted[start : start + count] comes later in `got`: -most..most.

    Fails where nothing like it is there.
    """
    piece = wanted[start : start + count].mean(axis=1, dtype=np.float64)
    padded = np.pad(got.mean(axis=1, dtype=np.float64), (most, most + count))
    area = padded[start : start + count + 2 * most]
    size = 2 * len(area)
    products = np.fft.irfft(np.fft.rfft(area, size) * np.conj(np.fft.rfft(piece, size)), size)[: 2 * most + 1]
    place = int(np.argmax(products))
    energies = np.linalg.norm(area[place : place + count]) * np.linalg.norm(piece)
    assert products[place] > 0.8 * energies, "it is not there"
    return place - most
