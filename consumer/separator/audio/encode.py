"""Encodes one stem through an ffmpeg pipe. The output formats are rows in `consumer.core.catalog`."""

import contextlib
import errno
import fcntl
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from consumer.core.catalog import FORMATS
from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import PIPE_BYTES, FFmpeg, FFmpegProcess, reason_in
from consumer.separator.audio.tags import Cover, Tags, input_args, output_args
from consumer.separator.dsp.spectral import Samples

_SILENCE_BYTES = 1 << 15  # a tenth of a second, in any sample format
_LOCAL_TROUBLE = tuple(  # in an encoder's words: never the audio's fault
    map(
        os.strerror,
        (
            *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES),
            *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
            *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
        ),
    )
)


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
        self._row = FORMATS[encoding.format]
        self._samples = 0
        self._ffmpeg, self._path, self._encoding = ffmpeg, path, encoding
        self._running = _start(ffmpeg, path, encoding)
        assert self._running.process.stdin
        fcntl.fcntl(self._running.process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def write(self, samples: Samples) -> None:
        """Append float32 (samples, 2), -1..1; integer formats clip, and encoders that need it. Raises as `finish`."""
        assert self._running.process.stdin
        self._samples += len(samples)
        try:
            highest = self._row.highest_sample
            if highest is not None and np.abs(samples).max(initial=0.0) > highest:
                samples = samples.clip(-highest, highest)
            data = samples.data.cast("B")
            while data:
                data = data[self._running.process.stdin.write(data) :]
        except BrokenPipeError:
            self._fail()

    def finish(self) -> None:
        """Close the file. Raises Rejected(REQUEST_INVALID) where the format can't hold so little audio,
        Rejected(AUDIO_UNDECODABLE) where the audio is to blame otherwise, Rejected(SEPARATION_FAILED) where this
        machine is, WorkerCrashed.
        """
        if self._samples < self._row.fewest_samples:
            raise Rejected(
                Code.REQUEST_INVALID,
                f"output.format {self._encoding.format} holds no fewer than {self._row.fewest_samples} samples,"
                f" and there are {self._samples}",
            )
        assert self._running.process.stdin
        self._running.process.stdin.close()
        if self._running.wait() != 0:
            self._fail()

    def _fail(self) -> None:
        code = self._running.wait()
        lines = self._running.stderr_lines
        reason = reason_in(lines)
        is_ours = any(trouble in line for line in lines for trouble in _LOCAL_TROUBLE)
        plain = replace(self._encoding, tags=Tags(), cover=None)
        if is_ours or not encodes_silence(self._ffmpeg, self._path.parent, plain):
            raise Rejected(Code.SEPARATION_FAILED, f"the encoder ended with code {code}: {reason}")
        raise Rejected(Code.AUDIO_UNDECODABLE, f"a stem of it can't be written as {self._encoding.format}: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.stop()


def _start(ffmpeg: FFmpeg, path: Path, encoding: Encoding) -> FFmpegProcess:
    row = FORMATS[encoding.format]
    args = ["-loglevel", "error", "-f", "f32le", "-ar", str(encoding.rate_hz), "-ac", "2", "-i", "pipe:0"]
    args += input_args(row, encoding.cover)
    args += output_args(row, encoding.tags, encoding.cover, path.stem)
    args += row.encoder_args(encoding.bitrate)
    return ffmpeg.start([*args, "-y", f"file:{path}"], feeds=True)


def encodes_silence(ffmpeg: FFmpeg, folder: Path, encoding: Encoding) -> bool:
    """Whether a little silence can be written in this way, into a file in `folder` that is removed again.

    Tells an encoding that works from one that does not. Raises WorkerCrashed.
    """
    path = folder / ".silence"
    running = _start(ffmpeg, path, encoding)
    try:
        assert running.process.stdin
        with contextlib.suppress(BrokenPipeError):
            running.process.stdin.write(bytes(_SILENCE_BYTES))
            running.process.stdin.close()
        return running.wait() == 0
    finally:
        running.stop()
        path.unlink(missing_ok=True)
