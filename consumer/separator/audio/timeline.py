"""Where the samples of a file lie in time: what its timestamps say of samples that are missing between others."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

# A rise that is to be believed lasts so many frames, and rises above as many before: a late frame alone is no gap.
_FRAMES = 8
# Shorter gaps than this are jitter, unless a whole frame is shorter.
_SHORTEST_S = 0.010
_SHARE_OF_FRAME = 0.75
_ROUNDING_S = 0.0015  # of timestamps in milliseconds
_NEW_TIME_S = 1.0  # so far back, another time has begun


class Frame(NamedTuple):  # of which a song has thousands, and a dataclass takes four times as long to be made
    """pts: the time that the container gives it, in samples. samples: how many it has, one at least."""

    pts: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """So many samples of silence, where the file has a gap, and behind them so many of its own."""

    silence: int
    samples: int


class Timeline:
    """Frames go in as they are decoded; what is to be heard comes out: all of their samples, in their order, with
    silence for what is missing between them.

    A gap is a rise of the frames' times above what their samples add up to: at least 10 ms or three quarters of a
    frame, and one that lasts, so that neither timestamps rounded to milliseconds, nor a clock that runs a little fast
    or slow, nor a single wrong timestamp makes silence. Where times go back nothing is dropped: what comes is laid
    behind what there was. Whoever writes timestamps so that each is greater than the last (ffmpeg's muxers) leaves
    times that follow each other by 1: these say nothing.
    """

    def __init__(self, *, rate_hz: int, begins: int | None = None, longest: int | None = None) -> None:
        """begins: the time, in samples, before whose first frame there is silence; None for the first frame's own.
        longest: more samples than these are no gap, but another time that has begun; None for any number, 0 where
        nothing but the first frame's time is told.
        """
        self._shortest, self._rounding = round(_SHORTEST_S * rate_hz), _ROUNDING_S * rate_hz
        self._new_time = round(_NEW_TIME_S * rate_hz)
        self._begins, self._longest = begins, longest
        self._position: int | None = None  # the time at which the next frame is due
        self._last = Frame(pts=0, samples=0)
        self._lags: deque[int] = deque(maxlen=_FRAMES)  # of the last frames: how much later than due they said to be
        self._ahead: deque[Frame] = deque()
        self._is_behind = False  # in a new time, that begins before the last one ended
        self._has_ended = False

    def add(self, frames: Iterable[Frame]) -> None:
        """The next frames."""
        self._ahead.extend(frames)

    def end(self) -> None:
        """There are no more frames."""
        self._has_ended = True

    def take(self) -> Run | None:
        """What is to be heard next, as far as it is certain; None where more frames are needed, or none are left."""
        samples = 0
        while self._ahead and (self._has_ended or len(self._ahead) >= _FRAMES):
            if passed := self._pass_steady():
                samples += passed
                continue
            if silence := self._silence_before_next():
                if samples:
                    break
                frame = self._pass(silence)
                return Run(silence=silence, samples=frame.samples)
            samples += self._pass(0).samples
        return Run(silence=0, samples=samples) if samples else None

    def _pass_steady(self) -> int:
        """Go on behind the frames that come next, as far as none is late, and none begins another time or says
        nothing; returns how many samples they have. So are nearly all frames of nearly all files.
        """
        if self._position is None or self._is_behind:
            return 0
        ahead, begin, position, last = self._ahead, self._position, self._position, self._last
        for _ in range(len(ahead) if self._has_ended else len(ahead) - _FRAMES + 1):
            frame = ahead[0]
            lag = frame.pts - position
            is_late = lag >= 1 and lag >= self._shortest_before(frame)
            if is_late or lag < -self._new_time or _says_nothing(frame, last):
                break
            self._lags.append(lag)
            position += frame.samples
            last = ahead.popleft()
        self._position, self._last = position, last
        return position - begin

    def _pass(self, silence: int) -> Frame:
        """Go on behind the next frame."""
        frame = self._ahead.popleft()
        assert self._position is not None
        self._position += silence
        if not _says_nothing(frame, self._last):
            self._lags.append(frame.pts - self._position)
        self._position += frame.samples
        self._last = frame
        return frame

    def _silence_before_next(self) -> int:
        frame = self._ahead[0]
        if self._position is None:
            self._position = frame.pts if self._begins is None else min(frame.pts, self._begins)
            lead = frame.pts - self._position
            if self._longest and lead > self._longest:
                self._position, lead = frame.pts, 0
            return lead if lead >= self._shortest else 0
        says_nothing = _says_nothing(frame, self._last)
        if self._is_behind or frame.pts - self._position < -self._new_time:
            self._position, self._is_behind = frame.pts, says_nothing
            self._lags.clear()
        if says_nothing or frame.pts - self._position < self._shortest_before(frame):
            return 0
        return self._gap(frame)

    def _shortest_before(self, frame: Frame) -> int:
        return max(1, min(self._shortest, round(_SHARE_OF_FRAME * frame.samples)))

    def _gap(self, frame: Frame) -> int:
        """Samples that are missing before this frame, which is late."""
        assert self._position is not None
        lowest, due, last = frame.pts - self._position, self._position, self._last
        for number, other in zip(range(_FRAMES), self._ahead, strict=False):
            if number and _says_nothing(other, last):
                return 0  # times went back here, so that this one was a lie
            lowest = min(lowest, other.pts - due)
            due, last = due + other.samples, other
        rise = min(lowest, lowest - max(self._lags)) if self._lags else lowest
        if rise < self._shortest_before(frame):
            return 0
        if self._longest is not None and rise > self._longest:
            self._position = frame.pts
            self._lags.clear()
            return 0
        whole = round(rise / frame.samples) * frame.samples
        # Frames of one length are lost whole, whatever the timestamps were rounded to.
        return whole if self._last.samples == frame.samples and abs(whole - rise) <= self._rounding else rise


def _says_nothing(frame: Frame, last: Frame) -> bool:
    return frame.pts <= last.pts + 1 and last.samples > 1
