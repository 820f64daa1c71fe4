"""What is computed at each scrape."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from consumer.core.lag import Backlog, Demand, PartitionLag
from consumer.core.model import TopicPartition, Usage
from consumer.core.ports import Traffic
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector, Spent
from consumer.observability.metrics import Metrics
from consumer.separator.status import SeparatorStatus


class Scene:
    """A group's lag as a replica exports it; `backlog` is what is known of it."""

    def __init__(self) -> None:
        self.backlog: Backlog | None = None
        self.metrics = Metrics()
        group_lag = GroupLagCollector(
            lambda: self.backlog,
            self.metrics.speed,
            requests_topic="requests",
            target_wait_s=10.0,
            separators=1,
            clock=lambda: 1000.0,
        )
        self.metrics.add_collector(group_lag.collect)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"separation_{name}", labels)


@pytest.fixture
def scene() -> Scene:
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


def test_what_senders_hold_is_a_figure_of_its_own(scene: Scene) -> None:
    """Offsets behind an open transaction are in no lag, and a partition without any tells 0 of them and of its time."""
    held = replace(a_lag(0, 1), held=5, held_since_s=960.0)
    scene.backlog = Backlog(lags=[held, a_lag(1, 1)], taken_at=0.0)
    for partition, (offsets, seconds) in {"0": (5, 40.0), "1": (0, 0.0)}.items():
        assert scene.sample("open_transaction_messages", topic="requests", partition=partition) == offsets
        assert scene.sample("open_transaction_seconds", topic="requests", partition=partition) == seconds
    assert scene.sample("lag_messages", topic="requests", partition="0") == 1


def test_processor_time_never_goes_back() -> None:
    """A separator that is started again begins at 0; what its predecessor spent is kept."""
    spent = Spent()
    assert spent.total_s([Usage(5.0, 0), Usage(1.0, 0)]) == 6.0
    assert spent.total_s([Usage(0.5, 0), Usage(2.0, 0)]) == 7.5
    assert spent.total_s([Usage(1.0, 0), Usage(2.0, 0)]) == 8.0


def test_scratch_space_that_is_not_there_yet_is_not_told(tmp_path: Path) -> None:
    """Before SCRATCH_DIR was made, the page is served without that figure."""
    collector = ReplicaCollector(
        in_flight=lambda: 0,
        rebalances=lambda: 0,
        separators=list,
        scratch_folder=tmp_path / "not-yet",
        traffic=Traffic,
    )
    metrics = Metrics()
    metrics.add_collector(collector.collect)
    assert metrics.registry.get_sample_value("separation_scratch_free_bytes") is None
    (tmp_path / "not-yet").mkdir()
    assert metrics.registry.get_sample_value("separation_scratch_free_bytes")


def test_a_replica_tells_what_its_parts_are_at() -> None:
    """Each figure is the part's own; of several separators restarts and memory are summed."""
    status = SeparatorStatus(restarts=2, own=Usage(1.5, 100), ffmpeg=Usage(0.5, 10))
    separators = [status, status]
    collector = ReplicaCollector(
        in_flight=lambda: 2,
        rebalances=lambda: 3,
        separators=lambda: separators,
        scratch_folder=Path(tempfile.gettempdir()),
        traffic=lambda: Traffic(received_bytes=7, sent_bytes=5, round_trip_s=0.1),
    )
    metrics = Metrics()
    metrics.add_collector(collector.collect)
    sample = metrics.registry.get_sample_value
    assert sample("separation_in_flight") == 2
    assert sample("separation_rebalances_total") == 3
    assert sample("separation_separator_restarts_total") == 4
    assert sample("separation_kafka_received_bytes_total") == 7
    assert sample("separation_kafka_sent_bytes_total") == 5
    assert sample("separation_kafka_round_trip_seconds") == 0.1
    assert sample("separation_process_cpu_seconds_total", {"process": "separator"}) == 3.0
    assert sample("separation_process_memory_bytes", {"process": "ffmpeg"}) == 20
    assert sample("separation_process_memory_bytes", {"process": "consumer"}) > 1 << 20  # type: ignore[operator]
