"""What delivery is measured on: a real broker and a real object store of its own, and both ends of the service.

Times are of the wall clock, so that they can be compared with those that replicas log.
"""

import io
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from confluent_kafka import Consumer, Producer, TopicPartition

from consumer.adapters.kafka.retrying import retried
from consumer.core.events import DeadLetter, Event, SeparationRequest, SeparationResult, SourceObject
from consumer.core.model import Headers
from devstack.kafka import kafka
from devstack.minio import minio
from devstack.service import Running, Service, free_port
from harness.chaos.traffic import write_model
from harness.platform import Platform, make_platform
from harness.replica_process import ReplicaProcess

ROOT = Path(__file__).parents[1]
PARTITIONS = 6
PATIENCE_S = 600.0  # the naive consumer takes its time


@dataclass(slots=True)
class Arena:
    """A Kafka and a MinIO that can be taken away and brought back."""

    folder: Path
    _services: dict[str, Service] = field(default_factory=dict)
    _running: dict[str, Running] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        self._ports = {"Kafka": free_port(), "MinIO": free_port()}
        self._services = {
            "Kafka": kafka(self.folder / "kafka", self._ports["Kafka"]),
            "MinIO": minio(self.folder / "minio", self._ports["MinIO"]),
        }
        for name in self._services:
            self.bring_back(name)

    def bring_back(self, name: str) -> None:
        self._running[name] = self._services[name].start()

    def take_away(self, name: str) -> None:
        self._running[name].stop()

    def stop(self) -> None:
        for running in self._running.values():
            running.kill()

    @contextmanager
    def platform(self, model_path: Path | None = None, **environment: str) -> Iterator[Platform]:
        """Topics, buckets and replicas of one measurement's own; without a model they have the fake separator."""
        folder = self.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        kafka, minio = (f"127.0.0.1:{self._ports[name]}" for name in ("Kafka", "MinIO"))
        platform = make_platform(kafka, minio, folder, model_path or write_model(folder), partitions=PARTITIONS)
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        defaults = {"DEDUPLICATE_CONTENT": "true", "PYTHONPATH": path, "CHAOS_SEGMENT_S": "0"}
        platform.environment = {**platform.environment, **defaults, **environment}
        if model_path is None:
            platform.replica_command = [sys.executable, "-m", "harness.chaos.replica"]
        try:
            yield platform
        finally:
            platform.close()


@dataclass(slots=True)
class Sender:
    """Sends requests for objects that no two of them share, and remembers when and where to."""

    platform: Platform
    sent_at: dict[str, float] = field(default_factory=dict)
    partition_of: dict[str, int] = field(default_factory=dict)
    requests: list[SeparationRequest] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(5))
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self._producer = Producer({
            "bootstrap.servers": self.platform.bootstrap_servers, "linger.ms": 0, "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        })  # fmt: skip

    def prepare(self, count: int, size_bytes: int = 20_000) -> list[SeparationRequest]:
        """Requests whose objects lie in the source bucket."""
        return [self.prepare_for(io.BytesIO(self._random.randbytes(size_bytes)), size_bytes) for _ in range(count)]

    def prepare_for(self, data: BinaryIO, size_bytes: int, suffix: str = ".wav") -> SeparationRequest:
        key = f"{uuid.uuid4().hex}{suffix}"
        self.platform.minio.put_object(self.platform.source_bucket, key, data, size_bytes)
        return SeparationRequest(
            request_id=uuid.uuid4().hex,
            source=SourceObject(bucket=self.platform.source_bucket, key=key),
            requested_at=datetime.now(UTC),
        )

    def send(
        self, request: SeparationRequest, partition: int = 0, topic: str | None = None, headers: Headers = ()
    ) -> None:
        value, key = self.platform.codec.encode(request), request.request_id.encode()
        self.sent_at[request.request_id] = time.time()
        self.partition_of[request.request_id] = partition
        self._producer.produce(
            topic or self.platform.topic("REQUESTS"), value, key, partition, headers=list(headers) or None
        )
        self._producer.poll(0)

    def flush(self) -> None:
        self._producer.flush(30)


class Reader:
    """Reads outcomes as they are committed, in a thread of its own. `arrived_at`: request id → when it was read."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._consumer = Consumer({
            "bootstrap.servers": platform.bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed",
            "enable.auto.commit": False, "reconnect.backoff.max.ms": 200, "log_level": 0,
        })  # fmt: skip
        self._kinds = {platform.topic("RESULTS"): SeparationResult, platform.topic("DEAD_LETTER"): DeadLetter}
        found = retried(lambda: self._consumer.list_topics(timeout=10), PATIENCE_S).topics
        self._consumer.assign([
            TopicPartition(topic, number, 0) for topic in self._kinds for number in found[topic].partitions
        ])  # fmt: skip
        self.arrived_at: dict[str, list[float]] = {}
        self.dead: list[DeadLetter] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            message = self._consumer.poll(0.5)
            if message is None or message.error():
                continue
            now = time.time()
            event: Event = self._platform.codec.decode(self._kinds[message.topic() or ""], message.value())
            assert isinstance(event, SeparationResult | DeadLetter)
            if isinstance(event, DeadLetter):
                self.dead.append(event)
            self.arrived_at.setdefault(event.request_id or "", []).append(now)

    def wait(self, request_ids: Sequence[str], times: int = 1) -> None:
        """Until each of them has that many outcomes."""
        deadline = time.monotonic() + PATIENCE_S
        while any(len(self.arrived_at.get(name, ())) < times for name in request_ids):
            if time.monotonic() > deadline:
                raise SystemExit("an outcome did not come")
            time.sleep(0.0005)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(60)
        self._consumer.close()


@contextmanager
def reading(platform: Platform) -> Iterator[Reader]:
    reader = Reader(platform)
    try:
        yield reader
    finally:
        reader.close()


class Trickle:
    """Sends to one partition after the other at a steady pace, until it is closed."""

    def __init__(self, sender: Sender, requests: Sequence[SeparationRequest], every_s: float) -> None:
        self._sender, self._requests, self._every_s = sender, requests, every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)
        self._sender.flush()

    def _run(self) -> None:
        for number, request in enumerate(self._requests):
            if self._stopped.wait(self._every_s):
                return
            self._sender.send(request, number % PARTITIONS)


def said_at(replica: ReplicaProcess, event: str, **fields: object) -> list[float]:
    """When a replica logged that, with those fields."""
    return [
        datetime.fromisoformat(str(line["timestamp"])).timestamp()
        for line in replica.said(event)
        if fields.items() <= line.items()
    ]
