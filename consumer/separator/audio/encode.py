"""Encodes one stem through an ffmpeg pipe. The output formats are rows in `consumer.core.catalog`."""

import fcntl
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a track's stems are written.

    format: a name in FORMATS. rate_hz: of the samples that come. bitrate: as ffmpeg takes it, such as 192k; None for
    the format's own. tags, cover: the track's, for those formats that hold them.
    """

    format: str
    rate_hz: int
    bitrate: str | None = None
    tags: Tags = field(default_factory=Tags)
    cover: Cover | None = None


class Encoder:
    """One stem file being written; its name without the ending is the stem's.

    Not thread-safe. Use it as a context manager, and `finish` before leaving it.
    """

    def __init__(self, ffmpeg: FFmpeg, path: Path, encoding: Encoding) -> None:
        row = FORMATS[encoding.format]
        self._takes = row.takes
        args = ["-loglevel", "error", "-f", row.takes, "-ar", str(encoding.rate_hz), "-ac", "2", "-i", "pipe:0"]
        args += input_args(row, encoding.cover)
        args += output_args(row, encoding.tags, encoding.cover, path.stem)
        args += row.encoder_args(encoding.bitrate)
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
        reason = (self._running.stderr_lines or ["no reason given"])[-1][:200]
        raise Rejected(Code.SEPARATION_FAILED, f"the encoder ended with code {code}: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.stop()


def as_s16(samples: Samples) -> NDArray[np.int16]:
    """Float32 samples, -1..1, as 16-bit integers, clipped: the ones that ffmpeg, and so Spleeter, makes of them."""
    scaled = samples * np.float32(1 << 15)
    np.rint(scaled, out=scaled)
    return scaled.clip(-(1 << 15), (1 << 15) - 1, out=scaled).astype(np.int16)
