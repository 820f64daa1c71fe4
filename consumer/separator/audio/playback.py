"""One pass over a file, from its beginning: its links, one behind the other, on one clock."""

from collections.abc import Callable

import numpy as np

from consumer.core.errors import Code, Rejected
from consumer.separator.audio.ffmpeg import reason_in
from consumer.separator.audio.timed_samples import TimedSamples
from consumer.separator.dsp.spectral import Samples

_SKIPPED_SAMPLES = 1 << 16


class Playback:
    """Gives a file's samples in their order. Not thread-safe; stop it in the end.

    position: samples given or skipped so far. silence: those of them that stand for missing ones, and were not skipped.
    gap_at: where the first of these lay; None without one. process: the ffmpeg at work, or the last one that was.
    """

    def __init__(self, open_link: Callable[[int, int], TimedSamples], *, links: int = 1) -> None:
        """open_link: starts to decode the link of this number, before which there were so many samples. The first is
        opened at once; raises what it raises.
        """
        self.position, self.silence = 0, 0
        self.gap_at: int | None = None
        self._open_link, self._links = open_link, links
        self._complaint: str | None = None
        self._failure: Rejected | None = None
        self._number = 0
        self._current: TimedSamples | None = open_link(0, 0)
        self.process = self._current.process

    @property
    def complaint(self) -> str | None:
        """The first reason that a decoder gave for not being content, though it went on; None without one."""
        return self._complaint or (self._current.complaint if self._current else None)

    def read_into(self, block: Samples) -> int:
        """Fill the block, float32 (samples, 2); returns how many samples it got, fewer than it holds only at the end.

        Raises Rejected(AUDIO_UNDECODABLE) where a file of one link can't be decoded to its end, or a chain not at all;
        WorkerCrashed.
        """
        filled = 0
        while filled < len(block) and self._current:
            count = self._current.read_into(block[filled:])
            if not count:
                self._go_on()
            if self._current and self._current.is_in_gap:
                self.silence += count
                self.gap_at = self.position if self.gap_at is None else self.gap_at
            self.position += count
            filled += count
        return filled

    def skip(self, count: int) -> int:
        """Pass over so many samples; returns how many there were. Raises as `read_into`."""
        scratch = np.empty((_SKIPPED_SAMPLES, 2), np.float32)
        skipped = 0
        while skipped < count and self._current:
            passed = self._current.skip_silence(count - skipped)
            passed = passed or self._current.read_into(scratch[: count - skipped])
            if not passed:
                self._go_on()
            self.position += passed
            skipped += passed
        return skipped

    def _go_on(self) -> None:
        """From a link that has ended to the next one that can be opened."""
        assert self._current
        self._close(self._current)
        self._current = None
        while self._number + 1 < self._links and self._current is None:
            self._number += 1
            try:
                self._current = self._open_link(self._number, self.position)
                self.process = self._current.process
            except Rejected as failure:
                self._note(failure)
        if self._current is None and self._failure and not self.position:
            raise self._failure

    def _close(self, ended: TimedSamples) -> None:
        code = ended.process.wait()
        ended.stop()
        if code == 0:
            self._complaint = self._complaint or ended.complaint
            return
        reason = reason_in(ended.process.stderr_lines)
        failure = Rejected(Code.AUDIO_UNDECODABLE, f"ffmpeg gave up with code {code}: {reason}")
        if self._links == 1:
            raise failure
        self._note(failure)

    def _note(self, failure: Rejected) -> None:
        self._failure = self._failure or failure
        self._complaint = self._complaint or f"part {self._number + 1} of {self._links}: {failure.message}"

    def stop(self) -> None:
        """End what still runs."""
        if self._current:
            self._current.stop()
