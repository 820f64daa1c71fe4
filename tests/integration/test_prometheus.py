"""A real Prometheus with the rules that are shipped, in fast motion, beside a real replica and real faults.

Each fault lasts until its alerts fire, and is mended until they are silent again: no timing is asserted.
"""

import json
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from consumer.core.events import OutputOptions, SeparationResult
from devstack.asking import get
from devstack.clamd import clamd
from devstack.prometheus import prometheus
from devstack.service import Running, Service, free_port
from harness.alerts import in_fast_motion, shipped
from harness.clips import write_clip
from harness.gateway import KEY, start_gateway
from harness.holding import go_on, hold_still
from harness.platform import COMMAND, Platform, make_platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for
from harness.webhooks import Answer, an_endpoint, receiver, write_endpoints
from tests.conftest import Kafka, MinioServer

SEPARATORS = 3
# A disk of the replica's own: other tests' servers and builds take gigabytes of the one that their folders are on.
SCRATCH = Path("/dev/shm")
FILL_BYTES = min(1 << 30, shutil.disk_usage(SCRATCH).free // 2)


@dataclass(slots=True)
class Watched:
    """A platform with one replica, its malware scanner and the lag's exporter, and the Prometheus that watches them."""

    platform: Platform
    scanner: Service
    scanning: Running
    replica: ReplicaProcess
    scratch: Path
    prometheus: str
    targets: Path
    clip: str

    def ask(self, query: str) -> dict[str, float]:
        """An instant query's values by partition, "" where a series has none."""
        found = get(f"{self.prometheus}/api/v1/query", params={"query": query}, timeout=30).json()
        return {each["metric"].get("partition", ""): float(each["value"][1]) for each in found["data"]["result"]}

    def firing(self) -> set[str]:
        found = get(f"{self.prometheus}/api/v1/alerts", timeout=30).json()
        return {alert["labels"]["alertname"] for alert in found["data"]["alerts"] if alert["state"] == "firing"}

    def until_firing(self, *names: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        wait_for(lambda: (meanwhile(), set(names) <= self.firing())[1])

    def until_silent(self) -> None:
        wait_for(lambda: self.firing() == set())

    def request(self, **fields: Any) -> None:
        self.platform.request(self.clip, duration_s=0.5, **fields)


@pytest.fixture(scope="module")
def watched(
    kafka: Kafka, minio: MinioServer, model_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    scratch = Path(tempfile.mkdtemp(dir=SCRATCH))
    platform = make_platform(kafka.bootstrap_servers, minio.endpoint, folder, model_path)
    created = platform.run("topics", "create", "--partitions", "6", RETRY_DELAYS=ENVIRONMENT["RETRY_DELAYS"])
    assert created.returncode == 0, created.stderr
    scanner = clamd(folder / "clamd", free_port())
    scanning = scanner.start()
    own = {"CLAMD_ADDRESS": str(folder / "clamd" / "socket"), "SCRATCH_DIR": str(scratch)}
    replica = platform.start_replica(**ENVIRONMENT, **own)
    exporter = platform.start_lag_exporter(RETRY_DELAYS=ENVIRONMENT["RETRY_DELAYS"])
    rules = in_fast_motion(scratch_bytes=shutil.disk_usage(scratch).free - FILL_BYTES / 2)
    port = free_port()
    targets = folder / "targets.json"
    targets.write_text(json.dumps([{"targets": [f"127.0.0.1:{each.port}" for each in (replica, exporter)]}]))
    running = prometheus(folder / "prometheus", port, targets, interval_s=1, rules=rules).start()
    replica.wait_ready()
    clip = platform.upload(write_clip(folder / "song.wav", seconds=1.0, seed=1))
    watched = Watched(platform, scanner, scanning, replica, scratch, f"http://127.0.0.1:{port}", targets, clip)
    yield watched
    running.stop()
    watched.scanning.stop()
    platform.close()
    shutil.rmtree(scratch)


# More than two restarts are wanted within what are fifteen seconds here: one of each separator. What is tried again is
# so for longer than a busy machine takes until the alerts fire.
ENVIRONMENT = {
    "SEPARATOR_PROCESSES": str(SEPARATORS), "SEPARATOR_RUNTIME": "openvino", "RETRY_DELAYS": "10s,20s,40s,80s",
    "ALLOWED_OUTPUT_BUCKETS": "not-there-yet",
}  # fmt: skip


def test_fast_motion_changes_numbers_alone() -> None:
    """What fires here is what is shipped: the same rules, word for word, but for numbers."""

    def words(rules: object) -> str:
        return re.sub(r"\d+(e\+?\d+|\.\d+)?(ms|[smh]\b)?", "#", str(rules).replace("\\n'", "'"))

    assert words(in_fast_motion(1e9)) == words(shipped())
    assert str(in_fast_motion(1e9)) != str(shipped())


def test_no_alert_is_forgotten() -> None:
    """Each alert that is shipped is fired by a test of this module."""
    names = {rule["alert"] for group in shipped()["groups"] for rule in group["rules"]}
    assert set(re.findall(r'"(Separation\w+)"', Path(__file__).read_text())) == names


def test_what_a_replica_tells_arrives_and_nothing_fires(watched: Watched) -> None:
    """A replica that is well and does its work raises nothing."""
    watched.request()
    watched.platform.outcomes(1)
    wait_for(lambda: watched.ask('sum(separation_jobs_total{outcome="done"})') == {"": 1.0})
    lag = f'max by (partition) (separation_lag_messages{{topic="{watched.platform.topic("REQUESTS")}"}})'
    wait_for(lambda: watched.ask(lag) == dict.fromkeys("012345", 0.0))
    wait_for(lambda: watched.ask("separation_desired_replicas") == {"": 0.0})
    free_bytes = shutil.disk_usage(watched.scratch).free
    # On a busy machine a page may come too late for a scrape, and then nothing is known until the next.
    wait_for(lambda: abs(watched.ask("separation_scratch_free_bytes").get("", 0.0) - free_bytes) < FILL_BYTES / 2)
    wait_for(lambda: watched.ask('separation_process_memory_bytes{process="separator"}').get("", 0.0) > 1 << 20)
    wait_for(lambda: watched.ask("separation_kafka_received_bytes_total").get("", 0) > 0)
    watched.until_silent()


def test_faults_of_requests_and_machine_raise_their_alerts(watched: Watched) -> None:
    """Garbage, an output bucket that is missing, a full disk and separators that die: each is told of, then not."""
    platform = watched.platform
    for _ in range(7):
        watched.request(output=OutputOptions(bucket="not-there-yet"))
    fill = watched.scratch / "fill"
    with fill.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, FILL_BYTES)

    def garbage() -> None:
        platform.send(b"garbage")

    watched.until_firing(
        "SeparationDeadLetterRate", "SeparationRetriesPilingUp", "SeparationScratchSpaceLow", meanwhile=garbage
    )
    wait_for(lambda: len(watched.replica.separators()) == SEPARATORS)
    for separator in watched.replica.separators():
        separator.kill()
    watched.until_firing("SeparationSeparatorRestarts")

    fill.unlink()
    platform.minio.make_bucket("not-there-yet")
    watched.until_silent()
    wait_for(lambda: platform.lag() == 0)
    assert not [outcome for outcome in platform.read_outcomes() if getattr(outcome, "code", "") == "RETRIES_EXHAUSTED"]


def test_requests_that_wait_raise_their_alerts(watched: Watched) -> None:
    """While every separator hangs and requests come in, lag and age grow and are told of; once they are done, not."""

    def more() -> None:
        hold_still(watched.replica)
        watched.request()
        time.sleep(0.5)

    try:
        watched.until_firing("SeparationOldestWaitingTooLong", "SeparationLagGrowing", meanwhile=more)
    finally:
        go_on(watched.replica)
    watched.until_silent()


def test_a_sender_that_never_ends_raises_its_alert(watched: Watched) -> None:
    """While a sender's transaction is open nobody can read what is behind it; once it ends, nothing is told of it."""
    platform = watched.platform
    sender = Producer({
        "bootstrap.servers": platform.bootstrap_servers, "transactional.id": "open", "transaction.timeout.ms": 600_000,
    })  # fmt: skip
    sender.init_transactions(30)
    sender.begin_transaction()
    sender.produce(platform.topic("REQUESTS"), b"no request", partition=0)
    assert sender.flush(30) == 0
    watched.until_firing("SeparationTransactionOpen")

    def is_told() -> bool:
        """And the replica is ready all the same."""
        page = watched.replica.get("/ready")
        told = page.json()["checks"]["senders"] if page is not None and page.is_success else ""
        return "waiting for a sender's transaction to end" in told

    wait_for(is_told)
    sender.abort_transaction(30)
    watched.until_silent()


def test_a_scanner_that_is_away_raises_its_alert(watched: Watched) -> None:
    """While nothing can be scanned, requests wait and the retries of that are told of; once it answers, not."""
    watched.scanning.stop()
    watched.request()
    watched.until_firing("SeparationScanFailures")
    watched.scanning = watched.scanner.start()
    watched.until_silent()


def test_audit_events_that_are_lost_raise_an_alert(kafka: Kafka, watched: Watched) -> None:
    """While their topic is missing the work goes on, and what is lost is told of; once it is there, not."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for deleted in admin.delete_topics([watched.platform.topic("AUDIT")]).values():
        deleted.result(30)
    watched.request()
    watched.platform.outcomes(1)
    watched.until_firing("SeparationAuditEventsLost")
    assert watched.platform.run("topics", "create").returncode == 0
    watched.until_silent()


def test_a_gateway_s_faults_raise_their_alerts(kafka: Kafka, watched: Watched) -> None:
    """While it can't send what it is asked to, and while it is down; not before, and not once that is over."""
    platform, port = watched.platform, free_port()
    own = {"targets": [f"127.0.0.1:{port}"], "labels": {"job": "spleeter-consumer-gateway"}}
    replicas = json.loads(watched.targets.read_text())
    process = start_gateway(platform, {"HTTP_PORT": str(port)})
    process.port = port
    process.wait_ready()
    scrape(watched, [*replicas, own])

    def send(_: int = 0) -> int:
        asked = {"source": {"bucket": platform.source_bucket, "key": watched.clip}}
        page = f"http://127.0.0.1:{port}/v1/separations"
        return httpx2.post(page, json=asked, headers={"X-API-KEY": KEY}, timeout=60).status_code

    def firing() -> set[str]:
        return {name for name in watched.firing() if "Gateway" in name}

    assert send() == httpx2.codes.ACCEPTED
    wait_for(lambda: watched.ask('sum(separation_http_requests_total{status="202"})') == {"": 1.0})
    assert firing() == set()
    kafka.running.process.send_signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(6) as callers:
            watched.until_firing("SeparationGatewayErrors", meanwhile=lambda: list(callers.map(send, range(6))))
    finally:
        kafka.running.process.send_signal(signal.SIGCONT)
    wait_for(lambda: firing() == set())

    process.process.kill()
    watched.until_firing("SeparationGatewayDown")
    again = start_gateway(platform, {"HTTP_PORT": str(port)})
    again.port = port
    again.wait_ready()
    wait_for(lambda: firing() == set())
    scrape(watched, replicas)
    again.process.terminate()
    assert again.process.wait(60) == 0
    wait_for(lambda: watched.ask('up{job="spleeter-consumer-gateway"}') == {})


def test_an_endpoint_that_takes_nothing_raises_its_alert(watched: Watched, tmp_path: Path) -> None:
    """While outcomes wait for its receiver, and not once they are delivered."""
    status = {"answered": 500}
    replicas = json.loads(watched.targets.read_text())
    with receiver(lambda *_: Answer(status=status["answered"])) as there:
        settings = {
            "WEBHOOKS_FILE": str(write_endpoints(tmp_path / "endpoints.json", [an_endpoint("main", there.url())])),
            "WEBHOOKS_ALLOW_HTTP": "true",
            "WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "WEBHOOKS_LONGEST_WAIT_S": "5s",
        }
        process = watched.platform.start_process([*COMMAND, "webhooks"], settings)
        process.wait_ready()
        scrape(watched, [*replicas, {"targets": [f"127.0.0.1:{process.port}"]}])
        result = SeparationResult(request_id="told", tenant="acme")
        watched.platform.send_to("RESULTS", watched.platform.codec.encode(result), "told")
        watched.until_firing("SeparationWebhooksUndelivered")
        status["answered"] = 200
        wait_for(lambda: "SeparationWebhooksUndelivered" not in watched.firing())
        scrape(watched, replicas)
        process.process.terminate()
        assert process.process.wait(60) == 0


def scrape(watched: Watched, targets: list[dict[str, Any]]) -> None:
    """These and no others, from now on."""
    written = watched.targets.with_suffix(".new")
    written.write_text(json.dumps(targets))
    written.rename(watched.targets)


def test_without_a_broker_the_lag_is_unknown_and_not_old(kafka: Kafka, watched: Watched) -> None:
    """While the broker does not answer, the lag's series vanish instead of standing still, and an alert says so."""
    wait_for(lambda: watched.ask("sum(separation_lag_messages)") == {"": 0.0})
    kafka.running.process.send_signal(signal.SIGSTOP)
    try:
        watched.until_firing("SeparationLagUnknown")
        assert watched.ask("separation_lag_messages") == {}
        assert watched.ask("separation_desired_replicas") == {}
        assert watched.replica.process.poll() is None
    finally:
        kafka.running.process.send_signal(signal.SIGCONT)
    watched.until_silent()
    wait_for(lambda: watched.ask("sum(separation_lag_messages)") == {"": 0.0})


def test_a_killed_replica_raises_an_alert_until_one_is_back(watched: Watched) -> None:
    """Without any replica an alert fires once a request waits, until one answers again."""
    watched.replica.process.kill()
    wait_for(lambda: watched.ask("separation_in_flight") == {})
    assert watched.firing() == set()
    watched.request()
    watched.until_firing("SeparationNoConsumer")
    port = watched.replica.port  # where Prometheus looks for it
    watched.replica = watched.platform.start_replica(
        **ENVIRONMENT,
        HTTP_PORT=str(port),
        CLAMD_ADDRESS=str(watched.scanner.folder / "socket"),
        SCRATCH_DIR=str(watched.scratch),
    )
    watched.replica.port = port
    watched.replica.wait_ready()
    watched.until_silent()
