"""What bass, piano and the other instruments play, and how they sound in the room."""

from collections.abc import Iterable

import numpy as np

from demo.songs import effects
from demo.songs.composition import Bar, Composition, Note, nearest
from demo.songs.instruments import Instrument, draw_bass, draw_guitar, draw_piano, draw_sustained
from demo.songs.synthesis import Signal, add_at

_BASS_STEPS = ((0, 8), (0, 6, 8, 14), (0, 4, 8, 12), (0, 2, 4, 6, 8, 10, 12, 14), (0, 3, 6, 8, 11), (0,))
_COMPING = ((0,), (0, 8), (0, 4, 8, 12), (0, 6, 12), (4, 12), (0, 3, 6, 10, 12), (2, 6, 10, 14))
_ACCOMPANYING = ("guitar", "arpeggio", "pad", "organ", "brass")
_ANSWERING = ("flute", "lead")


def render_bass(rng: np.random.Generator, song: Composition, frames: int) -> Signal:
    """Stereo (frames, 2), in the middle."""
    steps = _BASS_STEPS[int(rng.integers(len(_BASS_STEPS)))]
    notes = []
    for bar in song.bars:
        root = nearest(bar.chord[0], 38)
        for onset, following in zip(steps, (*steps[1:], 16), strict=True):
            pitch = root if onset == 0 or rng.random() < 0.7 else int(rng.choice((root + 7, root + 12, root - 5)))
            notes.append(_note(rng, song, bar, onset, (following - onset) * 0.9, pitch))
    line = _play(draw_bass(rng), notes, frames)
    if rng.random() < 0.3:
        line = effects.drive(line, float(rng.uniform(0.5, 2.0)))
    return effects.pan(effects.compress(line), 0.0)


def render_piano(rng: np.random.Generator, song: Composition, frames: int) -> Signal:
    """Stereo (frames, 2)."""
    steps = _COMPING[int(rng.integers(len(_COMPING)))]
    center = float(rng.uniform(57, 66))
    position = float(rng.choice((-1, 1)) * rng.uniform(0.3, 0.8))  # the middle is the singer's
    rolls = rng.random() < 0.3
    notes = []
    for bar in song.bars:
        voicing = [nearest(tone, center) for tone in bar.chord]
        for onset, following in zip(steps, (*steps[1:], 16), strict=True):
            for i, pitch in enumerate(sorted(voicing)):
                note = _note(rng, song, bar, onset + (i * 0.12 if rolls else 0.0), following - onset, pitch)
                notes.append(note)
        if rng.random() < 0.5:
            notes.append(_note(rng, song, bar, steps[0], 8, nearest(bar.chord[0], 43)))
    dry = _play(draw_piano(rng), notes, frames)
    wide = effects.pan(dry, position)
    return effects.reverb(wide, rng, decay_s=float(rng.uniform(0.5, 1.5)), wet=float(rng.uniform(0.08, 0.3)))


def render_other(rng: np.random.Generator, song: Composition, frames: int) -> Signal:
    """Stereo (frames, 2): one or two instruments that go through, at times one that answers the singer."""
    mix = np.zeros((frames, 2), np.float32)
    side = float(rng.choice((-1, 1)))
    kinds = [str(kind) for kind in rng.choice(_ACCOMPANYING, int(rng.integers(1, 3)), replace=False)]
    if rng.random() < 0.4:
        kinds.append(str(rng.choice(_ANSWERING)))
    for kind in kinds:
        dry = _play(_draw(rng, kind), list(_other_notes(rng, song, kind)), frames)
        if kind in ("guitar", "lead") and rng.random() < 0.4:
            dry = effects.drive(dry, float(rng.uniform(0.5, 4.0)))
        if rng.random() < 0.4:
            wide = effects.chorus(dry, rate_hz=float(rng.uniform(0.3, 1.5)), depth_s=0.003, wet=0.7)
        else:
            wide = effects.pan(dry, side * float(rng.uniform(0.4, 0.9)))
        if rng.random() < 0.3:
            wide = effects.echo(wide, time_s=song.beat_s * 0.75, feedback=0.35, wet=0.2)
        side = -side
        level = float(np.sqrt(np.mean(wide**2))) + 1e-6
        mix += wide * np.float32(rng.uniform(0.5, 1.0) / level)
    mix *= np.float32(0.1)
    return effects.reverb(mix, rng, decay_s=float(rng.uniform(0.5, 2.0)), wet=float(rng.uniform(0.1, 0.35)))


def _draw(rng: np.random.Generator, kind: str) -> Instrument:
    return draw_guitar(rng) if kind in ("guitar", "arpeggio") else draw_sustained(rng, kind)


def _other_notes(rng: np.random.Generator, song: Composition, kind: str) -> Iterable[Note]:
    comping = _COMPING[int(rng.integers(len(_COMPING)))]
    order = rng.permutation(8) % 4
    center = float(rng.uniform(54, 64)) + (12 if kind in ("flute", "lead") else 0)
    for bar in song.bars:
        voicing = sorted(nearest(tone, center) for tone in bar.chord)
        if kind in ("pad", "organ"):
            yield from (_note(rng, song, bar, 0, 15.8, pitch) for pitch in voicing)
        elif kind in ("guitar", "brass"):
            for onset in comping:
                length = 3.0 if kind == "guitar" else 1.6
                yield from (_note(rng, song, bar, onset + 0.08 * i, length, p) for i, p in enumerate(voicing))
        elif kind == "arpeggio":
            for step in range(0, 16, 2):
                pitch = voicing[order[step // 2] % len(voicing)] + 12 * (step % 8 == 6)
                yield _note(rng, song, bar, step, 4.0, pitch)
        elif bar.section in ("intro", "break", "chorus"):  # flute and lead answer the singer
            for onset in (0, 3, 6, 8, 12):
                if rng.random() < 0.7:
                    yield _note(rng, song, bar, onset, 2.8, int(rng.choice(voicing)))


def _note(rng: np.random.Generator, song: Composition, bar: Bar, onset: float, steps: float, pitch: float) -> Note:
    return Note(
        start_s=song.at_s(bar, onset) + abs(float(rng.normal(0, 0.004))),
        duration_s=steps * song.beat_s / 4,
        pitch=pitch,
        velocity=float(rng.uniform(0.7, 1.0)),
    )


def _play(instrument: Instrument, notes: list[Note], frames: int) -> Signal:
    """Mono (frames,). A note of the same pitch and length sounds the same again, so it is made once."""
    line = np.zeros(frames, np.float32)
    made: dict[tuple[float, float], Signal] = {}
    for note in notes:
        key = (note.pitch, round(note.duration_s, 2))
        if key not in made:
            made[key] = instrument(*key)
        add_at(line, note.start_s, made[key], note.velocity)
    return line
