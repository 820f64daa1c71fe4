"""Writes samples of any number of channels to a file by ffmpeg, as Spleeter's audio adapter does."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from consumer.separator.audio.ffmpeg import FFmpeg, reason_in
from consumer.separator.dsp.spectral import Samples
from consumer.separator.spleeter_api.errors import SpleeterError
from consumer.separator.spleeter_api.options import Writing

_BLOCK_SAMPLES = 1 << 15


def write_samples(ffmpeg: FFmpeg, path: Path, samples: Samples, rate_hz: int, how: Writing) -> None:
    """Write float (samples, channels), -1..1, to `path`. Raises SpleeterError, with ffmpeg's reason."""
    if len(samples) < how.row.fewest_samples:
        least = how.row.fewest_samples
        raise SpleeterError(f"{how.format} holds no fewer than {least} samples, and there are {len(samples)}")
    fed = ["-f", "f32le", "-ar", str(rate_hz), "-ac", str(samples.shape[1]), "-i", "pipe:0"]
    _run(ffmpeg, [*fed, *_output(path, how)], _encoded(samples, how))


def transcode(ffmpeg: FFmpeg, source: Path, path: Path, how: Writing) -> None:
    """Write a sound file's samples to another file. Raises SpleeterError, with ffmpeg's reason."""
    _run(ffmpeg, [*ffmpeg.open_args(source), "-map", "0:a:0", *_output(path, how)], iter(()))


def _output(path: Path, how: Writing) -> list[str]:
    return [*how.row.encoder_args(how.bitrate), "-y", f"file:{path}"]


def _run(ffmpeg: FFmpeg, args: list[str], blocks: Iterator[Samples]) -> None:
    running = ffmpeg.start(["-loglevel", "error", *args], feeds=True)
    try:
        pipe = running.process.stdin
        assert pipe
        try:
            for block in blocks:
                data = np.ascontiguousarray(block).data.cast("B")
                while data:
                    data = data[pipe.write(data) :]
        except BrokenPipeError:
            pass  # it says why in the end
        finally:
            pipe.close()
        if code := running.wait():
            raise SpleeterError(f"FFMPEG error: it ended with code {code}: {reason_in(running.stderr_lines)}")
    finally:
        running.stop()


def _encoded(samples: Samples, how: Writing) -> Iterator[Samples]:
    for start in range(0, len(samples), _BLOCK_SAMPLES):
        block = samples[start : start + _BLOCK_SAMPLES].astype(np.float32)
        if not np.isfinite(block).all():
            block = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
        if how.row.highest_sample is not None:
            block = block.clip(-how.row.highest_sample, how.row.highest_sample)
        yield block
