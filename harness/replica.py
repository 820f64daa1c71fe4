"""A replica's parts, wired as `app` does, over fakes: all of it but Kafka, object storage and TensorFlow."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Fatal, ScannerUnavailable, StoreUnavailable, Transient
from consumer.core.events import DeadLetter
from consumer.core.model import Message, ObjectFacts, TopicPartition
from consumer.core.ports import Check
from consumer.core.tracing import Tracer
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.delivery.committer import Committer
from consumer.delivery.control_follower import ControlFollower
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.poll_loop import PollLoop
from consumer.observability.metrics import Metrics
from consumer.observability.tracing import NoTracer
from consumer.pipeline.commit_observer import CommitObserver
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.pipeline import Pipeline, Stages
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.retry import Retrier
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.pipeline.stages.fetch import Fetch
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.scan import Scan
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate
from consumer.testing.store import MemoryStore
from harness.fakes import (
    NOON,
    FakeBroker,
    FakeNotices,
    FakeOutbox,
    FakeSeparator,
    FakeSource,
    a_request,
)
from harness.feed import FakeFeed
from harness.scanner import FakeScanner

CODEC = AvroCodec()
REQUESTS = TopicPartition("requests", 0)
RETRIES = ["requests.retry-1", "requests.retry-2"]


class Flaky(MemoryStore):
    """`away` is how many of the next calls fail."""

    away = 0

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        if self.away > 0:
            self.away -= 1
            raise StoreUnavailable("away")
        return super().stat(bucket, key, version_id=version_id)


@dataclass
class Harness:
    """A replica's parts, as `app` wires them, over fakes. `halted` gets what stops the replica."""

    folder: Path
    separator: FakeSeparator = field(default_factory=FakeSeparator)
    codec: AvroCodec = CODEC
    max_job_s: float = 60.0
    reuses: bool = False
    scanner: FakeScanner | None = None
    checks: dict[type[Transient], Check] = field(default_factory=dict)
    tracer: Tracer = field(default_factory=NoTracer)
    halted: list[Fatal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.broker = FakeBroker(REQUESTS.topic, *RETRIES)
        self.source = FakeSource(self.broker)
        self.store = Flaky("in", "out")
        self.store.create("in", "a.mp3", b"song", media_type="", metadata={})
        self.scratch = self.folder / "scratch"
        self.scratch.mkdir()
        model = self.folder / "models" / "2stems"
        model.mkdir(parents=True)
        for name in ("model.index", "model.data-00000-of-00001"):
            (model / name).write_bytes(b"w")
        self.weights = ModelStore(self.folder / "models", [])
        self.separator.weights_sha256 = self.weights.ensure("2stems")
        self.metrics, self.notices = Metrics(), FakeNotices()
        self.dispatcher = Dispatcher(self.source.membership)
        self.loop = PollLoop(
            self.source, self.dispatcher, topics=[REQUESTS.topic], retry_topics=RETRIES, max_retry_delay_s=0.0,
            revoke_grace_s=0.0,
        )  # fmt: skip
        self.committer = Committer(self.dispatcher, FakeOutbox(self.broker), self.source, CommitObserver(self.metrics))
        self.uploads = ThreadPoolExecutor(2)
        self.feed, self.cancel_registry = FakeFeed(), CancelRegistry()
        self.control = ControlFollower(self.feed, CODEC, self.cancel_registry)
        self.pipeline = Pipeline(
            self.dispatcher, self._stages(), [self.separator], retrier=self._retrier(), metrics=self.metrics,
            tracer=self.tracer,
            progress=ProgressReporter(self.notices, CODEC, topic="progress", instance_id="i"),
            cancel_registry=self.cancel_registry, max_job_s=self.max_job_s, halt=self._halt,
        )  # fmt: skip
        self.threads = [threading.Thread(target=self.loop.run), threading.Thread(target=self.committer.run)]

    def _retrier(self) -> Retrier:
        checks = {ScannerUnavailable: self.scanner.check} if self.scanner else {}
        return Retrier(
            self.checks | checks,
            lambda stage: self.metrics.retries.labels(stage).inc(),
            lambda stage: self.metrics.outage_checks.labels(stage).inc(),
        )

    def _stages(self) -> Stages:
        return Stages(
            codec=self.codec,
            validate=Validate(source_buckets=["in"], output_bucket="out", output_prefix="stems/"),
            recall=Recall(store=self.store),
            weights=self.weights,
            fetch=Fetch(store=self.store, scratch=self.scratch, max_object_bytes=100),
            scan=Scan(scanner=self.scanner) if self.scanner else None,
            reuse=Reuse(store=self.store, bucket="out", prefix="stems/", buckets=["out"]) if self.reuses else None,
            store=Store(store=self.store, uploads=self.uploads),
            publish=EncodeOutcome(
                codec=self.codec, results_topic="results", dead_letter_topic="letters",
                retry_topics=RETRIES, retry_delays_s=[0.0, 0.0], version="1",
            ),
        )  # fmt: skip

    def _halt(self, error: Fatal) -> None:
        with self.broker.changed:
            self.halted.append(error)
            self.broker.changed.notify_all()

    def start(self) -> None:
        self.pipeline.start()
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.loop.stop(0.0)
        self.threads[0].join(20)
        self.loop.leave()
        self.pipeline.stop()
        self.committer.stop()
        self.threads[1].join(20)
        self.uploads.shutdown()

    def send(self, **fields: Any) -> None:
        request = a_request(**fields)
        self.broker.send(REQUESTS.topic, CODEC.encode(request), key=request.request_id.encode(), timestamp=NOON)

    def outcomes(self) -> list[Message]:
        """Everything that was published, once all that was sent is committed."""
        self.broker.wait_for(lambda: self.broker.all_committed() or self.halted)
        assert not self.halted, self.halted
        return self.broker.published

    def letter(self) -> DeadLetter:
        message = self.outcomes()[-1]
        assert message.topic == "letters"
        return CODEC.decode(DeadLetter, message.value)
