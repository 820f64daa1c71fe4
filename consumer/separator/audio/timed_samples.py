"""Samples from an ffmpeg, laid out in time: beside them it tells when each of its frames is to be heard."""

import contextlib
import fcntl
import os
import select
import sys
import termios
import time
from collections.abc import Collection, Iterator, Sequence

from consumer.separator.audio.ffmpeg import PIPE_BYTES, FFmpeg, FFmpegProcess, complaint_in
from consumer.separator.audio.stall import Stall
from consumer.separator.audio.timeline import Frame, Run, Timeline
from consumer.separator.dsp.spectral import Samples

_LINES_BYTES = 1 << 16
_FRAME_BYTES = 8  # two channels of float32
_MANY_BYTES = 1 << 12  # of times that came together
_TIMES_BYTES = 1 << 18  # of times that wait: of the shortest frames too, those whose samples it still keeps
_PATIENCE_MS = 20
# To be woken for each block that it writes costs both sides more than the block does: so many bytes are waited for, but
# for no longer than so many short naps.
_MANY_SAMPLES_BYTES, _NAP_S, _NAPS = 1 << 19, 0.001, 8


class TimedSamples:
    """One ffmpeg that decodes, and what it gives, with silence for what is missing. Not thread-safe.

    is_in_gap: whether what was read last stands for what is missing between other samples.
    """

    def __init__(
        self,
        ffmpeg: FFmpeg,
        args: Sequence[str],
        *,
        timeline: Timeline,
        continues: bool = False,
        besides: Collection[str] = (),
    ) -> None:
        """args: ffmpeg's, from its input to the rate of its output, which has two channels. continues: whether there
        were others before, so that silence at the start is a gap too. besides: decoders of its that are not the
        sound's.
        """
        self.is_in_gap = False
        self._timeline, self._besides = timeline, besides
        self._has_begun = continues
        self._run = Run(silence=0, samples=0)
        self._early = bytearray()  # samples that came while times were waited for
        self._line = b""  # half of one
        self._lines = b""  # that came while samples were waited for
        self._next_pts = 0
        self._times, times_in = os.pipe()
        try:
            with contextlib.suppress(OSError):  # then they are taken in when samples fail to come
                fcntl.fcntl(self._times, fcntl.F_SETPIPE_SZ, _TIMES_BYTES)
            # The times go first, each as it comes, so that what was written of the samples is in them. Samples come in
            # the blocks that it writes files in: a frame at a time, each would wake whoever waits for them.
            tee = rf"[f=framecrc:flush_packets=1]pipe\:{times_in}|[f=f32le:flush_packets=0]pipe\:1"
            self._process = ffmpeg.start(
                [*args, "-c:a", "pcm_f32le", "-f", "tee", tee], reads=True, inherits=(times_in,)
            )
        except BaseException:
            os.close(self._times)
            raise
        finally:
            os.close(times_in)
        self._stall = Stall(self._process.process.pid)
        assert self._process.process.stdout
        self._samples = self._process.process.stdout
        fcntl.fcntl(self._samples, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._samples_only, self._any = select.poll(), select.poll()
        self._any.register(self._times, select.POLLIN)
        for poll in (self._samples_only, self._any):
            poll.register(self._samples, select.POLLIN)
        self._are_short = False
        os.set_blocking(self._times, False)
        self._has_times, self._has_samples = True, True

    @property
    def process(self) -> FFmpegProcess:
        """The ffmpeg."""
        return self._process

    @property
    def complaint(self) -> str | None:
        """Its first reason for not being content; None without one."""
        return complaint_in(self._process.stderr_lines, besides=self._besides)

    def read_into(self, block: Samples) -> int:
        """Write the next samples to the start of `block`, float32 (samples, 2); returns how many, 0 at the end.

        Raises Rejected(AUDIO_UNDECODABLE) where it works and works, and gives nothing.
        """
        if not self._has_run():
            return 0
        self.is_in_gap = self._run.silence > 0 and self._has_begun
        if self._run.silence:
            count = self.skip_silence(len(block))
            block[:count] = 0.0
            return count
        count = self._read_samples(block[: self._run.samples])
        self._run = Run(silence=0, samples=self._run.samples - count if count else 0)
        self._has_begun = True
        return count

    def skip_silence(self, most: int) -> int:
        """Pass over silence that comes next, if any, but over no more than this; returns how much it was."""
        count = min(self._run.silence, most) if self._has_run() else 0
        self._run = Run(silence=self._run.silence - count, samples=self._run.samples)
        return count

    def _has_run(self) -> bool:
        """Whether there is more to come, which then stands in `_run`. Waits for it."""
        while not self._run.silence and not self._run.samples:
            if run := self._timeline.take():
                self._run = run
            elif not self._has_times:
                return False
            else:
                self._wait_for_times()
        return True

    def _wait_for_times(self) -> None:
        """Take in times, and where there are none, samples: it writes no times while nobody takes its samples."""
        # Times come one by one, samples many at a time and behind theirs: it is cheaper to wait for these, unless
        # frames are so short that times are more than the samples.
        lines = self._new_times()
        if lines is None:
            if self._are_short or not self._has_samples:
                self._any.poll(_PATIENCE_MS)
            elif ready := self._samples_only.poll(_PATIENCE_MS):
                self._let_gather(ready)
            lines = self._new_times()
            if lines is None and self._has_samples and self._samples_only.poll(0):
                self._take_early()
        if lines is None:
            self._stall.check()
        else:
            self._stall.heard()
        if lines:
            self._are_short = len(lines) > _MANY_BYTES
            self._timeline.add(self._frames_in(lines))
        elif lines is not None:
            self._has_times = False
            self._timeline.end()

    def _let_gather(self, ready: list[tuple[int, int]]) -> None:
        """Wait until there are many samples, or no more of them, or it is not as fast as that."""
        count = bytearray(4)
        for _ in range(_NAPS):
            fcntl.ioctl(self._samples, termios.FIONREAD, count)
            if ready[0][1] & select.POLLHUP or int.from_bytes(count, sys.byteorder) >= _MANY_SAMPLES_BYTES:
                return
            time.sleep(_NAP_S)
            ready = self._samples_only.poll(0)

    def _new_times(self) -> bytes | None:
        """What it wrote of them; nothing at the end, None while there is nothing new."""
        if self._lines:
            lines, self._lines = self._lines, b""
            return lines
        try:
            return os.read(self._times, _LINES_BYTES)
        except BlockingIOError:
            return None

    def _take_early(self) -> None:
        samples = os.read(self._samples.fileno(), PIPE_BYTES)
        self._early += samples
        if not samples:
            self._has_samples = False
            self._any.unregister(self._samples)

    def _frames_in(self, lines: bytes) -> Iterator[Frame]:
        """Stream, decoding time, time, duration, bytes and checksum a line, but for comments, which begin with #."""
        *whole, self._line = (self._line + lines).split(b"\n")
        for line in whole:
            if line and not line.startswith(b"#"):
                _, _, told, _, size, _ = line.split(b",", 5)
                pts, count = self._next_pts if b"NOPTS" in told else int(told), int(size) // _FRAME_BYTES
                self._next_pts = pts + count
                if count:
                    yield Frame(pts, count)

    def _read_samples(self, block: Samples) -> int:
        buffer = block.data.cast("B")
        filled = min(len(self._early), len(buffer))
        buffer[:filled] = self._early[:filled]
        del self._early[:filled]
        while filled < len(buffer):
            self._wait_for_samples()
            count = self._samples.readinto(buffer[filled:])  # type: ignore[attr-defined]
            if not count:
                break
            filled += count
        return filled // _FRAME_BYTES

    def _wait_for_samples(self) -> None:
        """Until there are some, or no more. Takes in times meanwhile: where nobody does it gives no samples either."""
        while not self._samples_only.poll(_PATIENCE_MS):
            before = len(self._lines)
            with contextlib.suppress(BlockingIOError):
                self._lines += os.read(self._times, _LINES_BYTES)
            if len(self._lines) == before:
                self._stall.check()
            else:
                self._stall.heard()
        self._stall.heard()

    def stop(self) -> None:
        """End the ffmpeg, if it still runs."""
        self._process.stop()
        if self._times >= 0:
            os.close(self._times)
            self._times = -1
