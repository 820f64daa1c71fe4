"""Compares what a decoder gave with what a file truly holds: length, start, channels, gain, noise."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from harness.corpus.signal import Samples
from harness.corpus.specimen import RESAMPLED_DB, Truth

_WINDOW = 16384  # samples in which a moment is looked for
_FROM_EACH_END = 3 * _WINDOW
_FARTHEST = 8000  # how far from its place
_RINGING = 300
_BLURRED_S = 0.06  # of a silence, where a frame of a codec reaches into it
_FEWEST = 2048  # of fewer samples only length and noise can be told


def differences(heard: NDArray[np.floating[Any]], rate_hz: int, truth: Truth, mix: Samples) -> list[str]:
    """What is not as it should be, a sentence each that begins with length, start, end, channels or noise.

    heard: float (frames, outputs) at rate_hz. mix: float (channels, outputs), how much of each channel is expected.
    """
    return list(_differences(heard.astype(np.float64), rate_hz, truth, mix))


def _differences(heard: Samples, rate_hz: int, truth: Truth, mix: Samples) -> Iterator[str]:
    signal, precision = truth.signal, truth.precision
    ratio = rate_hz / signal.rate_hz
    wanted_frames = (signal.frames + truth.late_frames) * ratio
    slack = precision.length_frames * ratio + (1.0 if ratio != 1 else 0.0)
    if abs(len(heard) - wanted_frames) > slack:
        yield f"length: {len(heard)} for {wanted_frames:.0f}"
    if heard.shape[1] != mix.shape[1]:
        yield f"channels: {heard.shape[1]} for {mix.shape[1]}"
        return
    late = round(truth.late_frames * ratio)
    numbers = _looked_at(len(heard))
    heard = heard[numbers]
    times_s = (numbers - late) / rate_hz
    parts, wanted_gains = _parts(times_s, rate_hz, truth), np.vstack((mix, mix.sum(axis=0)))
    # What may be left out is no part of it, but its share of the voice is told from the others'.
    wanted = parts @ np.nan_to_num(np.vstack((mix, np.nansum(mix, axis=0))))
    if len(heard) < _FEWEST:
        is_lossless = precision.noise_db < -25
        if is_lossless and len(heard) and (noise_db := _db(np.abs(heard - wanted).max())) > precision.noise_db:
            yield f"noise: {noise_db:.0f} dB"
        return
    shift = 0
    for name, place in (("start", slice(0, _WINDOW)), ("end", slice(-_WINDOW, None))):
        lag = _lag(heard[place], wanted[place])
        if lag is None:
            yield f"{name}: nothing of it is heard"
            return
        if abs(lag) > precision.start_frames * ratio:
            yield f"{name}: {lag} late" if lag > 0 else f"{name}: {-lag} early"
        shift = lag if name == "start" else shift
    yield from _silences(heard, times_s, truth)
    yield from _gains(heard, parts, wanted_gains, truth, shift)


def _looked_at(frames: int) -> NDArray[np.int64]:
    """The frames that are compared: of a long file the first and the last ones."""
    if frames <= 2 * _FROM_EACH_END:
        return np.arange(frames)
    return np.concatenate((np.arange(_FROM_EACH_END), np.arange(frames - _FROM_EACH_END, frames)))


def _silences(heard: Samples, times_s: Samples, truth: Truth) -> Iterator[str]:
    for start_s, end_s in truth.silences_s:
        within = heard[(times_s > start_s + _BLURRED_S) & (times_s < end_s - _BLURRED_S)]
        if len(within) and np.abs(within).max() > 0.01:
            yield f"noise: between {start_s:g} and {end_s:g} s, where nothing is"


def _parts(times_s: Samples, rate_hz: int, truth: Truth) -> Samples:
    """What each part of the signal is at these moments."""
    signal = truth.signal
    parts = signal.parts(times_s)
    parts[(times_s < 0) | (times_s >= signal.seconds - 0.5 / max(rate_hz, signal.rate_hz))] = 0
    for start_s, end_s in truth.silences_s:
        parts[(times_s >= start_s) & (times_s < end_s)] = 0
    return parts


def _lag(heard: Samples, wanted: Samples) -> int | None:
    """Samples by which `heard` is late, by the largest correlation of all outputs together; None if there is none."""
    products = sum(
        dsp.correlate(heard[:, output], wanted[:, output], "full", "fft") for output in range(heard.shape[1])
    )
    middle = len(wanted) - 1
    near = products[max(0, middle - _FARTHEST) : middle + _FARTHEST + 1]
    scale = np.linalg.norm(heard) * np.linalg.norm(wanted)
    if scale == 0:
        return None if np.any(wanted) != np.any(heard) else 0
    if near.max() < 0.3 * scale:
        return None
    return int(np.argmax(near)) - min(middle, _FARTHEST)


def _gains(heard: Samples, parts: Samples, wanted_gains: Samples, truth: Truth, shift: int) -> Iterator[str]:
    """What is wrong with the parts' gains, after a wrong start is put right."""
    heard, parts = (heard[shift:], parts[: len(parts) - shift]) if shift >= 0 else (heard[:shift], parts[-shift:])
    count = min(len(heard), len(parts))
    heard, parts = heard[:count], parts[:count]
    found = np.linalg.solve(parts.T @ parts + np.eye(parts.shape[1]) * 1e-9, parts.T @ heard)  # least squares
    precision = truth.precision
    for part, (got, asked) in enumerate(zip(found, wanted_gains, strict=True)):
        name = "the voice" if part == len(found) - 1 else f"channel {part}"
        for output in range(len(asked)):
            if not _is_right(got[output], asked[output], truth):
                yield f"channels: {name} in output {output} is {got[output]:.3f} for {asked[output]:.3f}"
    if truth.signal.rate_hz != 44100:  # where a signal begins and ends at once, resampling rings
        heard, parts = heard[_RINGING:-_RINGING], parts[_RINGING:-_RINGING]
    model = parts @ (wanted_gains if truth.is_mix_exact else found)
    level = np.linalg.norm(model)
    noise_db = _db(float(np.linalg.norm(heard - model) / level)) if level else _db(np.abs(heard).max())
    floor_db = precision.noise_db if truth.signal.rate_hz == 44100 else max(precision.noise_db, RESAMPLED_DB)
    if noise_db > floor_db:
        yield f"noise: {noise_db:.0f} dB"


def _is_right(got: float, asked: float, truth: Truth) -> bool:
    if np.isnan(asked):
        return True
    if not truth.is_mix_exact:
        return abs(got) > 0.1 if asked else abs(got) < 0.05
    return bool(abs(got - asked) <= max(abs(asked), 0.5) * (10 ** (truth.precision.gain_db / 20) - 1))


def _db(share: float) -> float:
    return float(20 * np.log10(max(share, 1e-12)))
