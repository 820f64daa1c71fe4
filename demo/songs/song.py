"""A whole song with its true stems."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from demo.songs import effects
from demo.songs.band import render_bass, render_other, render_piano
from demo.songs.choir import render_vocals
from demo.songs.composition import compose
from demo.songs.drums import render_drums
from demo.songs.synthesis import RATE_HZ, samples_of

Samples = NDArray[np.float32]

_RENDERERS = {
    "vocals": render_vocals,
    "drums": render_drums,
    "bass": render_bass,
    "piano": render_piano,
    "other": render_other,
}
STEMS = tuple(_RENDERERS)
_LEVELS_DB = {"drums": (-3.0, 2.0), "bass": (-3.0, 2.0), "piano": (-10.0, -3.0), "other": (-10.0, -3.0)}
_VOCALS_DB = (-3.5, 0.5)  # the vocals' energy beside all the rest's, over the whole song with its rests
_PEAK = 0.9
_FADE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """stems and mix are float32 (frames, 2) at 44100 Hz; the mix is their exact sum, -1..1."""

    title: str
    rate_hz: int
    stems: Mapping[str, Samples]
    mix: Samples

    def truth(self, stem: str) -> Samples:
        """A stem by the name that a model uses: one of STEMS, or accompaniment, which is all but the vocals."""
        if stem == "accompaniment":
            return mixed({name: samples for name, samples in self.stems.items() if name != "vocals"})
        return self.stems[stem]


def make_song(seed: int, duration_s: float) -> Song:
    """The song of a seed: always the same one on the same machine and package versions."""
    frames = samples_of(duration_s)
    writer, mixer, *players = np.random.default_rng(seed).spawn(2 + len(STEMS))
    score = compose(writer, duration_s)
    played = {
        name: render(player, score, frames) for (name, render), player in zip(_RENDERERS.items(), players, strict=True)
    }
    stems = _balance(mixer, played)
    return Song(title=score.title, rate_hz=RATE_HZ, stems=MappingProxyType(stems), mix=mixed(stems))


def mixed(stems: Mapping[str, Samples]) -> Samples:
    """The sum, in the order given."""
    total = np.zeros_like(next(iter(stems.values())))
    for samples in stems.values():
        total += samples
    return total


def _balance(rng: np.random.Generator, played: Mapping[str, Samples]) -> dict[str, Samples]:
    """Sets levels, then compresses and fades the mix: by one gain for all stems, so that they still add up to it."""
    levels_db = {name: float(rng.uniform(*_LEVELS_DB.get(name, (0.0, 0.0)))) for name in played}
    stems = {name: _leveled(samples, levels_db[name]) for name, samples in played.items()}

    rest = mixed({name: samples for name, samples in stems.items() if name != "vocals"})
    ratio_db = float(rng.uniform(*_VOCALS_DB))
    stems["vocals"] = stems["vocals"] * np.float32(np.sqrt(np.mean(rest**2)) * 10 ** (ratio_db / 20))
    mix = mixed(stems)
    gain = effects.compressor_gain(mix, threshold_db=float(rng.uniform(0, 4)), ratio=float(rng.uniform(1.3, 3)))
    fade = min(samples_of(_FADE_S), len(gain))
    gain[len(gain) - fade :, 0] *= np.linspace(1, 0, fade, dtype=np.float32)
    gain *= np.float32(_PEAK / max(float(np.abs(mix * gain).max()), 1e-6))
    return {name: samples * gain for name, samples in stems.items()}


def _leveled(samples: Samples, level_db: float) -> Samples:
    """Scaled to an RMS of level_db over both channels; silence stays silence."""
    rms = float(np.sqrt(np.mean(samples**2)))
    return samples * np.float32(10 ** (level_db / 20) / rms) if rms > 1e-9 else samples
