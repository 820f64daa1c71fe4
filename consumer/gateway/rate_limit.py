"""How many requests each principal may make: the generic cell rate algorithm (GCRA), and the headers that tell of it.

GCRA keeps one time for each principal: when all that it has used would be earned back. Requests are earned back evenly,
so there is no window at whose edge twice as many come through. The headers are those of the IETF's draft
`draft-ietf-httpapi-ratelimit-headers-10`.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from consumer.core.clock import SYSTEM_CLOCK, Clock

_NS = 1_000_000_000
_POLICY = '"default"'
_DROPPED_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePolicy:
    """requests_per_s: how fast requests are earned back. burst: how many may come at once, after a time without any."""

    requests_per_s: float
    burst: int

    @property
    def interval_ns(self) -> int:
        """Nanoseconds in which one request is earned back."""
        return max(1, round(_NS / self.requests_per_s))

    @property
    def window_s(self) -> int:
        """Whole seconds, rounded up, in which a burst is earned back."""
        return math.ceil(self.burst * self.interval_ns / _NS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDecision:
    """What became of one request.

    remaining: requests that may follow at once. reset_s: until all of a burst may come again. retry_after_s: until one
    may come again, 0 where this one was allowed.
    """

    policy: RatePolicy
    is_allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float

    def headers(self) -> Mapping[str, str]:
        """`RateLimit` and `RateLimit-Policy`; where it was refused, `Retry-After` too, which `t` then repeats."""
        wait_s = math.ceil(self.reset_s if self.is_allowed else self.retry_after_s)
        told = {
            "RateLimit": f"{_POLICY};r={self.remaining};t={wait_s}",
            "RateLimit-Policy": f"{_POLICY};q={self.policy.burst};w={self.policy.window_s}",
        }
        return told if self.is_allowed else told | {"Retry-After": str(wait_s)}


class RateLimiter:
    """Counts in this process, for one event loop. Each principal that owes something takes some 200 bytes.

    most_principals: where more than these are at it at once, the one that has been silent longest is forgotten.
    """

    def __init__(self, policy: RatePolicy, clock: Clock = SYSTEM_CLOCK, *, most_principals: int = 100_000) -> None:
        self._policy, self._clock, self._most = policy, clock, most_principals
        self._earned_back_at_ns: OrderedDict[str, int] = OrderedDict()  # the one that was allowed last, last

    def __len__(self) -> int:
        """How many principals are remembered."""
        return len(self._earned_back_at_ns)

    def take(self, principal_id: str) -> RateDecision:
        """Use up one request, if there is one left; a request that is refused uses up nothing."""
        interval_ns, now_ns = self._policy.interval_ns, int(self._clock.monotonic() * _NS)
        burst_ns = self._policy.burst * interval_ns
        self._forget_settled(now_ns)
        before_ns = max(now_ns, self._earned_back_at_ns.get(principal_id, now_ns))
        wait_ns = max(0, before_ns + interval_ns - burst_ns - now_ns)
        after_ns = before_ns if wait_ns else before_ns + interval_ns
        if not wait_ns:
            self._make_room_for(principal_id)
            self._earned_back_at_ns[principal_id] = after_ns
            self._earned_back_at_ns.move_to_end(principal_id)
        return RateDecision(
            policy=self._policy,
            is_allowed=not wait_ns,
            remaining=(burst_ns - (after_ns - now_ns)) // interval_ns,
            reset_s=(after_ns - now_ns) / _NS,
            retry_after_s=wait_ns / _NS,
        )

    def _forget_settled(self, now_ns: int) -> None:
        """Drop some that owe nothing; they are at the front, since all are earned back within the same time."""
        for _ in range(_DROPPED_AT_ONCE):
            oldest = next(iter(self._earned_back_at_ns), None)
            if oldest is None or self._earned_back_at_ns[oldest] > now_ns:
                return
            del self._earned_back_at_ns[oldest]

    def _make_room_for(self, principal_id: str) -> None:
        if principal_id not in self._earned_back_at_ns and len(self._earned_back_at_ns) >= self._most:
            self._earned_back_at_ns.popitem(last=False)
