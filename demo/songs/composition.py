"""Writes the song: key, tempo, sections, chords, and the melody with its syllables. No sound yet."""

from dataclasses import dataclass, replace

import numpy as np

from demo.songs.phonemes import CONSONANTS, VOWELS

_KEYS = ("C", "D flat", "D", "E flat", "E", "F", "G flat", "G", "A flat", "A", "B flat", "B")
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10)}
_PROGRESSIONS = {  # degrees of the scale, one a bar
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 4, 3), (1, 4, 0, 5), (0, 2, 3, 4), (0, 3, 0, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 6, 2), (0, 6, 5, 4), (0, 3, 4, 0), (0, 2, 6, 5), (0, 5, 3, 4)),
    "dorian": ((0, 3, 0, 3), (0, 6, 3, 0), (0, 1, 3, 0), (0, 2, 3, 6)),
}
_RHYTHMS = (  # onsets of a sung bar in quarter-beats, of 16
    (0, 4, 8, 12),
    (0, 2, 4, 8, 10),
    (0, 3, 6, 8, 12),
    (2, 4, 6, 8, 12),
    (0, 4, 6, 8, 10, 12),
    (0, 6, 8, 11),
    (4, 6, 8, 10, 12),
    (0, 2, 4, 6, 8, 10),
    (0, 8),
    (0, 1, 2, 4, 8, 9, 10, 12),
)
_WORDS = ("Lantern", "River", "Paper", "Winter", "Copper", "Harbour", "Velvet", "Morning", "Silver", "Garden")
_MORE_WORDS = ("Road", "Letters", "Moon", "Rain", "Windows", "Train", "Sky", "Fire", "Echo", "Tide")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """pitch is a MIDI number; velocity 0..1."""

    start_s: float
    duration_s: float
    pitch: float
    velocity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SungNote(Note):
    consonant: str
    vowel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """section is intro, verse, chorus or break; chord holds pitch classes 0..11, the root first."""

    start_s: float
    section: str
    chord: tuple[int, ...]
    is_last: bool  # of its section: the place for a fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    title: str
    tonic: int  # pitch class
    scale: tuple[int, ...]  # pitch classes, the tonic first
    beat_s: float
    swing: float  # by how much of a quarter-beat the even ones come late
    bars: tuple[Bar, ...]
    melody: tuple[SungNote, ...]  # around MIDI 60; a singer moves it to its own range

    def at_s(self, bar: Bar, step: float) -> float:
        """When a quarter-beat of a bar (0..16) comes."""
        late = self.swing if step % 2 == 1 else 0.0
        return bar.start_s + (step + late) * self.beat_s / 4


def compose(rng: np.random.Generator, duration_s: float) -> Composition:
    mode = str(rng.choice(list(_SCALES), p=(0.45, 0.4, 0.15)))
    tonic = int(rng.integers(12))
    beats_per_minute = int(rng.integers(72, 148))
    beat_s = 60 / beats_per_minute
    scale = tuple((tonic + step) % 12 for step in _SCALES[mode])
    bars = _bars(rng, mode, scale, beat_s, duration_s)
    swing = float(rng.choice((0.0, 0.0, rng.uniform(0.1, 0.6))))
    name = f"{rng.choice(_WORDS)} {rng.choice(_MORE_WORDS)}"
    song = Composition(
        title=f"{name} ({_KEYS[tonic]} {mode}, {beats_per_minute} bpm)",
        tonic=tonic,
        scale=scale,
        beat_s=beat_s,
        swing=swing,
        bars=bars,
        melody=(),
    )
    return replace(song, melody=_melody(rng, song))


def nearest(pitch_class: int, around: float) -> int:
    """The MIDI number of a pitch class that lies nearest to a MIDI number."""
    return round((around - pitch_class) / 12) * 12 + pitch_class


def _bars(
    rng: np.random.Generator, mode: str, scale: tuple[int, ...], beat_s: float, duration_s: float
) -> tuple[Bar, ...]:
    count = int(np.ceil(duration_s / (4 * beat_s)))
    progressions = _PROGRESSIONS[mode]
    verse, chorus = (progressions[int(rng.integers(len(progressions)))] for _ in range(2))
    has_sevenths = rng.random() < 0.35
    plan = ["intro"] * (1 if count < 12 else int(rng.integers(1, 4)))
    while len(plan) < count:
        plan += ["verse"] * 4 + ["chorus"] * 4
        plan += ["break"] * int(rng.integers(1, 3)) if rng.random() < 0.5 else []
    bars = []
    for i, section in enumerate(plan[:count]):
        degree = (chorus if section == "chorus" else verse)[i % 4]
        tones = (0, 2, 4, 6) if has_sevenths else (0, 2, 4)
        chord = tuple(scale[(degree + tone) % 7] for tone in tones)
        is_last = i + 1 >= count or plan[i + 1] != section or (i % 4 == 3 and section == "chorus")
        bars.append(Bar(start_s=i * 4 * beat_s, section=section, chord=chord, is_last=is_last))
    return tuple(bars)


def _melody(rng: np.random.Generator, song: Composition) -> tuple[SungNote, ...]:
    """Phrases of two bars from motifs that come back; chord tones on strong beats, a breath after each phrase."""
    motifs = [(_RHYTHMS[int(rng.integers(len(_RHYTHMS)))], rng.integers(-2, 3, 16)) for _ in range(3)]
    ladder = [12 * octave + pc for octave in range(4, 7) for pc in sorted(song.scale)]
    notes: list[SungNote] = []
    pitch = nearest(song.tonic, 60)
    for i, bar in enumerate(song.bars):
        if bar.section not in ("verse", "chorus") or rng.random() < 0.06:
            continue
        motif, steps = motifs[(2 if bar.section == "chorus" else 0) if i % 4 != 2 else 1]
        end = 16 if i % 2 == 0 else int(rng.choice((8, 10, 12, 14)))  # the phrase's second bar ends early
        onsets = tuple(onset for onset in motif if onset < end)
        lift = 4 if bar.section == "chorus" else 0
        for onset, following, step in zip(onsets, (*onsets[1:], end), steps, strict=False):
            if onset % 8 == 0:
                pitch = nearest(bar.chord[int(rng.integers(3))], 0.6 * pitch + 0.4 * (60 + lift))
            else:
                at = int(np.argmin([abs(rung - pitch) for rung in ladder])) + int(step)
                pitch = ladder[int(np.clip(at, 0, len(ladder) - 1))]
            start_s = song.at_s(bar, onset)
            notes.append(
                SungNote(
                    start_s=start_s,
                    duration_s=(song.at_s(bar, following) - start_s) * 0.96,
                    pitch=pitch,
                    velocity=float(rng.uniform(0.65, 1.0)) + (0.1 if bar.section == "chorus" else 0.0),
                    consonant=str(rng.choice(list(CONSONANTS))),
                    vowel=str(rng.choice(list(VOWELS))),
                )
            )
    return tuple(notes)
