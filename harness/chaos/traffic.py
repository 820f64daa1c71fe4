"""What is sent: good requests, repetitions of them, garbage; and the platform that it is sent to."""

import io
import random
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaError, Message, Producer

from consumer.core.events import SeparationRequest, SourceObject
from harness.chaos.oracle import RECORD, Sent
from harness.platform import Platform


def write_model(folder: Path) -> Path:
    """A MODEL_PATH for the fake separator: files that look like a checkpoint and hold nothing."""
    model = folder / "2stems"
    model.mkdir(parents=True)
    for name in ("model.index", "model.data-00000-of-00001"):
        (model / name).write_bytes(b"nothing")
    return folder


@dataclass(slots=True)
class Traffic:
    """Sends to one platform, and remembers what Kafka has taken. Not thread-safe but for `sent`."""

    platform: Platform
    random: random.Random
    partitions: int = 6
    sources: dict[str, bytes] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    _number: int = 0
    _requests: list[SeparationRequest] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        # A broker that is away is waited for, and a record that was sent again by the client is not there twice.
        self._producer = Producer({
            "bootstrap.servers": self.platform.bootstrap_servers, "enable.idempotence": True, "linger.ms": 0,
            "message.timeout.ms": 0, "reconnect.backoff.max.ms": 500, "log_level": 0,
        })  # fmt: skip

    def add_source(self, key: str, data: bytes) -> None:
        self.sources[key] = data
        self.platform.handled.add(key)  # which no replica's log may name
        self.platform.minio.put_object(self.platform.source_bucket, key, io.BytesIO(data), len(data))

    def add_sources(self, count: int) -> None:
        for number in range(count):
            self.add_source(f"song-{number}.wav", self.random.randbytes(self.random.randrange(1000, 60_000)))

    def send_mix(self, count: int) -> None:
        """Of ten records one is garbage and one repeats an earlier request, half of those in another partition."""
        for _ in range(count):
            match self.random.randrange(10):
                case 0:
                    self.send_garbage()
                case 1 if self._requests:
                    self.send_request(self.random.choice(self._requests[-50:]))
                case _:
                    self.send_request()

    def send_request(
        self,
        again: SeparationRequest | None = None,
        partition: int | None = None,
        source: str | None = None,
        deadline: datetime | None = None,
    ) -> SeparationRequest:
        """A new request, or one that was sent before; for any source, or for this one."""
        self._number += 1
        key = source or self.random.choice(sorted(self.sources))
        request = again or SeparationRequest(
            request_id=uuid.UUID(bytes=self.random.randbytes(16)).hex,
            source=SourceObject(bucket=self.platform.source_bucket, key=key),
            deadline=deadline,
            requested_at=datetime.now(UTC),
        )
        if again is None:
            self._requests.append(request)
        request = replace(request, metadata={RECORD: str(self._number)})
        self._send(self.platform.codec.encode(request), request.request_id.encode(), partition, request)
        return request

    def send_garbage(self, partition: int | None = None) -> None:
        self._number += 1
        value = self.random.choice((None, b"", self.random.randbytes(self.random.randrange(1, 400))))
        self._send(value, f"garbage-{self._number}".encode(), partition, None)

    def _send(self, value: bytes | None, key: bytes, partition: int | None, request: SeparationRequest | None) -> None:
        if partition is None:
            partition = self.random.randrange(self.partitions)
        taken = partial(self._taken, value, request)
        self._producer.produce(self.platform.topic("REQUESTS"), value, key, partition, on_delivery=taken)
        self._producer.poll(0)

    def _taken(
        self, value: bytes | None, request: SeparationRequest | None, error: KafkaError | None, message: Message
    ) -> None:
        assert error is None, error
        with self._lock:
            self.sent.append(
                Sent(value=value, partition=message.partition() or 0, offset=message.offset() or 0, request=request)
            )

    def flush(self) -> Sequence[Sent]:
        """All that was sent, once Kafka has it."""
        assert self._producer.flush(120) == 0
        return self.sent
