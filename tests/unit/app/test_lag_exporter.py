"""The exporter of the group's lag: the metrics that replicas give, where there is none."""

import os
import signal
from collections.abc import Iterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.app.lag_exporter import LagExporter, told_to_stop
from consumer.core.lag import Backlog, Demand, PartitionLag
from consumer.core.model import TopicPartition
from consumer.settings import ServiceSettings

# Twelve requests of two minutes each, and an empty partition.
BACKLOG = Backlog(
    lags=[
        PartitionLag(
            partition=TopicPartition("requests", 0),
            messages=12,
            oldest_at_s=0.0,
            demand={"2stems": Demand(audio_ms=12 * 120_000)},
        ),
        PartitionLag(partition=TopicPartition("requests", 1), messages=0, oldest_at_s=None),
    ],
    taken_at=0.0,
)


class Reader:
    """Tells what it is given."""

    def __init__(self) -> None:
        self.told: Backlog | None = BACKLOG
        self.is_reading = False
        self.trouble = ""

    def start(self) -> None:
        self.is_reading = True

    def stop(self) -> None:
        self.is_reading = False

    def backlog(self) -> Backlog | None:
        return self.told


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def exporter(reader: Reader) -> Iterator[LagExporter]:
    service = ServiceSettings(http_host="127.0.0.1", http_port=0, target_wait_s=100.0)
    exporter = LagExporter(reader, service, requests_topic="requests", separators=1)
    yield exporter
    exporter.close()
    assert not reader.is_reading


def page(exporter: LagExporter, path: str) -> httpx2.Response:
    return httpx2.get(f"http://127.0.0.1:{exporter.port}{path}", timeout=60)


def samples(exporter: LagExporter) -> dict[tuple[str, str], float]:
    """Each value of the metrics page by name and partition ('' where there is none)."""
    families = text_string_to_metric_families(page(exporter, "/metrics").text)
    return {
        (sample.name, sample.labels.get("partition", "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_waits_is_told_without_a_replica(exporter: LagExporter, reader: Reader) -> None:
    """Records by partition, and the replicas that ten seconds of audio a second, until measured, come to."""
    assert reader.is_reading
    told = samples(exporter)
    assert told["separation_lag_messages", "0"] == 12
    assert told["separation_lag_messages", "1"] == 0
    assert told["separation_lag_seconds", "0"] > 0
    assert told["separation_backlog_work_seconds", ""] == pytest.approx(12 * 120 / 10)
    assert told["separation_desired_replicas", ""] == 2
    assert not {name for name, _ in told if name.startswith("separation_in_flight")}, "it is no replica"


def test_it_is_ready_while_the_lag_is_known(exporter: LagExporter, reader: Reader) -> None:
    """Without an answer of Kafka the series vanish and /ready says so; nothing about it is stuck."""
    assert page(exporter, "/ready").status_code == 200
    reader.told = None
    assert page(exporter, "/ready").status_code == 503
    assert "lag is not known" in page(exporter, "/ready").json()["checks"]["group"]
    reader.trouble = "Authentication failed"
    assert page(exporter, "/ready").json()["checks"]["group"].endswith("in the last seconds: Authentication failed")
    assert samples(exporter) == {}
    assert page(exporter, "/health").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_is_told_to_stop_by_a_signal(number: signal.Signals) -> None:
    """Once; whoever handled the signal before does so again afterwards."""
    before = signal.getsignal(number)
    with told_to_stop() as stopped:
        os.kill(os.getpid(), number)
        assert stopped.wait(60)
    assert signal.getsignal(number) == before


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """Whoever started it by nohup wants it to outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with told_to_stop() as stopped:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stopped.is_set()
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopped.wait(60)
    finally:
        signal.signal(signal.SIGHUP, before)
