"""A drum kit, made new for each song, and the patterns that it plays."""

from dataclasses import dataclass

import numpy as np

from demo.songs import effects
from demo.songs.composition import Composition
from demo.songs.synthesis import RATE_HZ, Signal, add_at, filtered, noise, samples_of

# Velocities on 16 quarter-beats, as digits 0..9.
_KICKS = ("9000000090000000", "9000009090000000", "9000900090009000", "9006000090600000", "9000000690700000")
_SNARES = ("0000900000009000", "0000900000009002", "0000900200209000", "0000000090000000")
_HATS = ("9090909090909090", "9496949694969496", "0090009000900090", "9000900090009000", "9009009090090090")
_FILLS = ("0000000090909999", "0000900090690969", "0000000000009999")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kit:
    """Sounds, mono, and where they stand (-1 left, 1 right)."""

    kick: Signal
    snare: Signal
    closed_hat: Signal
    open_hat: Signal
    crash: Signal
    toms: tuple[Signal, ...]
    shaker: Signal
    hat_position: float


def render_drums(rng: np.random.Generator, song: Composition, frames: int) -> Signal:
    """Stereo (frames, 2)."""
    kit = _draw_kit(rng)
    kick, snare, hat = (str(rng.choice(rows)) for rows in (_KICKS, _SNARES, _HATS))
    hat_gain, crash_gain = float(rng.uniform(0.12, 0.4)), float(rng.uniform(0.2, 0.4))
    has_shaker, opens = rng.random() < 0.3, rng.random() < 0.5
    middle, side = (np.zeros(frames, np.float32) for _ in range(2))
    tom_tracks = [np.zeros(frames, np.float32) for _ in kit.toms]
    for number, bar in enumerate(song.bars):
        if bar.section == "intro" and rng.random() < 0.5:
            continue
        fill = str(rng.choice(_FILLS)) if bar.is_last else "0" * 16
        if number and bar.section != song.bars[number - 1].section:
            add_at(side, bar.start_s, kit.crash, crash_gain)
        for step in range(16):
            at_s = song.at_s(bar, step) + float(rng.normal(0, 0.003))
            human = float(rng.uniform(0.85, 1.0)) / 9
            add_at(middle, at_s, kit.kick, int(kick[step]) * human)
            if fill[step] == "0":
                add_at(middle, at_s, kit.snare, 0.8 * int(snare[step]) * human)
            else:
                tom = step % len(kit.toms)
                add_at(tom_tracks[tom], at_s, kit.toms[tom], int(fill[step]) * human)
            if int(hat[step]):
                sound = kit.open_hat if opens and step == 14 else kit.closed_hat
                add_at(side, at_s, sound, hat_gain * int(hat[step]) * human)
            if has_shaker:
                add_at(side, at_s, kit.shaker, 0.1 * human * (9 if step % 4 == 0 else 5))
    dry = effects.pan(middle, 0.0) + effects.pan(side, kit.hat_position)
    for i, track in enumerate(tom_tracks):
        dry += effects.pan(track, -0.6 + 1.2 * i / max(len(tom_tracks) - 1, 1))
    if rng.random() < 0.3:
        dry = effects.drive(dry, float(rng.uniform(0.3, 1.0)))
    return effects.reverb(dry, rng, decay_s=float(rng.uniform(0.25, 0.9)), wet=float(rng.uniform(0.05, 0.25)))


def _draw_kit(rng: np.random.Generator) -> _Kit:
    return _Kit(
        kick=_kick(rng),
        snare=_snare(rng),
        closed_hat=_cymbal(rng, float(rng.uniform(0.02, 0.05)), 7000),
        open_hat=_cymbal(rng, float(rng.uniform(0.12, 0.3)), 7000),
        crash=_cymbal(rng, float(rng.uniform(0.5, 1.0)), 4500),
        toms=tuple(_tom(rng, hz * float(rng.uniform(0.9, 1.1))) for hz in (180.0, 130.0, 95.0)),
        shaker=filtered(noise(rng, samples_of(0.08)), "bandpass", 4500.0, 9000.0)
        * np.sin(np.pi * _time(0.08) / 0.08).astype(np.float32) ** 2,
        hat_position=float(rng.uniform(-0.6, 0.6)),
    )


def _time(duration_s: float) -> Signal:
    return np.asarray(np.arange(samples_of(duration_s)) / RATE_HZ, np.float32)


def _kick(rng: np.random.Generator) -> Signal:
    t = _time(0.45)
    end_hz, drop_hz = rng.uniform(42, 62), rng.uniform(80, 220)
    hz = end_hz + drop_hz * np.exp(-t / rng.uniform(0.015, 0.04))
    body = np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ) * np.exp(-t / rng.uniform(0.08, 0.18))
    click = filtered(noise(rng, len(t)), "bandpass", 1500.0, 5000.0) * np.exp(-t / 0.004)
    return np.asarray(body + rng.uniform(0.05, 0.4) * click, np.float32)


def _snare(rng: np.random.Generator) -> Signal:
    t = _time(0.4)
    tone_hz = rng.uniform(160, 240)
    tone = np.sin(2 * np.pi * tone_hz * t) + 0.6 * np.sin(2 * np.pi * 1.6 * tone_hz * t)
    wires = filtered(noise(rng, len(t)), "bandpass", float(rng.uniform(900, 2000)), 8500.0)
    rattle = np.exp(-t / rng.uniform(0.05, 0.13))
    return np.asarray(0.35 * tone * np.exp(-t / 0.06) + rng.uniform(0.4, 0.7) * wires * rattle, np.float32)


def _tom(rng: np.random.Generator, hz: float) -> Signal:
    t = _time(0.5)
    sweep = hz * (1 + 0.5 * np.exp(-t / 0.03))
    body = np.sin(2 * np.pi * np.cumsum(sweep) / RATE_HZ) * np.exp(-t / 0.12)
    skin = 0.1 * filtered(noise(rng, len(t)), "lowpass", 3000.0) * np.exp(-t / 0.01)
    return np.asarray(0.8 * body + skin, np.float32)


def _cymbal(rng: np.random.Generator, decay_s: float, low_hz: float) -> Signal:
    """Metal: many partials in no harmonic relation, and noise."""
    t = _time(decay_s * 5)
    partials = rng.uniform(low_hz * 0.5, 10000, 24)
    clang = np.sin(2 * np.pi * partials[:, None] * t + rng.uniform(0, 6, (24, 1))).sum(axis=0) / 5
    sizzle = filtered(filtered(noise(rng, len(t)), "highpass", low_hz), "lowpass", 10000.0)
    return np.asarray((0.4 * clang + sizzle) * np.exp(-t / decay_s), np.float32)
