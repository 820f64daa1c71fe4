"""Singing by source and filter: a glottal tone and breath through moving resonances, and noise for consonants."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from demo.songs.composition import SungNote
from demo.songs.phonemes import CONSONANTS, formants
from demo.songs.synthesis import RATE_HZ, Signal, SpectralShaper, noise, oscillate, smooth_noise

Curve = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Singer:
    """One voice. Depths of pitch are in semitones; `tract` scales the resonances (a shorter tract: above 1)."""

    register: str  # bass, tenor, alto or soprano
    center: float  # MIDI number in the middle of the range
    tract: float
    slope: float  # of the glottal spectrum; lower is brighter
    breath: float
    vibrato_hz: float
    vibrato_depth: float
    glide_s: float  # how long a change of pitch takes
    scoop: float  # how far below a note begins
    roughness: float


_CENTERS = {"bass": (47.0, 52.0), "tenor": (53.0, 59.0), "alto": (58.0, 64.0), "soprano": (63.0, 69.0)}


def draw_singer(rng: np.random.Generator) -> Singer:
    register = str(rng.choice(list(_CENTERS), p=(0.2, 0.3, 0.3, 0.2)))
    return Singer(
        register=register,
        center=float(rng.uniform(*_CENTERS[register])),
        tract=float(rng.uniform(0.94, 1.07)),
        slope=float(rng.uniform(0.35, 0.85)),
        breath=float(rng.uniform(0.02, 0.12)),
        vibrato_hz=float(rng.uniform(4.8, 6.6)),
        vibrato_depth=float(rng.uniform(0.2, 0.65)),
        glide_s=float(rng.uniform(0.02, 0.05)),
        scoop=float(rng.uniform(0.3, 1.6)),
        roughness=float(rng.uniform(0.3, 1.0)),
    )


def sing(rng: np.random.Generator, singer: Singer, notes: Sequence[SungNote], frames: int) -> Signal:
    """A whole vocal line, mono (frames,), about -1..1 at its loudest."""
    if not notes:
        return np.zeros(frames, np.float32)
    shaper = SpectralShaper(frames)
    time_s = shaper.time_s()
    pitch, voicing = _pitch_and_voicing(rng, singer, notes, time_s)
    f0_hz = 440.0 * 2 ** ((shaper.upsample(pitch) - 69) / 12)
    f0_hz *= 1 + 0.004 * singer.roughness * _per_sample(rng, frames)
    loudness = shaper.upsample(voicing).astype(np.float32)
    tone = oscillate(f0_hz, slope=singer.slope) * loudness
    # Air flows while the glottis is open, once a period.
    opening = 0.6 + 0.4 * np.sin(2 * np.pi * np.cumsum(f0_hz) / RATE_HZ).astype(np.float32)
    tone += noise(rng, frames) * loudness * opening * np.float32(singer.breath)
    hiss, hiss_gains = _consonants(rng, notes, shaper)
    sound = shaper.shape((tone, _tract(singer, notes, shaper, pitch)), (hiss, hiss_gains))
    return sound * np.float32(0.9 / max(float(np.abs(sound).max()), 1e-6))


def _per_sample(rng: np.random.Generator, frames: int) -> Curve:
    """Jitter: it changes about as often as the glottis closes."""
    points = frames // 200 + 3
    return np.interp(np.arange(frames) / 200, np.arange(points), rng.standard_normal(points))


def _pitch_and_voicing(
    rng: np.random.Generator, singer: Singer, notes: Sequence[SungNote], time_s: Curve
) -> tuple[Curve, Curve]:
    """Curves over the shaper's points: MIDI pitch, and how loud the voiced sound is."""
    step_s = time_s[1] - time_s[0]
    pitch = np.full(len(time_s), notes[0].pitch)
    voicing = np.zeros(len(time_s))
    vibrato = np.zeros(len(time_s))
    scoops = np.zeros(len(time_s))
    previous_end_s = -1.0
    for note in notes:
        end_s = note.start_s + note.duration_s
        pitch[time_s >= note.start_s - 0.02] = note.pitch
        consonant = CONSONANTS[note.consonant]
        sung = (time_s >= note.start_s) & (time_s < end_s)
        since_s = time_s[sung] - note.start_s
        voicing[sung] = note.velocity * (1 - 0.25 * since_s / max(note.duration_s, 0.3))
        before = (time_s >= note.start_s - consonant.duration_s) & (time_s < note.start_s)
        voicing[before] = note.velocity * consonant.voicing
        vibrato[sung] = np.clip((since_s - 0.18) / 0.25, 0, 1)
        if note.start_s - previous_end_s > 0.1:  # after a rest the voice slides into the note
            scoops[sung] -= singer.scoop * np.exp(-since_s / 0.05)
        previous_end_s = end_s
    pitch = ndimage.gaussian_filter1d(pitch, singer.glide_s / step_s) + ndimage.gaussian_filter1d(scoops, 1.5)
    rate_hz = singer.vibrato_hz * (1 + 0.06 * smooth_noise(rng, len(time_s), 60))
    sway = np.sin(2 * np.pi * np.cumsum(rate_hz) * step_s + rng.uniform(0, 6))
    pitch += singer.vibrato_depth * ndimage.gaussian_filter1d(vibrato, 8) * sway
    pitch += 0.08 * singer.roughness * smooth_noise(rng, len(time_s), 25)
    voicing = ndimage.gaussian_filter1d(voicing, 0.009 / step_s)
    voicing *= 1 + 0.08 * sway * vibrato + 0.05 * smooth_noise(rng, len(time_s), 6)
    return pitch, np.maximum(voicing, 0)


