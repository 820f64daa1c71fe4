"""A whole replica on Kafka and object storage in memory: the service's own, but for what separates.

with MemoryReplica(tmp_path) as replica:
    replica.put("music", "song.mp3", b"any bytes")
    replica.send(SeparationRequest(request_id="r1", source=SourceObject(bucket="music", key="song.mp3")))
    outcome = replica.outcome("r1")
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from consumer.adapters.avro.codec import AvroCodec
from consumer.app.adapters import Adapters
from consumer.app.wiring import make_replica
from consumer.core.catalog import MODELS
from consumer.core.errors import Fatal
from consumer.core.events import DeadLetter, Event, SeparationRequest, SeparationResult
from consumer.core.lag import Backlog
from consumer.core.model import Message
from consumer.core.ports import ObjectStore, Outbox, SeparatorProcess, Source
from consumer.core.runtimes import ChosenRuntime
from consumer.observability.tracing import NoTracer
from consumer.pipeline.model_store import ModelStore
from consumer.settings import (
    AuditSettings,
    JobSettings,
    KafkaSettings,
    ScannerSettings,
    SchemaSettings,
    SeparatorSettings,
    ServiceSettings,
    Settings,
    TopicSettings,
    TracingSettings,
)
from consumer.testing.broker import MemoryBroker
from consumer.testing.outbox import MemoryOutbox
from consumer.testing.separator import SilentSeparator
from consumer.testing.source import MemorySource
from consumer.testing.store import MemoryStore

_STOP_S = 20.0


def memory_settings(folder: Path, *, source_buckets: Sequence[str] = ("music",)) -> Settings:
    """Settings for a replica whose files lie under `folder`. Stems go to `stems`, retries are due at once."""
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="in memory"),
        topics=TopicSettings(),
        schema=SchemaSettings(),
        job=JobSettings(allowed_source_buckets=tuple(source_buckets), output_bucket="stems"),
        scanner=ScannerSettings(),
        separator=SeparatorSettings(model_path=folder / "models", scratch_dir=folder / "scratch"),
        service=ServiceSettings(instance_id="memory", http_port=0, retry_delays=(0.0, 0.0)),
        audit=AuditSettings(),
        tracing=TracingSettings(),
    )


def write_models(model_path: Path, *names: str) -> str:
    """Checkpoints that nobody can load, for separators that don't; returns their digest, which is the same for all."""
    for name in names:
        folder = model_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.index").write_bytes(b"w")
        (folder / "model.data-00000-of-00001").write_bytes(b"w")
    return ModelStore(model_path, []).ensure(names[0])


class NoNotices:
    """See ports.Notices: sends nothing."""

    def send(self, message: Message) -> None:
        pass

    def close(self) -> None:
        pass


class EmptyControlFeed:
    """See ports.ControlFeed: nobody cancels anything."""

    is_caught_up = True

    def __init__(self) -> None:
        self._never = threading.Event()

    def poll(self, timeout_s: float) -> None:
        self._never.wait(timeout_s)


class UnknownLag:
    """See core.lag.LagReader: never knows."""

    trouble = ""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def backlog(self) -> Backlog | None:
        return None


def memory_adapters(
    *,
    source: Source,
    outbox: Outbox,
    store: ObjectStore,
    separators: Sequence[SeparatorProcess],
) -> Adapters:
    """Those of a replica that tells nobody of its progress, traces nothing, and has no models to fetch."""
    return Adapters(
        codec=AvroCodec(),
        source=source,
        outbox=outbox,
        notices=NoNotices(),
        control_feed=EmptyControlFeed(),
        store=store,
        lag_reader=UnknownLag(),
        separators=separators,
        model_sources=(),
        tracer=NoTracer(),
        runtime=ChosenRuntime(name="none", reason="nothing is computed: stems are silence"),
    )


class MemoryReplica:
    """Works as long as it is used as a context, on threads of its own.

    folder: for scratch space and a model's files; it may be a test's temporary folder.
    source_buckets: those that requests may name; stems go to `stems`.
    """

    def __init__(self, folder: Path, *, source_buckets: Sequence[str] = ("music",)) -> None:
        settings = memory_settings(folder, source_buckets=source_buckets)
        self._topics, self._codec = settings.topics, AvroCodec()
        self.broker = MemoryBroker(settings.topics.requests, *settings.retry_topics)
        self.store = MemoryStore(*source_buckets, settings.job.output_bucket)
        weights_sha256 = write_models(settings.separator.model_path, *dict.fromkeys(MODELS.values()))
        adapters = memory_adapters(
            source=MemorySource(self.broker),
            outbox=MemoryOutbox(self.broker),
            store=self.store,
            separators=[SilentSeparator(weights_sha256=weights_sha256)],
        )
        self._replica = make_replica(settings, adapters)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: Fatal | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._replica.stop("the test is over")
        self._thread.join(_STOP_S)
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            self._replica.run()
        except Fatal as error:
            self._error = error

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Store an object that a request may name."""
        self.store.replace(bucket, key, data, media_type="application/octet-stream", metadata={})

    def send(self, request: SeparationRequest) -> None:
        """As platform code does, under the request's id."""
        self.send_bytes(self._codec.encode(request), key=request.request_id.encode())

    def send_bytes(self, value: bytes | None, *, key: bytes | None = None) -> None:
        """Any record, whatever it holds."""
        self.broker.send(self._topics.requests, value, key=key)

    def outcome(self, request_id: str, *, timeout_s: float = 60.0) -> SeparationResult | DeadLetter:
        """The request's first outcome. Raises AssertionError if there is none in time."""
        found: list[SeparationResult | DeadLetter] = []

        def look() -> bool:
            found.extend(each for each in self.outcomes() if each.request_id == request_id)
            return bool(found)

        self.broker.wait_for(look, timeout_s)
        return found[0]

    def outcomes(self) -> list[SeparationResult | DeadLetter]:
        """All that were committed so far, in order."""
        kinds: dict[str, type[Event]] = {
            self._topics.results: SeparationResult,
            self._topics.dead_letter: DeadLetter,
        }
        decoded = [self._codec.decode(kinds[m.topic], m.value) for m in self.broker.published if m.topic in kinds]
        return [event for event in decoded if isinstance(event, SeparationResult | DeadLetter)]
