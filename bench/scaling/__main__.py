"""`python -m bench.scaling [BURSTS]`: prints the table, in Markdown; with all three bursts in a quarter of an hour.

The last row is the first burst once more, with Prometheus ended in the middle.
"""

import copy
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.scaling.kubelet import Kubelet
from bench.scaling.loop import Burst, Outage, Outcome, make_bursts, play
from devstack.kafka import kafka
from devstack.keda import keda
from devstack.kubernetes import Cluster, cluster
from devstack.minio import minio
from devstack.prometheus import prometheus
from devstack.service import Running, Service, free_port
from harness.chaos.traffic import Traffic, write_model
from harness.manifests import one
from harness.platform import Platform, make_platform

ROOT = Path(__file__).parents[2]
NAMESPACE = "separation"
# What a real replica of 2stems takes, by `make bench`: the audio that it separates a second is taken three times as
# much, so that the evening's songs fit into minutes.
SPEED, START_S = 100.0, 3.6
REPLICAS, PARTITIONS, TARGET_WAIT_S = 6, 12, 60
OUTAGE_AT_S = 40.0  # Prometheus is ended in the middle of the work
# As a cluster has them but for these, which only spare waiting: the controllers look more often, and a group is given
# up sooner.
_COOLDOWN_S, _SYNC_S = 15, 5
_CONTROLLERS = (
    # Nobody tells of this node's health.
    "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller,-pod-garbage-collector-controller",
    f"--horizontal-pod-autoscaler-sync-period={_SYNC_S}s",
    "--concurrent-statefulset-syncs=5",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What is shared by all that is measured."""

    cluster: Cluster
    work: Path
    broker: str
    store: str
    prometheus: str
    watching: "Watching"


@dataclass(slots=True, kw_only=True)
class Watching:
    """Prometheus, which can be ended and started again."""

    service: Service
    running: Running

    def stop(self) -> None:
        self.running.stop()

    def start(self) -> None:
        self.running = self.service.start()


def main() -> None:
    bursts = make_bursts()[: int(sys.argv[1]) if len(sys.argv) > 1 else None]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = _start(stack, Path(folder))
        rows = _measure(servers, "messages", by_messages, bursts)
        rows += _measure(servers, "expected work", by_work, bursts)
        outage = Outage(at_s=OUTAGE_AT_S, begin=servers.watching.stop, end=servers.watching.start)
        rows += _measure(servers, "expected work, Prometheus away", by_work, bursts[:1], outage)
    print_table(rows)
    _say("")
    _say(
        f"Prometheus was ended after {OUTAGE_AT_S:.0f} s, with {outage.replicas_before} replicas, and started again"
        f" when all was done; until then {outage.fewest_replicas} ran at least."
    )
    if wrong := [finding for _, _, outcome in rows for finding in outcome.findings]:
        raise SystemExit("\n".join(wrong))


def _start(stack: ExitStack, work: Path) -> Servers:
    broker_port, store_port, prometheus_port = free_port(), free_port(), free_port()
    for service in (kafka(work / "kafka", broker_port), minio(work / "minio", store_port)):
        stack.callback(service.start().stop)
    service = prometheus(work / "prometheus", prometheus_port, work / "targets.json", interval_s=2)
    watching = Watching(service=service, running=service.start())
    stack.callback(watching.stop)
    running = stack.enter_context(cluster(work / "cluster", *_CONTROLLERS))
    running.define()
    stack.enter_context(keda(running, work / "keda"))
    return Servers(
        cluster=running,
        work=work,
        broker=f"127.0.0.1:{broker_port}",
        store=f"127.0.0.1:{store_port}",
        prometheus=f"http://127.0.0.1:{prometheus_port}",
        watching=watching,
    )


def _measure(
    servers: Servers,
    title: str,
    make: Callable[[Platform, str], dict[str, Any]],
    bursts: Sequence[Burst],
    outage: Outage | None = None,
) -> list[tuple[Burst, str, Outcome]]:
    """Each burst, on topics of this title's own."""
    model_path, rows = write_model(servers.work / title), []
    platform = make_platform(servers.broker, servers.store, servers.work, model_path, partitions=PARTITIONS)
    scaled = make(platform, servers.prometheus)
    with exporter_of(platform) as exporter, deployed(servers, platform, scaled, exporter) as kubelet:
        traffic = Traffic(platform, random.Random(7), partitions=PARTITIONS)
        traffic.add_sources(10)
        for burst in bursts:
            outcome = play(burst, traffic, kubelet, outage)
            rows.append((burst, title, outcome))
            sys.stderr.write(f"{title}: {burst.name}: done in {outcome.done_at_s:.0f} s\n")
    return rows


@contextmanager
def exporter_of(platform: Platform) -> Iterator[dict[str, Any]]:
    """`lag --serve`, as the overlay has it; yields what Prometheus is to scrape of it."""
    exporter = platform.start_lag_exporter(TARGET_WAIT_S=str(TARGET_WAIT_S))
    try:
        exporter.wait_ready()
        labels = {"namespace": NAMESPACE, "job": "spleeter-consumer-lag"}
        yield {"targets": [f"127.0.0.1:{exporter.port}"], "labels": labels}
    finally:
        platform.close()


def by_messages(platform: Platform, _: str) -> dict[str, Any]:
    """The shipped ScaledObject as it is without scale-by-work: ten requests a replica."""
    scaled = _scaled_object(platform)
    del scaled["spec"]["fallback"]
    triggers = scaled["spec"]["triggers"]
    triggers[:] = [trigger for trigger in triggers if trigger["type"] == "kafka"]
    triggers[0]["metadata"]["lagThreshold"] = "10"
    return scaled


def by_work(platform: Platform, prometheus_url: str) -> dict[str, Any]:
    """The shipped one with scale-by-work: the replicas that the consumers ask for."""
    scaled = _scaled_object(platform)
    for trigger in scaled["spec"]["triggers"]:
        if trigger["type"] == "prometheus":
            trigger["metadata"]["serverAddress"] = prometheus_url
    return scaled


def _scaled_object(platform: Platform) -> dict[str, Any]:
    scaled = copy.deepcopy(one("production", "ScaledObject"))
    scaled["spec"] |= {"maxReplicaCount": REPLICAS, "pollingInterval": 2, "cooldownPeriod": _COOLDOWN_S}
    scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"][
        "stabilizationWindowSeconds"
    ] = 15
    kept = []
    for trigger in scaled["spec"]["triggers"]:
        metadata = trigger["metadata"]
        if trigger["type"] == "kafka":
            metadata["bootstrapServers"] = platform.bootstrap_servers
            metadata["consumerGroup"] = platform.environment["KAFKA_GROUP_ID"]
            metadata["topic"] = metadata["topic"].replace("separation.requests", platform.topic("REQUESTS"))
            if metadata["topic"].endswith("retry-3"):
                continue  # a platform of the tests has two retry topics
        kept.append(trigger)
    scaled["spec"]["triggers"] = kept
    return scaled