def _tract(singer: Singer, notes: Sequence[SungNote], shaper: SpectralShaper, pitch: Curve) -> NDArray[np.float32]:
    """Gains of the vocal tract, (points, bins): five resonances that move from sound to sound."""
    time_s = shaper.time_s()
    targets = np.zeros((5, 3, len(time_s)))  # log Hz, dB, Hz
    targets[:] = _target(singer, notes[0].vowel)[:, :, None]
    for note in notes:
        vowel = _target(singer, note.vowel)
        consonant = CONSONANTS[note.consonant]
        targets[:, :, time_s >= note.start_s - consonant.duration_s] = vowel[:, :, None]
        before = (time_s >= note.start_s - consonant.duration_s) & (time_s < note.start_s + 0.01)
        targets[1, 0, before] = np.log(consonant.locus_hz * singer.tract)
        targets[2:, 1, before] -= 6
    moving = ndimage.gaussian_filter1d(targets, 0.022 / (time_s[1] - time_s[0]), axis=2).astype(np.float32)
    f0_hz = (440.0 * 2 ** ((pitch - 69) / 12)).astype(np.float32)
    gains = np.full((len(time_s), len(shaper.bins_hz)), 0.002, np.float32)
    for number, (log_hz, level_db, width_hz) in enumerate(moving):
        center_hz = np.exp(log_hz)
        if number == 0:
            center_hz = np.maximum(center_hz, f0_hz)  # singers open the mouth until the resonance meets the note
        away = (shaper.bins_hz - center_hz[:, None]) / (0.9 * width_hz[:, None])
        gains += (10 ** (0.6 * level_db / 20))[:, None] / np.sqrt(1 + away * away)
    # Radiation from the mouth lifts the treble; below 100 Hz nothing is sung.
    radiated: NDArray[np.float32] = (
        gains * np.sqrt((shaper.bins_hz / 500) / (1 + shaper.bins_hz / 4000)) * (shaper.bins_hz > 60)
    )
    return radiated


def _target(singer: Singer, vowel: str) -> Curve:
    rows = np.array(formants(singer.register, vowel), np.float64)
    rows[:, 0] = np.log(rows[:, 0] * singer.tract)
    return rows


def _consonants(
    rng: np.random.Generator, notes: Sequence[SungNote], shaper: SpectralShaper
) -> tuple[Signal, NDArray[np.float32]]:
    """Noise for the whole line, and its gains (points, bins), which are zero but at the consonants."""
    time_s = shaper.time_s()
    gains = np.zeros((len(time_s), len(shaper.bins_hz)), np.float32)
    for note in notes:
        consonant = CONSONANTS[note.consonant]
        if not consonant.noise:
            continue
        center_s = note.start_s - consonant.burst_s / 2
        span = slice(*np.searchsorted(time_s, (center_s - 0.15, center_s + 0.15)))
        bump = np.exp(-0.5 * ((time_s[span] - center_s) / (0.4 * consonant.burst_s + 0.003)) ** 2)
        band = np.exp(-0.5 * ((shaper.bins_hz - consonant.noise_hz) / consonant.width_hz) ** 2)
        gains[span] += (0.6 * note.velocity * consonant.noise * bump[:, None] * band).astype(np.float32)
    length = (len(time_s) - 4) * shaper.hop
    return noise(rng, length), gains
