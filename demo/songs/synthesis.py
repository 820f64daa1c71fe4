"""The raw material: oscillators without aliasing, noise, envelopes, and spectra that change over time."""

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage, signal

RATE_HZ = 44100
_TABLE = 16384  # points of one period; the nearest point is closer than -80 dB
_HIGHEST_HZ = 20000.0

Signal = NDArray[np.float32]


def samples_of(duration_s: float) -> int:
    return round(duration_s * RATE_HZ)


@lru_cache(maxsize=512)
def _table(slope: float, odd_only: bool, half_octave: int) -> Signal:  # noqa: FBT001 -- a cache wants positions
    """One period with the harmonics k up to 2 ** (half_octave / 2), of amplitude k ** -slope."""
    highest = min(int(2 ** (half_octave / 2)), _TABLE // 2 - 1)
    k = np.arange(1, highest + 1)
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex128)
    # Phases that bend with k spread the energy over the period: less of a click than a plain pulse.
    spectrum[1 : highest + 1] = k**-slope * np.exp(1j * (0.6 * np.log(k) * k**0.5 - np.pi / 2))
    if odd_only:
        spectrum[2::2] = 0
    period = scipy.fft.irfft(spectrum) * _TABLE / 2
    table: Signal = (period / np.sqrt(np.mean(period**2))).astype(np.float32)
    return table


def oscillate(f0_hz: NDArray[np.float64], *, slope: float, odd_only: bool = False, phase: float = 0.0) -> Signal:
    """A tone along the pitch curve f0_hz (frames,); the kth harmonic has amplitude k ** -slope. RMS about 1."""
    turns = phase + np.cumsum(f0_hz) / RATE_HZ
    index = ((turns % 1.0) * _TABLE).astype(np.int32) % _TABLE
    room = np.maximum(2 * np.log2(_HIGHEST_HZ / np.maximum(f0_hz, 20.0)), 1.0)
    level = room.astype(np.int32)
    blend = (room - level).astype(np.float32)
    out = np.empty(len(f0_hz), np.float32)
    for low in np.unique(level):
        here = level == low
        at, share = index[here], blend[here]
        lower, upper = (_table(slope, odd_only, int(low) - 1 + i)[at] for i in (0, 1))
        out[here] = lower + share * (upper - lower)
    return out


def steady(f0_hz: float, frames: int, *, slope: float, odd_only: bool = False, phase: float = 0.0) -> Signal:
    """As oscillate, of one pitch: much quicker."""
    turns = phase + np.arange(frames) * (f0_hz / RATE_HZ)
    level = int(max(2 * np.log2(_HIGHEST_HZ / f0_hz), 0.0))
    tone: Signal = _table(slope, odd_only, level)[((turns % 1.0) * _TABLE).astype(np.int32) % _TABLE]
    return tone


def noise(rng: np.random.Generator, frames: int) -> Signal:
    return rng.standard_normal(frames, np.float32)


def smooth_noise(rng: np.random.Generator, points: int, width: float) -> NDArray[np.float64]:
    """Noise of standard deviation 1 that wanders over about `width` points."""
    drift = ndimage.gaussian_filter1d(rng.standard_normal(points + 8 * int(width) + 8), width)[:points]
    scaled: NDArray[np.float64] = drift / max(float(drift.std()), 1e-9)
    return scaled


def envelope(frames: int, *, attack_s: float, release_s: float) -> Signal:
    """Rises from 0 to 1 and falls to 0 at the end, with rounded corners."""
    t = np.arange(frames) / RATE_HZ
    rise = np.minimum(t / max(attack_s, 1e-4), 1.0)
    fall = np.minimum((frames / RATE_HZ - t) / max(release_s, 1e-4), 1.0)
    shape: Signal = (np.sin(rise * np.pi / 2) * np.sin(fall * np.pi / 2)).astype(np.float32)
    return shape


def filtered(x: Signal, kind: str, *edges_hz: float, order: int = 2) -> Signal:
    """Butterworth: kind is lowpass, highpass or bandpass. x is (frames,) or (frames, channels)."""
    top = RATE_HZ / 2 * 0.98
    edges = [min(edge, top) for edge in edges_hz]
    sos = signal.butter(order, edges[0] if len(edges) == 1 else edges, kind, fs=RATE_HZ, output="sos")
    return np.asarray(signal.sosfilt(sos, x, axis=0), np.float32)


def add_at(buffer: NDArray[np.float32], at_s: float, sound: NDArray[np.float32], gain: float = 1.0) -> None:
    """Add a sound to a longer buffer; what sticks out on either side is lost."""
    start = samples_of(at_s)
    skip = max(-start, 0)
    count = min(len(sound) - skip, len(buffer) - start - skip)
    if count > 0:
        buffer[start + skip : start + skip + count] += np.float32(gain) * sound[skip : skip + count]


class SpectralShaper:
    """Filters signals by a spectrum that changes frame by frame: overlapping windows, weighted in frequency."""

    hop = 256  # samples between two frames: 5.8 ms, quick enough for consonants
    size = 1024

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self.points = -(-frames // self.hop) + 4  # frames of control that cover the signal
        self.bins_hz = (np.arange(self.size // 2 + 1) * (RATE_HZ / self.size)).astype(np.float32)
        self._window = np.sqrt(signal.get_window("hann", self.size)).astype(np.float32)

    def time_s(self) -> NDArray[np.float64]:
        """When each frame of control is: (points,)."""
        return (np.arange(self.points) - 1) * self.hop / RATE_HZ

    def upsample(self, control: NDArray[np.float64]) -> NDArray[np.float64]:
        """(points,) to (frames,)."""
        at = np.arange(self._frames) * (1.0 / self.hop) + 1.0
        return np.interp(at, np.arange(self.points), control)

    def shape(self, *parts: tuple[Signal, NDArray[np.float32]]) -> Signal:
        """The sum of the signals (frames,), each weighted by its gains (points, size / 2 + 1)."""
        total = np.zeros((self.points, self.size // 2 + 1), np.complex64)
        for x, gains in parts:
            padded = np.zeros((self.points - 1) * self.hop + self.size, np.float32)
            lead = self.size // 2 + self.hop
            padded[lead : lead + len(x)] = x[: len(padded) - lead]
            views = np.lib.stride_tricks.sliding_window_view(padded, self.size)[:: self.hop]
            total += scipy.fft.rfft(views * self._window) * gains
        framed = scipy.fft.irfft(total, self.size) * self._window
        hops = self.size // self.hop
        summed = np.zeros((self.points + hops - 1, self.hop), np.float32)
        for hop in range(hops):
            summed[hop : hop + self.points] += framed[:, hop * self.hop : (hop + 1) * self.hop]
        lead = self.size // 2 + self.hop
        out: Signal = summed.ravel()[lead : lead + self._frames] * np.float32(2 / hops)
        return out
