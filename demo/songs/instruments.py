"""Sounds of single notes: bass, piano, electric piano, plucked strings, organ, pads, brass, flute. Mono."""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import signal

from demo.songs.synthesis import RATE_HZ, Signal, envelope, filtered, noise, oscillate, samples_of, steady

# (MIDI pitch, duration in seconds) to the sound, which may ring on.
Instrument = Callable[[float, float], Signal]


def hertz(pitch: float) -> float:
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def draw_bass(rng: np.random.Generator) -> Instrument:
    slope = float(rng.uniform(0.9, 1.7))
    cutoff_hz, decay_s = float(rng.uniform(300, 1400)), float(rng.uniform(0.3, 1.5))

    def play(pitch: float, duration_s: float) -> Signal:
        frames = samples_of(duration_s)
        t = np.arange(frames) / RATE_HZ
        tone = steady(hertz(pitch), frames, slope=slope)
        bright = filtered(tone, "lowpass", cutoff_hz * 3) * np.exp(-t / 0.08).astype(np.float32)
        body = filtered(tone, "lowpass", cutoff_hz) + np.float32(0.5) * bright
        body *= np.exp(-t / decay_s).astype(np.float32)
        return np.asarray(body * envelope(frames, attack_s=0.006, release_s=0.04), np.float32)

    return play


def draw_piano(rng: np.random.Generator) -> Instrument:
    if rng.random() < 0.35:
        return _draw_electric_piano(rng)
    hammer, stretch = float(rng.uniform(0.7, 1.4)), float(rng.uniform(1e-4, 6e-4))
    seed = int(rng.integers(1 << 31))

    def play(pitch: float, duration_s: float) -> Signal:
        ring_s = min(duration_s + 0.25, 2.5)
        t = (np.arange(samples_of(ring_s)) / RATE_HZ).astype(np.float32)
        local = np.random.default_rng((seed, round(pitch)))
        f0 = hertz(pitch)
        k = np.arange(1, min(24, int(10000 / f0)) + 1)
        partials_hz = f0 * k * np.sqrt(1 + stretch * k * k)
        levels = k**-hammer * np.abs(np.sin(np.pi * k / 7.6)) + 0.02 / k
        decays_s = (3.0 * (60 / pitch) ** 2) / (1 + 0.25 * k)
        sound = np.zeros(len(t), np.float32)
        for hz, level, decay_s in zip(partials_hz, levels, decays_s, strict=True):
            beat = 1 + 0.15 * np.cos(2 * np.pi * local.uniform(0.2, 0.9) * t)
            wave = np.sin(np.float32(2 * np.pi * hz) * t + np.float32(local.uniform(0, 6)))
            sound += np.float32(level) * wave * np.exp(-t / np.float32(decay_s)) * beat.astype(np.float32)
        knock = filtered(noise(local, len(t)), "lowpass", 900.0) * np.exp(-t / np.float32(0.015))
        sound += np.float32(0.15) * knock
        return sound * envelope(len(t), attack_s=0.003, release_s=0.15)

    return play


def _draw_electric_piano(rng: np.random.Generator) -> Instrument:
    depth, ratio = float(rng.uniform(0.6, 2.2)), float(rng.choice((1.0, 1.0, 2.0)))
    tremolo_hz = float(rng.uniform(3, 6))

    def play(pitch: float, duration_s: float) -> Signal:
        t = np.arange(samples_of(min(duration_s + 0.2, 2.5))) / RATE_HZ
        w = 2 * np.pi * hertz(pitch)
        bend = depth * np.exp(-t / 0.4) * np.sin(ratio * w * t) + 0.3 * np.exp(-t / 0.03) * np.sin(7 * w * t)
        tone = np.sin(w * t + bend) * np.exp(-t / 1.2) * (1 + 0.15 * np.sin(2 * np.pi * tremolo_hz * t))
        return np.asarray(tone, np.float32) * envelope(len(t), attack_s=0.004, release_s=0.12)

    return play


