"""Kafka or MinIO away for everybody: that is nobody's failure, and it ends."""

import random
import time

import pytest

from consumer.core.events import SeparationResult
from harness.chaos.oracle import judge
from harness.chaos.traffic import Traffic
from harness.waiting import wait_for
from tests.chaos.conftest import NewPlatform
from tests.chaos.stack import Stack

# What /ready says is wrong while it is away.
CHECKS = {"kafka": "group", "minio": "store"}


@pytest.mark.parametrize("away_s", [12.0, pytest.param(120.0, marks=pytest.mark.long)])
@pytest.mark.parametrize("service", CHECKS)
def test_an_outage_is_no_failure(stack: Stack, new_platform: NewPlatform, service: str, away_s: float) -> None:
    """Longer than all retries take: nothing is dead-lettered, /ready says why, and all is done once it is back.

    Then the replica knows the lag again, too.
    """
    platform = new_platform(f"127.0.0.1:{stack.kafka_port}", f"127.0.0.1:{stack.minio_port}")
    traffic = Traffic(platform, random.Random(1))
    traffic.add_sources(10)
    replica = platform.start_replica(RETRY_DELAYS="100ms,100ms")
    replica.wait_ready()
    for _ in range(5):
        traffic.send_request()
    traffic.flush()
    wait_for(lambda: platform.lag() == 0)

    stack.take_away(service, by_force=False)
    try:
        for _ in range(20):
            traffic.send_request()
        wait_for(lambda: reason(replica.get("/ready"), CHECKS[service]))
        time.sleep(away_s)
        assert replica.process.poll() is None, replica.log.read_text()[-2000:]
        health = replica.get("/health")
        assert health is not None
        assert health.is_success, health.text
    finally:
        stack.bring_back(service)
    traffic.flush()
    wait_for(lambda: platform.lag() == 0 and replica.is_ready())
    wait_for(lambda: told_lag(replica.get("/metrics")) == 0)
    assert judge(platform, traffic.sent, traffic.sources) == []
    outcomes = platform.read_outcomes()
    assert len(outcomes) == 25
    assert all(isinstance(outcome, SeparationResult) and outcome.attempt == 1 for outcome in outcomes), outcomes


def told_lag(page) -> float | None:  # type: ignore[no-untyped-def]
    """The sum of what /metrics tells; None if it tells nothing."""
    lines = page.text.splitlines() if page is not None else []
    found = [float(line.split()[-1]) for line in lines if line.startswith("separation_lag_messages{")]
    return sum(found) if found else None


def reason(page, check: str) -> str:  # type: ignore[no-untyped-def]
    """What a page of /ready finds wrong with one part; "" if nothing is."""
    if page is None or page.is_success:
        return ""
    told: str = page.json()["checks"][check]
    return "" if told == "ok" else told
