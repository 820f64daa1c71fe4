"""The vocals of a song: a lead, doubled at times, harmonies in the chorus, and the effects on them."""

from dataclasses import dataclass, replace

import numpy as np

from demo.songs import effects
from demo.songs.composition import Bar, Composition, SungNote, nearest
from demo.songs.synthesis import Signal, filtered
from demo.songs.voice import draw_singer, sing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    notes: tuple[SungNote, ...]
    gain: float
    position: float  # -1 left, 1 right
    is_lead: bool


def render_vocals(rng: np.random.Generator, song: Composition, frames: int) -> Signal:
    """Stereo (frames, 2)."""
    singer = draw_singer(rng)
    shift = round(singer.center) - 62  # the melody is written around 62
    lead = tuple(replace(note, pitch=note.pitch + shift) for note in song.melody)
    mix = np.zeros((frames, 2), np.float32)
    presence = np.float32(rng.uniform(0.4, 1.3))
    for part in _parts(rng, song, lead):
        who = singer if part.is_lead else replace(draw_singer(rng), center=singer.center, register=singer.register)
        line = filtered(sing(rng, who, part.notes, frames), "highpass", 110.0)
        line += presence * filtered(line, "highpass", 1500.0)  # as engineers do, for the words to be understood
        line = effects.compress(line, threshold_db=2.0, ratio=3.0)
        mix += effects.pan(line, part.position) * np.float32(part.gain)
    return _effects(rng, song, mix)


def _parts(rng: np.random.Generator, song: Composition, lead: tuple[SungNote, ...]) -> list[_Part]:
    parts = [_Part(notes=lead, gain=1.0, position=float(rng.uniform(-0.06, 0.06)), is_lead=True)]
    chorus = tuple(note for note in lead if _bar(song, note.start_s).section == "chorus")
    width = float(rng.uniform(0.3, 0.9))
    if rng.random() < 0.4:
        parts.append(_Part(notes=_loosely(rng, chorus), gain=0.5, position=-width, is_lead=True))
        parts.append(_Part(notes=_loosely(rng, chorus), gain=0.5, position=width, is_lead=True))
    if rng.random() < 0.55:
        third = tuple(replace(note, pitch=_third_above(song, note.pitch)) for note in chorus)
        parts.append(_Part(notes=_loosely(rng, third), gain=0.45, position=width * 0.7, is_lead=False))
    if rng.random() < 0.35:
        below = tuple(replace(note, pitch=_chord_tone_below(song, note)) for note in chorus)
        parts.append(_Part(notes=_loosely(rng, below), gain=0.45, position=-width * 0.7, is_lead=False))
    return [part for part in parts if part.notes]


def _bar(song: Composition, at_s: float) -> Bar:
    return next((bar for bar in reversed(song.bars) if bar.start_s <= at_s + 1e-6), song.bars[0])


def _loosely(rng: np.random.Generator, notes: tuple[SungNote, ...]) -> tuple[SungNote, ...]:
    """Nobody sings the same line twice at the same instant."""
    return tuple(replace(note, start_s=max(note.start_s + float(rng.normal(0.008, 0.012)), 0.0)) for note in notes)


def _third_above(song: Composition, pitch: float) -> float:
    ladder = [12 * octave + pc for octave in range(1, 9) for pc in sorted(song.scale)]
    return ladder[min(int(np.argmin([abs(rung - pitch) for rung in ladder])) + 2, len(ladder) - 1)]


def _chord_tone_below(song: Composition, note: SungNote) -> float:
    return max(nearest(tone, note.pitch - 5) for tone in _bar(song, note.start_s).chord[:3])


def _effects(rng: np.random.Generator, song: Composition, dry: Signal) -> Signal:
    wet = dry
    if rng.random() < 0.15:
        wet = effects.drive(wet, float(rng.uniform(0.5, 1.5)))
    if rng.random() < 0.4:
        step_s = song.beat_s * float(rng.choice((0.5, 0.75, 1.0)))
        wet = effects.echo(
            wet, time_s=step_s, feedback=float(rng.uniform(0.2, 0.45)), wet=float(rng.uniform(0.08, 0.2))
        )
    decay_s, amount = float(rng.uniform(0.4, 1.8)), float(rng.uniform(0.06, 0.24))
    return effects.reverb(wet, rng, decay_s=decay_s, wet=amount, bright_hz=float(rng.uniform(3000, 9000)))
