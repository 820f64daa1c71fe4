"""The simulator agrees with what is known of queues, and the page with the simulator."""

import math
import random
import re
from pathlib import Path

import pytest

from bench.capacity import Assumptions, need, p95_wait_s, partitions_for, table

PAGE = Path(__file__).parents[3] / "docs/capacity.md"
TABLE = re.compile(r"(?<=<!-- capacity -->\n).*?(?=<!-- /capacity -->)", re.DOTALL)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_one_replica_waits_as_theory_says(load: float) -> None:
    """Random arrivals, exponential work: of M/M/1 the 95th percentile of the wait is known."""
    source, count = random.Random(3), 100_000
    at_s, arrivals = 0.0, []
    for _ in range(count):
        at_s += source.expovariate(load)
        arrivals.append((at_s, source.random()))
    works_s = [source.expovariate(1.0) for _ in range(count)]
    assert p95_wait_s(1, arrivals, works_s) == pytest.approx(math.log(load / 0.05) / (1 - load), rel=0.15)


def test_replicas_share_partitions_evenly() -> None:
    """Twice the load over twice the replicas waits the same: each is a queue of its own."""
    source = random.Random(4)
    arrivals = sorted((source.uniform(0, 10_000), source.random()) for _ in range(80_000))
    works_s = [source.expovariate(1.0) for _ in arrivals]
    waits = [p95_wait_s(replicas, arrivals[:: 20 // replicas], works_s[:: 20 // replicas]) for replicas in (10, 20)]
    assert waits[0] == pytest.approx(waits[1], rel=0.15)


def test_need_is_what_it_takes() -> None:
    """As many replicas as it says are enough, and one fewer is not."""
    found = need(1_000, Assumptions())
    assert found.least_replicas <= found.replicas
    assert found.p95_wait_s <= Assumptions().p95_wait_s
    assert found.partitions == partitions_for(found.replicas) >= 2 * found.replicas
    impatient = need(1_000, Assumptions(p95_wait_s=5.0))
    assert impatient.replicas > found.replicas


def test_page_shows_what_is_computed() -> None:
    """The table in docs/capacity.md is the simulator's (`python -m bench.capacity` prints it)."""
    found = TABLE.search(PAGE.read_text())
    assert found
    assert found[0] == "\n".join(table(Assumptions())) + "\n"
