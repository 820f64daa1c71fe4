"""What is learned from: the stems of many songs on disk, mixed anew for every step."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from demo.songs import STEMS, make_song

FRAME_LENGTH, FRAME_STEP, BINS = 4096, 1024, 1024  # Spleeter's
_SONG_S = 20.0
_FULL_SCALE = 32767

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Each float32 (batch, T, BINS, 2): magnitudes of the mix, of the vocals and of the accompaniment, and `aligned`.

    A mask m leaves the error |m X - V| = hypot(m |X| - aligned, what no mask can change), X and V being complex.
    """

    mix: Array
    vocals: Array
    accompaniment: Array
    aligned: Array


def make_songs(folder: Path, seeds: Sequence[int], *, processes: int) -> list[Path]:
    """Files with the stems of each seed, int16 (len(STEMS), frames, 2); those that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed}.npy" for seed in seeds]
    missing = [(path, seed) for path, seed in zip(paths, seeds, strict=True) if not path.exists()]
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_make, *zip(*missing, strict=True), chunksize=1) if missing else ())
    return paths


def _make(path: Path, seed: int) -> None:
    song = make_song(seed, _SONG_S)
    stems = np.stack([song.stems[name] for name in STEMS])
    partial = path.with_suffix(".part.npy")
    np.save(partial, np.round(np.clip(stems, -1, 1) * _FULL_SCALE).astype(np.int16))
    partial.rename(path)  # a half-written song is never taken for a whole one


def batches(paths: Sequence[Path], *, size: int, frames: int, remixed: float, seed: int) -> Iterator[Batch]:
    """Batches without end, the same ones for the same seed. `remixed` of the crops combine stems of several songs."""
    rng = np.random.default_rng(seed)
    songs = [np.load(path, mmap_mode="r") for path in paths]
    samples = (frames - 1) * FRAME_STEP + FRAME_LENGTH
    while True:
        pairs = [_mixture(rng, songs, samples, remixed) for _ in range(size)]
        yield _batch(pairs)


def _mixture(
    rng: np.random.Generator, songs: Sequence[NDArray[np.int16]], samples: int, remixed: float
) -> tuple[Array, Array]:
    """Vocals and accompaniment (samples, 2): of one song as it is, or stems of several at levels of their own."""
    whole = songs[int(rng.integers(len(songs)))]
    start = int(rng.integers(whole.shape[1] - samples))
    cuts = [whole[stem, start : start + samples] for stem in range(len(STEMS))]
    gains = np.ones(len(STEMS))
    if rng.random() < remixed:
        for stem in range(1, len(STEMS)):
            other = songs[int(rng.integers(len(songs)))]
            start = int(rng.integers(other.shape[1] - samples))
            cuts[stem] = other[stem, start : start + samples]
        gains = 10 ** (rng.uniform(-4, 4, len(STEMS)) / 20) * (rng.random(len(STEMS)) > 0.05)
    gains *= rng.uniform(0.5, 1.3) / _FULL_SCALE
    if rng.random() < 0.5:  # left and right change places
        cuts = [cut[:, ::-1] for cut in cuts]
    loud = [cut.astype(np.float32) * np.float32(gain) for cut, gain in zip(cuts, gains, strict=True)]
    return loud[0], sum(loud[1:], np.zeros_like(loud[0]))


def _batch(pairs: Sequence[tuple[Array, Array]]) -> Batch:
    vocals, accompaniment = (np.stack([_spectrum(pair[i]) for pair in pairs]) for i in (0, 1))
    mix = vocals + accompaniment
    size = np.abs(mix)
    aligned = (vocals * mix.conj()).real / np.maximum(size, 1e-6)
    return Batch(mix=size, vocals=np.abs(vocals), accompaniment=np.abs(accompaniment), aligned=aligned)


def _spectrum(samples: Array) -> NDArray[np.complex64]:
    """(samples, 2) to complex (T, BINS, 2), as Spleeter's network sees it."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_LENGTH) / FRAME_LENGTH)).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(samples, FRAME_LENGTH, axis=0)[::FRAME_STEP]  # (T, 2, length)
    spectrum: NDArray[np.complex64] = scipy.fft.rfft(views * window)[..., :BINS].swapaxes(1, 2)
    return spectrum
