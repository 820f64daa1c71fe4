"""Decodes a local file to stereo float32 at the model's rate, through an ffmpeg pipe, as Spleeter would."""

import fcntl
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from consumer.core.errors import Code, Rejected
from consumer.core.model import AudioFacts
from consumer.separator.audio.ffmpeg import PIPE_BYTES, FFmpeg, FFmpegProcess, reason_in
from consumer.separator.audio.mixdown import stereo_filters
from consumer.separator.audio.probe import Probe, probe
from consumer.separator.audio.tracks import AudioFile
from consumer.separator.dsp.spectral import Samples

_LOUDEST = 1e6  # 120 dB over full scale: no music, but its square is still a number


class Decoder:
    """One file being decoded. Not thread-safe; use it as a context manager.

    file: a path, or with it the audio track that is meant. rate_hz: of the samples that `read` gives. start_s,
    duration_s: the span to decode, None for all. max_s: longer audio is refused, as soon as that is known.
    Opening raises Rejected(AUDIO_EMPTY, AUDIO_UNDECODABLE, FORMAT_NOT_ALLOWED), WorkerCrashed.
    """

    def __init__(
        self,
        ffmpeg: FFmpeg,
        file: Path | AudioFile,
        *,
        rate_hz: int,
        start_s: float | None = None,
        duration_s: float | None = None,
        max_s: float,
    ) -> None:
        source = file if isinstance(file, AudioFile) else AudioFile(path=file)
        self.probe: Probe = probe(ffmpeg, source.path, source.track)
        self.samples = 0
        self._ffmpeg, self._path, self._rate_hz = ffmpeg, source.path, rate_hz
        self._start_s = start_s
        self._max_s = max_s
        self._source_channels = 2  # whatever the file has, and wherever that changes within it
        self._running = self._start(start_s, duration_s)

    def _start(self, start_s: float | None, duration_s: float | None) -> FFmpegProcess:
        args = [
            *self._ffmpeg.open_args(self._path, codec=self.probe.codec),
            "-loglevel",
            "error",
            "-map",
            f"0:a:{self.probe.track}",
        ]
        # Behind the input, so that the cut is exact to the sample in every format, as in Spleeter.
        args += ["-ss", f"{start_s:.6f}"] if start_s else []
        args += ["-t", f"{duration_s:.6f}"] if duration_s is not None else []
        args += [*_mixdown(self.probe), "-ar", str(self._rate_hz), "-f", "f32le", "pipe:1"]
        running = self._ffmpeg.start(args, reads=True)
        assert running.process.stdout
        fcntl.fcntl(running.process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return running

    def read(self, count: int) -> Samples:
        """The next `count` samples, float32 (count, 2); fewer only at the end. Values that are no number become 0,
        and what could become none on the way is cut to _LOUDEST.

        Raises Rejected(AUDIO_UNDECODABLE, AUDIO_EMPTY, OFFSET_PAST_END, AUDIO_TOO_LONG), WorkerCrashed.
        """
        block = np.empty((count, self._source_channels), np.float32)
        filled = _fill(self._running, block.data.cast("B"))
        block = block[: filled // (4 * self._source_channels)]
        self.samples += len(block)
        if len(block) < count:
            self._end()
        if self.samples > self._max_s * self._rate_hz:
            raise too_long(self._max_s)
        if not np.abs(block).max(initial=0.0) <= _LOUDEST:  # so that NaN is caught too
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0).clip(-_LOUDEST, _LOUDEST)
        return block

    def _end(self) -> None:
        code = self._running.wait()
        if code != 0:
            reason = reason_in(self._running.stderr_lines)
            raise Rejected(Code.AUDIO_UNDECODABLE, f"ffmpeg gave up with code {code}: {reason}")
        if self.samples == 0:
            if self._start_s and self._has_audio_before_start():
                raise Rejected(Code.OFFSET_PAST_END, f"the audio ends before start_s = {self._start_s:g}")
            raise Rejected(Code.AUDIO_EMPTY, "the file holds no samples")

    def _has_audio_before_start(self) -> bool:
        other = self._start(None, None)
        try:
            return _fill(other, memoryview(bytearray(4))) == 4
        finally:
            other.stop()

    def is_longer_than(self, limit_s: float) -> bool:
        """Whether more than limit_s can really be decoded: headers lie. Decodes as much in a second process."""
        other = self._start(self._start_s, limit_s + 1.0)
        try:
            chunk = memoryview(bytearray(PIPE_BYTES))
            limit_bytes = int(limit_s * self._rate_hz) * 4 * self._source_channels
            decoded_bytes = 0
            while (count := _fill(other, chunk)) and decoded_bytes <= limit_bytes:
                decoded_bytes += count
            return decoded_bytes > limit_bytes
        finally:
            other.stop()

    @property
    def facts(self) -> AudioFacts:
        """What was found; `duration_s` counts the samples decoded so far."""
        return AudioFacts(
            format=self.probe.format,
            duration_s=self.samples / self._rate_hz,
            channels=self.probe.channels,
            sample_rate_hz=self.probe.sample_rate_hz,
            track=self.probe.track,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.stop()


def too_long(max_s: float) -> Rejected:
    """What a file is refused with that is longer than max_s seconds."""
    return Rejected(Code.AUDIO_TOO_LONG, f"the audio is longer than MAX_AUDIO_SECONDS = {max_s:g}")


def _mixdown(found: Probe) -> list[str]:
    return ["-af", stereo_filters(found.layout, found.channels)]


def _fill(running: FFmpegProcess, buffer: memoryview) -> int:
    """Read until the buffer is full or the stream ends; returns the bytes read."""
    assert running.process.stdout
    filled = 0
    while filled < len(buffer):
        count = running.process.stdout.readinto(buffer[filled:])  # type: ignore[attr-defined]
        if not count:
            break
        filled += count
    return filled
