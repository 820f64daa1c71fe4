"""A decoder that works and gives nothing: some files are made so that they take hours before their first sample.

Its own processor time is counted, not the clock: a busy machine, or one that stood still, is not the file's doing.
"""

import time
from collections.abc import Callable

from consumer.core.errors import Code, Rejected

MOST_CPU_S = 30.0  # between two frames; a hundred thousand times as much as the slowest takes
_OF_PROCESS = 2  # the kernel's number for the processor time of all threads of a process, beside its id


def cpu_s_of(pid: int) -> float:
    """Seconds of processor time that a process has used, which any other may ask for. Raises OSError if it is gone."""
    return time.clock_gettime((~pid << 3) | _OF_PROCESS)


class Stall:
    """Watches the process of this id."""

    def __init__(self, pid: int, measure: Callable[[int], float] = cpu_s_of) -> None:
        self._pid, self._measure = pid, measure
        self._heard_at_s = 0.0

    def heard(self) -> None:
        """It gave something."""
        self._heard_at_s = self._used_s()

    def check(self) -> None:
        """Raises Rejected(AUDIO_UNDECODABLE) where it has used more than MOST_CPU_S since it gave something."""
        if self._used_s() - self._heard_at_s > MOST_CPU_S:
            raise Rejected(
                Code.AUDIO_UNDECODABLE, f"decoding it gave nothing for {MOST_CPU_S:g} s of a processor's time"
            )

    def _used_s(self) -> float:
        try:
            return self._measure(self._pid)
        except OSError:  # it has ended
            return self._heard_at_s
