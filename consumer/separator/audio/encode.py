"""Encodes one stem through an ffmpeg pipe.

The output formats are rows in `catalog`.
"""

import fcntl
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from consumer.core.catalog import FORMATS
from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import PIPE_BYTES, FFmpeg
from consumer.separator.audio.tags import Cover, Tags, input_args, output_args
from consumer.separator.dsp.spectral import Samples


class Encoder:
    """One stem file being written. Not thread-safe; use as a context manager, and `finish` before leaving it."""

    def __init__(
        self,
        ffmpeg: FFmpeg,
        path: Path,
        *,
        rate_hz: int,
        format: str,
        bitrate: str | None = None,
        tags: Tags,
        cover: Cover | None,
    ) -> None:
        row = FORMATS[format]
        self._takes = row.takes
        args = ["-loglevel", "error", "-f", row.takes, "-ar", str(rate_hz), "-ac", "2", "-i", "pipe:0"]
        args += [*input_args(row, cover), *output_args(row, tags, cover, path.stem), *row.encoder_args(bitrate)]
        self._running = ffmpeg.start([*args, "-y", f"file:{path}"], feeds=True)
        assert self._running.process.stdin
        fcntl.fcntl(self._running.process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def write(self, samples: Samples) -> None:
        """Append float32 (samples, 2), -1..1; integer formats clip. Raises as `finish`."""
        assert self._running.process.stdin
        try:
            data = (as_s16(samples) if self._takes == "s16le" else samples).data.cast("B")
            while data:
                data = data[self._running.process.stdin.write(data) :]
        except BrokenPipeError:
            self._fail()

    def finish(self) -> None:
        """Close the file. Raises Rejected(SEPARATION_FAILED), WorkerCrashed."""
        assert self._running.process.stdin
        self._running.process.stdin.close()
        if self._running.wait() != 0:
            self._fail()

    def _fail(self) -> None:
        code = self._running.wait()
        words = (self._running.words or ["no reason given"])[-1][:200]
        raise Rejected(Code.SEPARATION_FAILED, f"the encoder ended with code {code}: {words}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.stop()


def as_s16(samples: Samples) -> NDArray[np.int16]:
    """-1..1 as 16-bit integers, clipped: the ones that ffmpeg, and so Spleeter, makes of them."""
    scaled = samples * np.float32(1 << 15)
    np.rint(scaled, out=scaled)
    return scaled.clip(-(1 << 15), (1 << 15) - 1, out=scaled).astype(np.int16)
