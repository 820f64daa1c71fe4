"""A file of the corpus: how it is made, and what it truly holds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from consumer.core.errors import Code
from harness.corpus.signal import Samples, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How near to the truth a decoder has to come.

    noise_db: all that is not the signal, relative to it, at most. gain_db: of each channel. length_frames,
    start_frames: at the file's own rate; 0 where the format tells both to the sample.
    """

    noise_db: float
    gain_db: float = 0.01
    length_frames: int = 0
    start_frames: int = 0


def exact(bits: int) -> Precision:
    """Samples of so many bits, rounded once; tones are told apart to a hundredth of a decibel."""
    return Precision(noise_db=max(18.0 - 6.02 * bits, -120.0), gain_db=0.01 if bits > 8 else 0.1)


COMPANDED = Precision(noise_db=-30.0, gain_db=0.1)  # A-law and mu-law
LOSSY = Precision(noise_db=-15.0, gain_db=1.0)
RESAMPLED_DB = -75.0  # what resampling to the model's rate may add


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a file holds.

    mix: float (channels, 2), how much of each channel has to be heard left and right; None for the channels as they
    are, one or two. silences_s: spans in which nothing is to be heard, since the file holds nothing there. late_frames:
    of silence in front, where an encoder put them and the file does not say so. gain: of all. effects: the channel of
    low-frequency effects, where a codec leaves nothing of its tone. is_mix_exact: whether the gains of the
    mix are prescribed; else a channel has to be heard where the mix is not 0, and only there.
    """

    signal: Signal = field(default_factory=Signal)
    precision: Precision = field(default_factory=lambda: exact(16))
    mix: tuple[tuple[float, float], ...] | None = None
    is_mix_exact: bool = True
    silences_s: tuple[tuple[float, float], ...] = ()
    late_frames: int = 0
    gain: float = 1.0
    effects: int | None = None

    def stereo(self) -> Samples:
        """The mix as an array: float64 (channels, 2)."""
        if self.mix is not None:
            return self.gain * np.array(self.mix)
        return self.gain * (np.ones((1, 2)) if self.signal.channels == 1 else np.eye(2))

    def separate(self) -> Samples:
        """What a decoder gives that mixes nothing: float64 (channels, channels)."""
        if self.signal.channels <= 2 and not self.is_mix_exact:
            return self.stereo()
        gains = self.gain * np.eye(self.signal.channels)
        if self.effects is not None:
            gains[self.effects, self.effects] = np.nan
        return gains


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One file.

    name: its family and file name, such as wave/rf64.wav. make: writes it. holds: what it holds, or the code that it
    is to be refused with. other: the second decoder that reads it, by its name in harness.corpus.decoders; None where
    there is none. title: what its tags call it, None where that is not looked at.
    """

    name: str
    make: Callable[[Path], object]
    holds: Truth | Code
    other: str | None
    title: str | None = None


def written(content: Callable[[], bytes]) -> Callable[[Path], object]:
    """Writes these bytes, which are made only then."""
    return lambda path: path.write_bytes(content())


def in_turn(channels: int) -> tuple[tuple[float, float], ...]:
    """The mix of channels without names: even ones left, odd ones right, in equal parts."""
    left, right = 1 / len(range(0, channels, 2)), 1 / max(1, len(range(1, channels, 2)))
    return tuple((0.0, right) if channel % 2 else (left, 0.0) for channel in range(channels))
