"""What is computed at each scrape."""

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from consumer.core.model import TopicPartition, Usage
from consumer.core.ports import Traffic
from consumer.observability import collectors as module
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector, Spent
from consumer.observability.lag import Backlog, Demand, PartitionLag
from consumer.observability.metrics import Metrics
from consumer.observability.process_usage import own_usage, usage_of
from consumer.pipeline.scratch import Scratch


class Scene:
    """A group's lag as a replica exports it; `backlog` is what is known of it."""

    def __init__(self) -> None:
        self.backlog: Backlog | None = None
        self.metrics = Metrics()
        group_lag = GroupLagCollector(
            lambda: self.backlog, self.metrics.speed, requests_topic="requests", target_wait_s=10.0, separators=1
        )
        self.metrics.add_collector(group_lag.collect)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"separation_{name}", labels)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: 1000.0))
    return Scene()


def a_lag(number: int, messages: int, **fields: object) -> PartitionLag:
    return PartitionLag(
        **{"partition": TopicPartition("requests", number), "messages": messages, "oldest_at_s": None} | fields  # type: ignore[arg-type]
    )


def test_each_partition_has_its_series(scene: Scene) -> None:
    """Messages and age of the oldest a partition; work and replicas for all of them, at the speed that was measured."""
    scene.metrics.separated("2stems", audio_s=100.0, work_s=5.0)
    busy = a_lag(0, 3, oldest_at_s=940.0, demand={"2stems": Demand(audio_ms=300_000)})
    scene.backlog = Backlog(lags=[busy, a_lag(1, 0)], taken_at=0.0)
    where = [{"topic": "requests", "partition": number} for number in "01"]
    assert [scene.sample("lag_messages", **labels) for labels in where] == [3, 0]
    assert [scene.sample("lag_seconds", **labels) for labels in where] == [60, 0]
    assert scene.sample("backlog_work_seconds") == pytest.approx(15.0)
    assert scene.sample("desired_replicas") == 2
    assert scene.sample("realtime_factor", model="2stems") == 20


def test_no_figure_is_better_than_a_wrong_one(scene: Scene) -> None:
    """While the lag is not known its series are not there; a partition that is gone has none either."""
    scene.backlog = Backlog(lags=[a_lag(0, 1), a_lag(1, 1)], taken_at=0.0)
    assert scene.sample("lag_messages", topic="requests", partition="1") == 1
    scene.backlog = Backlog(lags=[a_lag(0, 1)], taken_at=0.0)
    assert scene.sample("lag_messages", topic="requests", partition="1") is None
    scene.backlog = None
    assert scene.sample("lag_messages", topic="requests", partition="0") is None
    assert scene.sample("backlog_work_seconds") is None
    assert scene.sample("desired_replicas") is None


def test_processor_time_never_goes_back() -> None:
    """A separator that is started again begins at 0; what its predecessor spent is kept."""
    spent = Spent()
    assert spent.total_s([Usage(5.0, 0), Usage(1.0, 0)]) == 6.0
    assert spent.total_s([Usage(0.5, 0), Usage(2.0, 0)]) == 7.5
    assert spent.total_s([Usage(1.0, 0), Usage(2.0, 0)]) == 8.0


def test_scratch_space_that_is_not_there_yet_is_not_told(tmp_path: Path) -> None:
    """Before SCRATCH_DIR was made, the page is served without that figure."""
    parts = SimpleNamespace(
        loop=SimpleNamespace(rebalances=0), separators=[], dispatcher=SimpleNamespace(in_flight=lambda: 0),
        scratch=Scratch(tmp_path / "not-yet" / "ours"),
    )  # fmt: skip
    metrics = Metrics()
    metrics.add_collector(ReplicaCollector(parts, Traffic).collect)  # type: ignore[arg-type]
    assert metrics.registry.get_sample_value("separation_scratch_free_bytes") is None
    (tmp_path / "not-yet").mkdir()
    assert metrics.registry.get_sample_value("separation_scratch_free_bytes")


def test_own_usage_is_told() -> None:
    """This process has used time and memory, its children none that is negative; of one that is gone none is told."""
    assert own_usage().cpu_s > 0
    assert own_usage().memory_bytes > 1 << 20
    own, children = usage_of(os.getpid())
    assert abs(own.cpu_s - own_usage().cpu_s) < 1
    assert own.memory_bytes > 1 << 20
    assert math.isfinite(children.cpu_s)
    assert children.memory_bytes >= 0
    with pytest.raises(OSError, match="No such"):
        usage_of(1 << 30)


def test_children_s_memory_is_told_while_they_live() -> None:
    """A child at work counts with its memory, one that has ended with its processor time."""

    def children() -> Usage:
        return usage_of(os.getpid())[1]

    before, work = children(), "sum(range(10_000_000)); input()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        while children().memory_bytes <= before.memory_bytes + (1 << 20):  # until it has become another program
            assert child.poll() is None
        child.communicate(b"\n")
    assert children().cpu_s > before.cpu_s
