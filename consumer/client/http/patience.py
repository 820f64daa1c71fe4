"""How often and how patiently the gateway is asked again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from consumer.client.errors import GatewayUnavailable
from consumer.core.clock import Clock

Pause = Callable[[float], None]
"""Waits so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Waits first_wait_s before the second try, then twice as long each time up to longest_wait_s, and at least what
    the gateway asks for; of each wait a share between a half and all of it, by `jitter`, which gives 0 to 1.

    within_s: no try begins later than this after the first one has failed, however long that took: a large file is
    sent anew, too.
    """

    first_wait_s: float = 0.5
    longest_wait_s: float = 15.0
    within_s: float = 60.0
    jitter: Callable[[], float] = random.random

    def wait_s(self, failed: int, retry_after_s: float | None) -> float:
        """Seconds to wait after so many failed tries, from 1."""
        own_s = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failed - 1, 30))
        if retry_after_s is None:
            return own_s * (0.5 + self.jitter() / 2)
        return max(retry_after_s, own_s / 2) + self.jitter() * self.first_wait_s  # not all come back at once


class Tries:
    """The tries of one thing. until: on the clock; no try begins later, where it is given."""

    def __init__(self, patience: Patience, clock: Clock, *, until: float | None = None) -> None:
        self._patience, self._clock = patience, clock
        self._given_until = until
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what has failed: something was achieved meanwhile."""
        self._failed, self._until = 0, self._given_until

    def failed(self, trouble: GatewayUnavailable) -> float:
        """Seconds to the next try. Raises `trouble` where another try is of no use, or would be too late."""
        self._failed += 1
        now = self._clock.monotonic()
        if self._until is None:
            self._until = now + self._patience.within_s
        wait_s = self._patience.wait_s(self._failed, trouble.retry_after_s)
        if not trouble.may_pass or now + wait_s > self._until:
            raise trouble
        return wait_s
