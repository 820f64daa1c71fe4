"""The corpus's signal: each channel has a tone of its own, and all share a voice that tells one moment from another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

_LEVELS = (0.30, 0.22, 0.26, 0.18)  # of the tones, in turn: neighbours differ
_VOICE_LEVEL = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a file is made of: `frames` samples of each channel, at rate_hz.

    All lies between 100 Hz and 3.8 kHz and below 0.56, so that the lowest rate of the corpus and the coarsest codec can
    hold it.
    """

    channels: int = 2
    rate_hz: int = 44100
    frames: int = 22050

    @property
    def seconds(self) -> float:
        return self.frames / self.rate_hz

    def samples(self) -> Samples:
        """float64 (frames, channels), -0.56..0.56."""
        return self.parts(np.arange(self.frames) / self.rate_hz) @ self.shares()

    def parts(self, times_s: Samples) -> Samples:
        """The tone of each channel and, last, the voice, at these moments: float64 (moments, channels + 1)."""
        tones = np.sin(2 * np.pi * np.outer(times_s, 1800 + 30 * np.arange(self.channels)))
        tones *= [_LEVELS[channel % 4] for channel in range(self.channels)]
        return np.column_stack((tones, _VOICE_LEVEL * voice(times_s)))

    def shares(self) -> Samples:
        """How much of each part is in each channel: float64 (channels + 1, channels)."""
        return np.vstack((np.eye(self.channels), np.ones(self.channels)))


def voice(times_s: Samples) -> Samples:
    """A tone that wanders between 100 Hz and 1.7 kHz and never in the same way: it fits itself at no other moment."""
    wandering = 385 * np.sin(2 * np.pi * 1.3 * times_s) + 70 * np.sin(2 * np.pi * 4.24264 * times_s)
    return np.asarray(np.sin(2 * np.pi * 900 * times_s + wandering))
