"""A real Prometheus with the rules that are shipped, beside a real replica and real faults."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from devstack import system
from devstack.service import Running, Service, free_port
from tests.conftest import Kafka
from tests.support.clips import write_clip
from tests.support.platform import Platform, ReplicaProcess, wait_for

ALERTS = Path(__file__).parents[2] / "deploy/prometheus/alerts.yml"


@dataclass(frozen=True, slots=True)
class Prometheus:
    address: str
    running: Running

    def ask(self, query: str) -> dict[str, float]:
        """An instant query's values by partition, "" where a series has none."""
        found = httpx.get(f"{self.address}/api/v1/query", params={"query": query}, timeout=10).json()
        return {each["metric"].get("partition", ""): float(each["value"][1]) for each in found["data"]["result"]}

    def firing(self) -> set[str]:
        found = httpx.get(f"{self.address}/api/v1/alerts", timeout=10).json()
        return {alert["labels"]["alertname"] for alert in found["data"]["alerts"] if alert["state"] == "firing"}


def impatient_rules() -> str:
    """The rules as they are shipped, but for how long each waits."""
    rules = yaml.safe_load(ALERTS.read_text())
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["for"] = "1s"
    return str(yaml.safe_dump(rules))


def start_prometheus(folder: Path, *targets: str) -> Prometheus:
    system.provide({"prometheus": "prometheus"})
    folder.mkdir()
    config = {
        "global": {"scrape_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [{"job_name": "spleeter-consumer", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "alerts.yml").write_text(impatient_rules())
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus", "--config.file=prometheus.yml", f"--web.listen-address={address}",
        f"--storage.tsdb.path={folder / 'data'}",
    ]  # fmt: skip
    url = f"http://{address}"
    running = Service(name="Prometheus", command=command, folder=folder, is_ready=lambda: is_up(url)).start()
    return Prometheus(url, running)


def is_up(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready", timeout=2).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def replica(platform: Platform) -> ReplicaProcess:
    replica = platform.start_replica()
    replica.wait_ready()
    return replica


@pytest.fixture
def prometheus(replica: ReplicaProcess, tmp_path: Path) -> Iterator[Prometheus]:
    prometheus = start_prometheus(tmp_path / "prometheus", f"127.0.0.1:{replica.port}")
    yield prometheus
    prometheus.running.stop()


def test_a_killed_replica_raises_an_alert_until_one_is_back(
    platform: Platform, replica: ReplicaProcess, prometheus: Prometheus, tmp_path: Path
) -> None:
    """What a replica tells arrives in Prometheus; nothing fires until it is killed, and nothing once one is back."""
    platform.request(platform.upload(write_clip(tmp_path / "song.wav", seconds=2.0, seed=1)))
    platform.outcomes(1)
    wait_for(lambda: prometheus.ask('sum(separation_jobs_total{outcome="done"})') == {"": 1.0})
    lag = f'max by (partition) (separation_lag_messages{{topic="{platform.topic("REQUESTS")}"}})'
    wait_for(lambda: prometheus.ask(lag) == dict.fromkeys("012345", 0.0))
    wait_for(lambda: prometheus.ask("separation_desired_replicas") == {"": 0.0})
    assert prometheus.ask("separation_scratch_free_bytes")[""] > 0
    assert prometheus.ask('separation_process_memory_bytes{process="separator"}')[""] > 1 << 20
    wait_for(lambda: prometheus.ask("separation_kafka_received_bytes_total").get("", 0) > 0)
    wait_for(lambda: prometheus.firing() <= {"SeparationScratchSpaceLow"})  # that is about this machine's own disk

    replica.process.kill()
    wait_for(lambda: "SeparationNoConsumer" in prometheus.firing())

    back = platform.start_replica(HTTP_PORT=str(replica.port))  # where Prometheus looks for it
    back.port = replica.port
    back.wait_ready()
    wait_for(lambda: "SeparationNoConsumer" not in prometheus.firing())


def test_without_a_broker_the_lag_is_unknown_and_not_old(
    kafka: Kafka, replica: ReplicaProcess, prometheus: Prometheus
) -> None:
    """While the broker does not answer, the lag's series vanish instead of standing still, and an alert says so."""
    wait_for(lambda: prometheus.ask("sum(separation_lag_messages)") == {"": 0.0})
    kafka.running.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: "SeparationLagUnknown" in prometheus.firing())
        assert prometheus.ask("separation_lag_messages") == {}
        assert prometheus.ask("separation_desired_replicas") == {}
        assert replica.process.poll() is None
    finally:
        kafka.running.process.send_signal(signal.SIGCONT)
    wait_for(lambda: "SeparationLagUnknown" not in prometheus.firing())
    wait_for(lambda: prometheus.ask("sum(separation_lag_messages)") == {"": 0.0})
