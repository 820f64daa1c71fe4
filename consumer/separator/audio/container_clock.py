"""When a file begins by its container's own clock, from what ffmpeg prints of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_START = re.compile(r"\s+Duration: .*, start: (-?\d+\.\d+)")
_STREAM = re.compile(r"\s+Stream #0:\d+\S*: (?:Audio|Video): (?!.*\(attached pic\))")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerClock:
    """start_s: the least time that a track of the file begins at, None where it is not told. is_shared: whether there
    is a track, of sound or of moving pictures, beside the one that is decoded.
    """

    start_s: float | None = None
    is_shared: bool = False

    def begins_at(self, rate_hz: int) -> int | None:
        """Where a player's clock begins, in samples: at the first track's start. None: at the first sound, since
        nothing else is there to be heard or seen before it.
        """
        return None if self.start_s is None or not self.is_shared else round(self.start_s * rate_hz)


def parse_clock(lines: Sequence[str]) -> ContainerClock:
    """From ffmpeg's lines."""
    start = next((match for line in lines if (match := _START.match(line))), None)
    streams = sum(1 for line in lines if _STREAM.match(line))
    return ContainerClock(start_s=float(start[1]) if start else None, is_shared=streams > 1)