@contextmanager
def deployed(
    servers: Servers, platform: Platform, scaled: dict[str, Any], exporter: dict[str, Any]
) -> Iterator[Kubelet]:
    """The shipped StatefulSet, scaled, with processes for pods; all removed afterwards."""
    running = servers.cluster
    stateful_set = copy.deepcopy(one("production", "StatefulSet"))
    stateful_set["spec"]["replicas"] = 0
    secrets = [
        _secret("spleeter-consumer-kafka", sasl="none", tls="disable", username="", password=""),
        _secret("spleeter-consumer-ca", **{"ca.crt": ""}),  # nothing is encrypted here
        _secret("spleeter-consumer-minio", **{"access-key": "minioadmin", "secret-key": "minioadmin"}),
    ]
    kinds = ("Namespace", "ServiceAccount", "ConfigMap", "Service", "TriggerAuthentication")
    running.apply([*(one("production", kind) for kind in kinds), *secrets, stateful_set])
    kubelet = Kubelet(
        cluster=running,
        namespace=NAMESPACE,
        command=[sys.executable, "-m", "bench.scaling.worker"],
        environment=worker_environment(platform),
        folder=platform.folder,
        targets=servers.work / "targets.json",
        beside=[exporter],
    )
    with kubelet:
        running.apply([scaled])
        running.done(
            "wait", "--for=condition=ready", "scaledobject", "--all", "--namespace", NAMESPACE, "--timeout=60s"
        )
        yield kubelet
        running.done("delete", "scaledobject,statefulset", "--all", "--namespace", NAMESPACE, "--wait")


def _secret(name: str, **values: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def worker_environment(platform: Platform) -> dict[str, str]:
    return {
        **platform.environment,
        "PYTHONPATH": os.pathsep.join([str(ROOT), platform.environment.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "SCRATCH_DIR": str(platform.folder),
        "TARGET_WAIT_S": str(TARGET_WAIT_S),
        "BENCH_SPEED": str(SPEED),
        "BENCH_START_S": str(START_S),
    }


def print_table(rows: list[tuple[Burst, str, Outcome]]) -> None:
    _say(f"Three times as fast as a real replica: {SPEED:.0f} s of audio a second. It takes {START_S} s to start.")
    _say(
        f"At most {REPLICAS} replicas, {PARTITIONS} partitions; 'expected work' is to be done within {TARGET_WAIT_S} s."
    )
    _say("")
    columns: dict[str, Callable[[Burst, Outcome], str]] = {
        "work, s": lambda burst, _: f"{burst.work_s(SPEED):.0f}",
        "replicas at most": lambda _, outcome: f"{outcome.peak_replicas}",
        "first replica, s": lambda _, outcome: f"{outcome.first_at_s:.1f}",
        "wait, median, s": lambda _, outcome: f"{statistics.median(outcome.waits_s):.0f}",
        "wait, 95 %, s": lambda _, outcome: f"{outcome.waits_s[int(0.95 * (len(outcome.waits_s) - 1))]:.0f}",
        "all done, s": lambda _, outcome: f"{outcome.done_at_s:.0f}",
        "none again, s": lambda _, outcome: f"{outcome.zero_at_s:.0f}",
        "replica-seconds": lambda _, outcome: f"{outcome.replica_s:.0f}",
        "of them idle": lambda burst, outcome: f"{100 * (1 - burst.work_s(SPEED) / outcome.replica_s):.0f} %",
        "lost or twice": lambda _, outcome: f"{len(outcome.findings)}",
        "separated again": lambda burst, outcome: f"{outcome.separations - len(burst.audio_s)}",
    }
    _say(f"| burst | scaled by | {' | '.join(columns)} |")
    _say(f"|---|---|{'---:|' * len(columns)}")
    for burst, title, outcome in sorted(rows, key=lambda row: -len(row[0].audio_s)):
        _say(f"| {burst.name} | {title} | {' | '.join(tell(burst, outcome) for tell in columns.values())} |")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
