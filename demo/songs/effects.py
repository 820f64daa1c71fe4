"""Effects, each from one array to another: mono (frames,) or stereo (frames, 2), float32."""

import numpy as np
from scipy import ndimage, signal

from demo.songs.synthesis import RATE_HZ, Signal, filtered, noise, samples_of


def pan(x: Signal, position: float) -> Signal:
    """Mono to stereo at equal power; position -1 is left, 1 right."""
    angle = (position + 1) * np.pi / 4
    return x[:, None] * np.array([np.cos(angle), np.sin(angle)], np.float32)


def reverb(x: Signal, rng: np.random.Generator, *, decay_s: float, wet: float, bright_hz: float = 6000.0) -> Signal:
    """A room: stereo in, stereo out. decay_s is the time to -60 dB, wet its energy beside the dry sound's."""
    frames = samples_of(decay_s)
    t = np.arange(frames) / RATE_HZ
    fade = (10 ** (-3 * t / decay_s)).astype(np.float32)
    fade *= np.minimum(t / 0.012, 1.0).astype(np.float32)  # the first reflections take a moment
    out = x.copy()
    for channel in range(2):
        response = filtered(filtered(noise(rng, frames) * fade, "lowpass", bright_hz, order=1), "highpass", 180.0)
        response *= np.float32(wet) / np.sqrt(np.sum(response**2))
        out[:, channel] += signal.oaconvolve(x.mean(axis=1), response)[: len(x)]
    return out


def echo(x: Signal, *, time_s: float, feedback: float, wet: float) -> Signal:
    """Repeats that change sides and lose treble; stereo."""
    out, repeat, gain = x.copy(), x, wet
    step = samples_of(time_s)
    for _ in range(5):
        repeat = filtered(repeat[:, ::-1], "lowpass", 4000.0, order=1)
        shifted = np.zeros_like(repeat)
        shifted[step:] = repeat[: len(repeat) - step]
        repeat = shifted
        out += np.float32(gain) * repeat
        gain *= feedback
        if gain < 0.02:
            break
    return out


def chorus(x: Signal, *, rate_hz: float, depth_s: float, wet: float) -> Signal:
    """Mono to stereo: a copy a channel whose delay sways, in opposite senses."""
    at = np.arange(len(x))
    out = np.empty((len(x), 2), np.float32)
    for channel, sign in enumerate((1, -1)):
        sway = 0.012 + sign * depth_s * np.sin(2 * np.pi * rate_hz * at / RATE_HZ)
        out[:, channel] = x + wet * np.interp(at - sway * RATE_HZ, at, x, left=0.0)
    return out * np.float32(1 / np.sqrt(1 + wet * wet))


def drive(x: Signal, amount: float) -> Signal:
    """Soft clipping; amount 0.5 warms, 4 distorts."""
    level = np.float32(np.sqrt(np.mean(x**2)) + 1e-9) * 4
    soft = np.tanh(x / level * np.float32(amount)) * level / np.float32(max(amount, 1.0) ** 0.7)
    return np.asarray(soft, np.float32)


def compressor_gain(x: Signal, *, threshold_db: float, ratio: float) -> Signal:
    """The gain (frames, 1) of a compressor; threshold_db is relative to the signal's own RMS."""
    power = np.mean(x.reshape(len(x), -1) ** 2, axis=1)
    step = 64  # samples; the envelope is slow
    coarse = ndimage.gaussian_filter1d(power[::step].astype(np.float64), 0.010 * RATE_HZ / step)
    over_db = 10 * np.log10(coarse / (power.mean() + 1e-12) + 1e-9) - threshold_db
    gain_db = -np.maximum(over_db, 0.0) * (1 - 1 / ratio)
    fine = np.interp(np.arange(len(x)), np.arange(len(gain_db)) * step, gain_db)
    gain: Signal = (10 ** (fine / 20)).astype(np.float32)[:, None]
    return gain


def compress(x: Signal, *, threshold_db: float = 0.0, ratio: float = 3.0) -> Signal:
    gain = compressor_gain(x, threshold_db=threshold_db, ratio=ratio)
    return x * (gain if x.ndim == 2 else gain[:, 0])