def draw_guitar(rng: np.random.Generator) -> Instrument:
    """A plucked string: noise in a loop that loses treble at each turn (Karplus and Strong)."""
    damping = float(rng.uniform(0.988, 0.997))
    pick_hz = float(rng.uniform(2500, 7000))
    seed = int(rng.integers(1 << 31))

    def play(pitch: float, duration_s: float) -> Signal:
        frames = samples_of(min(duration_s + 0.3, 2.0))
        period = RATE_HZ / hertz(pitch) - 0.5
        whole = int(period)
        part = period - whole
        local = np.random.default_rng((seed, round(pitch)))
        pluck = np.zeros(frames)
        pluck[: whole + 1] = filtered(noise(local, whole + 1), "lowpass", pick_hz)[: whole + 1]
        loop = np.zeros(whole + 3)
        loop[0] = 1.0
        loop[whole : whole + 3] = -damping * 0.5 * np.array([1 - part, 1.0, part])
        sound = np.asarray(signal.lfilter([1.0], loop, pluck), np.float32)
        return sound * envelope(frames, attack_s=0.001, release_s=0.1) / np.float32(np.abs(sound).max() + 1e-6)

    return play


def draw_sustained(rng: np.random.Generator, kind: str) -> Instrument:
    """kind: pad, organ, brass, flute or lead."""
    seed = int(rng.integers(1 << 31))
    cutoff_hz = float(rng.uniform(1200, 4500))
    detune = float(rng.uniform(0.03, 0.12))
    drawbars = rng.uniform(0.1, 1.0, 5)
    play = {"pad": _pad, "organ": _organ, "brass": _brass, "flute": _flute, "lead": _lead}[kind]
    return partial(play, seed, cutoff_hz, detune, drawbars)


def _pad(seed: int, cutoff_hz: float, detune: float, _: object, pitch: float, duration_s: float) -> Signal:
    frames = samples_of(duration_s + 0.4)
    local = np.random.default_rng((seed, round(pitch)))
    tone = np.zeros(frames, np.float32)
    for cents in (-detune, 0.0, detune):
        tone += steady(hertz(pitch + cents), frames, slope=1.0, phase=float(local.uniform()))
    return filtered(tone / 2, "lowpass", cutoff_hz) * envelope(frames, attack_s=0.25, release_s=0.4)


def _organ(_: int, __: float, ___: float, drawbars: object, pitch: float, duration_s: float) -> Signal:
    t = np.arange(samples_of(duration_s)) / RATE_HZ
    tone = np.zeros(len(t))
    for multiple, level in zip((0.5, 1, 1.5, 2, 4), np.asarray(drawbars), strict=True):
        tone += level * np.sin(2 * np.pi * multiple * hertz(pitch) * t)
    return np.asarray(tone / 2, np.float32) * envelope(len(t), attack_s=0.01, release_s=0.05)


def _brass(seed: int, cutoff_hz: float, detune: float, _: object, pitch: float, duration_s: float) -> Signal:
    frames = samples_of(duration_s)
    local = np.random.default_rng((seed, round(pitch)))
    tone = steady(hertz(pitch), frames, slope=0.8) + steady(
        hertz(pitch + detune), frames, slope=0.8, phase=float(local.uniform())
    )
    swell = envelope(frames, attack_s=0.08, release_s=0.08)
    soft = filtered(tone, "lowpass", 700.0)
    return (soft + swell * (filtered(tone, "lowpass", cutoff_hz) - soft)) * swell * np.float32(0.7)


def _flute(seed: int, _: float, __: float, ___: object, pitch: float, duration_s: float) -> Signal:
    frames = samples_of(duration_s)
    local = np.random.default_rng((seed, round(pitch * 8)))
    tone = steady(hertz(pitch), frames, slope=2.2)
    air = filtered(noise(local, frames), "bandpass", hertz(pitch), hertz(pitch) * 3)
    return (tone + np.float32(0.15) * air) * envelope(frames, attack_s=0.05, release_s=0.08)


def _lead(_: int, cutoff_hz: float, __: float, ___: object, pitch: float, duration_s: float) -> Signal:
    frames = samples_of(duration_s)
    glide = hertz(pitch) * (1 - 0.06 * np.exp(-np.arange(frames) / RATE_HZ / 0.015))
    tone = oscillate(glide, slope=1.0, odd_only=True)
    return filtered(tone, "lowpass", cutoff_hz * 1.5) * envelope(frames, attack_s=0.008, release_s=0.05)
