"""Ends the process when a thread that everything depends on hangs: nobody else would, and its partitions would wait.

The poll loop: the broker does not evict a member that has stopped polling. The committer: librdkafka may wait for ever
in a transaction while its coordinator moves (#5456).

Time is counted in ticks of our own and not by the clock: a process that was stopped as a whole has not been polling
either, and is well.
"""

import os
import threading
from collections.abc import Callable

from consumer.core.limits import MAX_SILENCE_S

TICK_S = 1.0


class Watchdog:
    """Watches while it is used as a context. sign_of_life: gives something that changes as long as `who` goes on."""

    def __init__(
        self,
        who: str,
        sign_of_life: Callable[[], object],
        *,
        tick_s: float = TICK_S,
        limit_s: float = MAX_SILENCE_S,
        end: Callable[[str], None] | None = None,
    ) -> None:
        self._who, self._sign_of_life = who, sign_of_life
        self._tick_s, self._limit_ticks = tick_s, limit_s / tick_s
        self._end = end or _end_process
        self._seen: object = None
        self._ticks = 0
        self._left = threading.Event()

    def __enter__(self) -> None:
        threading.Thread(target=self._watch, daemon=True, name="watchdog").start()

    def __exit__(self, *_: object) -> None:
        self._left.set()

    def _watch(self) -> None:
        while not self._left.wait(self._tick_s):
            self.tick()

    def tick(self) -> None:
        """One tick of time has passed, for us as for the others."""
        seen = self._sign_of_life()
        self._ticks = self._ticks + 1 if seen == self._seen else 0
        self._seen = seen
        if self._ticks >= self._limit_ticks:
            self._left.set()
            self._end(f"the {self._who} has been silent for {self._ticks * self._tick_s:g} s")


def _end_process(reason: str) -> None:
    """At once: nothing that hangs is waited for, and nothing is committed that was not."""
    os.write(2, f"spleeter-consumer: {reason}\n".encode())
    os._exit(1)
