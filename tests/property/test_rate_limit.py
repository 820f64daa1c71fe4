"""The rate limit beside a bucket of tokens, told the other way round: both allow the same requests."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from consumer.gateway.rate_limit import RateLimiter, RatePolicy
from harness.clock import ManualClock

POLICIES = st.builds(
    RatePolicy,
    requests_per_s=st.sampled_from([0.01, 0.25, 1.0, 3.0, 50.0, 1000.0, 1e6]),
    burst=st.integers(1, 20),
)
# Quarters and eighths of a second are exact as floats.
WAITS_S = st.integers(0, 800).map(lambda eighths: eighths / 8)


@dataclass
class Bucket:
    """Holds up to `burst` tokens; one comes each interval, and each request takes one."""

    policy: RatePolicy
    at_s: Fraction
    tokens: Fraction

    @property
    def interval_s(self) -> Fraction:
        return Fraction(self.policy.interval_ns, 10**9)

    def take(self, now_s: Fraction) -> bool:
        self.tokens = min(Fraction(self.policy.burst), self.tokens + (now_s - self.at_s) / self.interval_s)
        self.at_s = now_s
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@given(policy=POLICIES, steps=st.lists(st.tuples(WAITS_S, st.sampled_from("ab")), max_size=80))
def test_it_allows_what_a_bucket_would(policy: RatePolicy, steps: list[tuple[float, str]]) -> None:
    """Request for request; and what it tells of what is left, and of how long to wait, is what the bucket has."""
    clock = ManualClock()
    limiter = RateLimiter(policy, clock)
    buckets = {name: Bucket(policy, Fraction(clock.now_s), Fraction(policy.burst)) for name in "ab"}
    for wait_s, name in steps:
        clock.advance(wait_s)
        bucket = buckets[name]
        decision = limiter.take(name)
        assert decision.is_allowed == bucket.take(Fraction(clock.now_s))
        assert decision.remaining == bucket.tokens // 1
        assert abs(decision.reset_s - float((policy.burst - bucket.tokens) * bucket.interval_s)) < 1e-6
        missing = 0 if decision.is_allowed else float((1 - bucket.tokens) * bucket.interval_s)
        assert abs(decision.retry_after_s - missing) < 1e-6


@given(policy=POLICIES, steps=st.lists(WAITS_S, max_size=60), window=st.tuples(st.integers(0, 59), st.integers(0, 59)))
def test_no_time_has_more_than_a_burst_and_what_is_earned(
    policy: RatePolicy, steps: list[float], window: tuple[int, int]
) -> None:
    """Between any two requests, wherever they lie: the promise that a fixed window breaks at its edge."""
    clock = ManualClock()
    limiter = RateLimiter(policy, clock)
    allowed: list[float] = []
    for wait_s in steps:
        clock.advance(wait_s)
        if limiter.take("a").is_allowed:
            allowed.append(clock.now_s)
    first, last = sorted(window)
    within = allowed[first : last + 1]
    if within:
        assert len(within) <= policy.burst + (within[-1] - within[0]) * 10**9 / policy.interval_ns + 1e-6


@given(policy=POLICIES, asked=st.integers(1, 60))
def test_who_waits_as_told_is_allowed(policy: RatePolicy, asked: int) -> None:
    """By the whole seconds of the header; and no nanosecond sooner than the exact time."""
    clock = ManualClock()
    limiter = RateLimiter(policy, clock)
    decisions = [limiter.take("a") for _ in range(asked)]
    if not decisions[-1].is_allowed:
        clock.advance(int(decisions[-1].headers()["Retry-After"]))
    elif decisions[-1].remaining == 0:
        clock.advance(int(decisions[-1].headers()["RateLimit"].rpartition("t=")[2]))
        assert limiter.take("a").remaining == policy.burst - 1
        return
    assert limiter.take("a").is_allowed


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), WAITS_S), max_size=100), st.integers(1, 8))
def test_memory_never_exceeds_its_bound(steps: list[tuple[str, float]], most: int) -> None:
    """Whoever comes, whenever."""
    clock = ManualClock()
    limiter = RateLimiter(RatePolicy(requests_per_s=0.1, burst=3), clock, most_principals=most)
    for name, wait_s in steps:
        limiter.take(name)
        assert len(limiter) <= most
        clock.advance(wait_s)
