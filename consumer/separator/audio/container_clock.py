"""When a file begins by its container's own clock, and what is beside the sound, from what ffmpeg prints of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_START = re.compile(r"\s+Duration: .*, start: (-?\d+\.\d+)")
_DURATION = re.compile(r"\s+Duration: (\d+):(\d\d):(\d\d\.\d+),")
_PROGRAMME = re.compile(r"\s+Program \d+")
_GUESSED = "Estimating duration"
_STREAM = re.compile(r"\s+Stream #0:\d+\S*: (?:Audio|Video): (?!.*\(attached pic\))")
_PICTURES = re.compile(r"\s+Stream #0:\d+\S*: Video: (\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerClock:
    """start_s: the least time that a track of the file begins at, None where it is not told. is_shared: whether there
    is a track, of sound or of moving pictures, beside the one that is decoded, with the same clock. duration_s: how
    long the sound is by the headers; None where they don't tell, or not of the sound alone.
    """

    start_s: float | None = None
    is_shared: bool = False
    duration_s: float | None = None

    def begins_at(self, rate_hz: int) -> int | None:
        """Where a player's clock begins, in samples: at the first track's start. None: at the first sound, since
        nothing else is there to be heard or seen before it.
        """
        return None if self.start_s is None or not self.is_shared else round(self.start_s * rate_hz)


def parse_video_codecs(lines: Sequence[str]) -> frozenset[str]:
    """The codecs of a file's pictures, moving or not, from ffmpeg's lines."""
    return frozenset(match[1] for line in lines if (match := _PICTURES.match(line)))


def parse_clock(lines: Sequence[str]) -> ContainerClock:
    """From ffmpeg's lines."""
    start = next((match for line in lines if (match := _START.match(line))), None)
    # Each programme of a broadcast has times of its own.
    programmes = sum(1 for line in lines if _PROGRAMME.match(line))
    is_shared = sum(1 for line in lines if _STREAM.match(line)) > 1 and programmes < 2
    duration = next((match for line in lines if (match := _DURATION.match(line))), None)
    is_told = not is_shared and not any(_GUESSED in line for line in lines)
    return ContainerClock(
        start_s=float(start[1]) if start else None,
        is_shared=is_shared,
        duration_s=int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3])
        if duration and is_told
        else None,
    )
