"""A platform of topics alone, into which a test publishes outcomes as replicas do."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from minio import Minio

from consumer.core.events import DeadLetter, SeparationRequest, SeparationResult, SourceObject
from harness.platform import COMMAND, Platform, make_environment
from harness.replica_process import ReplicaProcess
from harness.webhooks import LOCAL, write_endpoints
from tests.conftest import Kafka

# Group members that were killed are missed after 6 s, not after 45 s.
QUICKLY_MISSED = {"KAFKA_GROUP_PROTOCOL": "classic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """platform: its topics. file: that of the endpoints."""

    platform: Platform
    file: Path

    def write(self, *endpoints: Mapping[str, object]) -> None:
        write_endpoints(self.file, endpoints)

    def start(self, *endpoints: Mapping[str, object], **environment: str) -> ReplicaProcess:
        """A `webhooks` process that reads, for these endpoints; those of the file as it is where none are given."""
        if endpoints:
            self.write(*endpoints)
        settings = {**LOCAL, "WEBHOOKS_FILE": str(self.file), **environment}
        process = self.platform.start_process([*COMMAND, "webhooks"], settings)
        process.wait_ready()
        return process

    def succeed(self, tenant: str | None = "acme", count: int = 1) -> list[str]:
        """Results of jobs, whose ids are returned."""
        ids = [uuid.uuid4().hex for _ in range(count)]
        producer = Producer({"bootstrap.servers": self.platform.bootstrap_servers})
        for request_id in ids:
            result = SeparationResult(request_id=request_id, tenant=tenant, completed_at=datetime.now(UTC))
            producer.produce(self.platform.topic("RESULTS"), self.platform.codec.encode(result), request_id.encode())
        assert producer.flush(30) == 0
        return ids

    def fail(self, code: str, tenant: str | None = "acme", original: bytes | None = None) -> str:
        """A dead letter, with the request in it, or what is given instead."""
        request_id = uuid.uuid4().hex
        request = SeparationRequest(
            request_id=request_id, tenant=tenant, source=SourceObject(bucket="in", key="song.mp3")
        )
        letter = DeadLetter(
            request_id=request_id,
            code=code,
            message="why",
            original_value=self.platform.codec.encode(request) if original is None else original,
            failed_at=datetime.now(UTC),
        )
        self.platform.send_to("DEAD_LETTER", self.platform.codec.encode(letter), request_id)
        return request_id

    def group(self, endpoint_id: str) -> str:
        return f"{self.platform.environment['KAFKA_GROUP_ID']}-webhooks-{endpoint_id}"

    def lag(self, endpoint_id: str) -> int:
        """Offsets of the topics that the endpoint's group has not committed."""
        reader = Consumer({"bootstrap.servers": self.platform.bootstrap_servers, "group.id": self.group(endpoint_id)})
        try:
            topics = [self.platform.topic(kind) for kind in ("RESULTS", "DEAD_LETTER")]
            known = reader.list_topics(timeout=30).topics
            places = [TopicPartition(topic, number) for topic in topics for number in known[topic].partitions]
            committed = reader.committed(places, timeout=30)
            ends = [reader.get_watermark_offsets(place, timeout=30)[1] for place in places]
            return sum(ends) - sum(max(0, place.offset) for place in committed)
        finally:
            reader.close()


@pytest.fixture
def room(kafka: Kafka, tmp_path: Path) -> Iterator[Room]:
    environment = make_environment(f"t{uuid.uuid4().hex[:8]}", kafka.bootstrap_servers)
    platform = Platform(
        bootstrap_servers=kafka.bootstrap_servers,
        minio=Minio("127.0.0.1:1", "none", "none", secure=False),  # never asked
        environment=environment,
        folder=tmp_path,
    )
    created = platform.run("topics", "create", "--partitions", "3")
    assert created.returncode == 0, created.stderr
    yield Room(platform=platform, file=tmp_path / "webhooks.json")
    platform.close()


def stop(process: ReplicaProcess) -> None:
    """As Kubernetes does."""
    process.process.terminate()
    assert process.process.wait(60) == 0, process.log.read_text()[-2000:]
