"""How many requests may be made, and how that is told."""

import re
import tracemalloc

import pytest

from consumer.gateway.rate_limit import RateDecision, RateLimiter, RatePolicy
from harness.clock import ManualClock

TEN_A_MINUTE = RatePolicy(requests_per_s=10 / 60, burst=10)


def test_a_burst_then_one_after_the_other() -> None:
    """Ten at once, the eleventh after six seconds, and ten again after a minute of nothing."""
    clock = ManualClock()
    limiter = RateLimiter(TEN_A_MINUTE, clock)
    assert [limiter.take("a").remaining for _ in range(10)] == list(range(9, -1, -1))
    refused = limiter.take("a")
    assert (refused.is_allowed, refused.remaining) == (False, 0)
    assert refused.retry_after_s == pytest.approx(6, abs=1e-6)
    assert refused.reset_s == pytest.approx(60, abs=1e-6)
    clock.advance(5.9)
    assert not limiter.take("a").is_allowed
    clock.advance(0.2)
    assert [limiter.take("a").is_allowed for _ in range(2)] == [True, False]
    clock.advance(60)
    assert [limiter.take("a").is_allowed for _ in range(11)] == [True] * 10 + [False]


def test_a_thousand_too_many_cost_nothing_more() -> None:
    """Who is refused does not wait longer for having asked."""
    clock = ManualClock()
    limiter = RateLimiter(TEN_A_MINUTE, clock)
    decisions = [limiter.take("a") for _ in range(1010)]
    assert sum(each.is_allowed for each in decisions) == 10
    assert {each.retry_after_s for each in decisions[10:]} == {decisions[10].retry_after_s}
    clock.advance(decisions[-1].retry_after_s)
    assert limiter.take("a").is_allowed


def test_each_principal_has_its_own() -> None:
    """What one uses up is not another's."""
    limiter = RateLimiter(RatePolicy(requests_per_s=1, burst=1), ManualClock())
    assert [limiter.take(name).is_allowed for name in ("a", "b", "a", "b", "c")] == [True, True, False, False, True]


def test_headers_are_the_drafts() -> None:
    """Structured fields (RFC 9651): a named item with integers, as the draft's examples have them."""
    clock = ManualClock()
    limiter = RateLimiter(RatePolicy(requests_per_s=100 / 60, burst=100), clock)
    first = limiter.take("a").headers()
    assert first == {"RateLimit": '"default";r=99;t=1', "RateLimit-Policy": '"default";q=100;w=60'}
    for _ in range(49):
        half = limiter.take("a").headers()
    assert half["RateLimit"] == '"default";r=50;t=30'


def test_who_is_refused_is_told_when_to_come_back() -> None:
    """In whole seconds, never zero, and the same in both headers; and then it works."""
    clock = ManualClock()
    limiter = RateLimiter(RatePolicy(requests_per_s=3, burst=2), clock)
    limiter.take("a")
    limiter.take("a")
    headers = limiter.take("a").headers()
    assert headers == {
        "RateLimit": '"default";r=0;t=1', "RateLimit-Policy": '"default";q=2;w=1', "Retry-After": "1",
    }  # fmt: skip
    clock.advance(1)
    assert limiter.take("a").is_allowed


@pytest.mark.parametrize("rate", [0.01, 0.3, 1, 7, 1e6])
@pytest.mark.parametrize("burst", [1, 3, 1_000_000])
def test_headers_hold_integers_at_all_settings(rate: float, burst: int) -> None:
    """From the least to the most that can be set."""
    limiter = RateLimiter(RatePolicy(requests_per_s=rate, burst=burst), ManualClock())
    decision: RateDecision = limiter.take("a")
    for value in (*decision.headers().values(), *limiter.take("a").headers().values()):
        assert re.fullmatch(r'"default";[rq]=\d{1,15};[tw]=[1-9]\d{0,14}|[1-9]\d*', value)


def test_who_owes_nothing_is_forgotten() -> None:
    """A hundred thousand that came once leave nothing behind when others come later."""
    clock = ManualClock()
    limiter = RateLimiter(RatePolicy(requests_per_s=10, burst=5), clock)
    for number in range(100_000):
        limiter.take(f"principal-{number}")
        clock.advance(0.001)
    assert len(limiter) <= 502  # those of the last half second, in which a burst is earned back
    clock.advance(1)
    for _ in range(200):
        limiter.take("late")
    assert len(limiter) == 1


def test_who_was_at_it_last_is_forgotten_last() -> None:
    """Where there is room for two: the one that came in between, not the one that came first and again."""
    limiter = RateLimiter(RatePolicy(requests_per_s=0.01, burst=2), ManualClock(), most_principals=2)
    assert [limiter.take(name).is_allowed for name in ("busy", "x", "busy", "y", "busy")] == [True] * 4 + [False]


def test_memory_is_bounded_where_all_come_at_once() -> None:
    """The longest silent is forgotten first, so whoever is at it now stays limited."""
    limiter = RateLimiter(RatePolicy(requests_per_s=0.01, burst=2), ManualClock(), most_principals=1000)
    tracemalloc.start()
    for number in range(20_000):
        limiter.take(f"principal-{number}")
        limiter.take("busy" if number == 0 else f"principal-{number}")
    limiter.take("busy")
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(limiter) <= 1000
    assert held_bytes < 1000 * 1000
    assert not limiter.take("principal-19999").is_allowed
