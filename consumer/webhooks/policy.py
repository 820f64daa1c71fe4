"""How long is waited between the attempts at one delivery, and when it is given up."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Times in seconds. A wait is as long as it has been tried so far, so that waits double, within these bounds."""

    first_wait_s: float
    longest_wait_s: float
    give_up_after_s: float

    def wait_s(self, tried_for_s: float, *, asked_s: float = 0.0) -> float | None:
        """After a failure `tried_for_s` seconds after the first attempt; None: it is given up.

        asked_s: what the receiver asked for (Retry-After), which counts up to `longest_wait_s`.
        """
        if tried_for_s >= self.give_up_after_s:
            return None
        wait_s = max(self.first_wait_s, tried_for_s * random.uniform(0.9, 1.1), asked_s)
        return min(self.longest_wait_s, wait_s)
