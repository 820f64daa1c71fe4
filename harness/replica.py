"""A replica as the product wires it, over fakes: all of it but Kafka, object storage and TensorFlow."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from consumer.adapters.avro.codec import AvroCodec
from consumer.app.adapters import Adapters
from consumer.app.startup import StartupPolicy
from consumer.app.wiring import Policies, make_replica
from consumer.core.errors import Fatal, RegistryUnavailable, StoreUnavailable, Transient
from consumer.core.events import DeadLetter, SourceObject
from consumer.core.model import Message, ObjectFacts, TopicPartition
from consumer.core.ports import Check, ModelSource
from consumer.core.runtimes import ChosenRuntime
from consumer.core.tracing import Tracer
from consumer.delivery.delivery import DeliveryPolicy
from consumer.delivery.poll_loop import PollPolicy
from consumer.observability.tracing import NoTracer
from consumer.pipeline.retry import RULES, RetryPolicy, Rule
from consumer.settings import Settings, TopicSettings
from consumer.testing.replica import UnknownLag, memory_settings, write_models
from consumer.testing.store import MemoryStore
from harness.fakes import NOON, FakeBroker, FakeNotices, FakeOutbox, FakeSeparator, FakeSource, a_request
from harness.feed import FakeFeed
from harness.scanner import FakeScanner

CODEC = AvroCodec()
REQUESTS = TopicPartition("requests", 0)
RETRIES = ["requests.retry-1", "requests.retry-2"]
# With hardly any patience.
HASTY = Policies(
    delivery=DeliveryPolicy(poll=PollPolicy(revoke_grace_s=0.0)),
    retry=RetryPolicy(
        rules=dict.fromkeys(RULES, Rule(attempts=2, first_wait_s=0.001, max_wait_s=0.001)), outage_check_s=0.001
    ),
    startup=StartupPolicy(retry_models_s=0.01, retry_checks_s=0.01),
)


class Flaky(MemoryStore):
    """`away` is how many of the next calls fail."""

    away = 0

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        if self.away > 0:
            self.away -= 1
            raise StoreUnavailable("away")
        return super().stat(bucket, key, version_id=version_id)


def harness_settings(folder: Path, **job: Any) -> Settings:
    """Requests from `in`, stems to `out`, retries due at once; `job` changes what is asked of jobs."""
    settings = memory_settings(folder, source_buckets=["in"])
    allowed = {"output_bucket": "out", "max_object_bytes": 100, "max_job_s": 60.0, "deduplicate_content": False}
    return replace(
        settings,
        topics=TopicSettings(requests="requests", results="results", dead_letter="letters", progress="progress"),
        job=settings.job.model_copy(update=allowed | job),
    )


@dataclass
class Harness:
    """`halted` gets what stops the replica. models: those that it asks for at its start."""

    folder: Path
    separator: FakeSeparator = field(default_factory=FakeSeparator)
    codec: AvroCodec = CODEC
    max_job_s: float = 60.0
    reuses: bool = False
    scanner: FakeScanner | None = None
    checks: dict[type[Transient], Check] = field(default_factory=dict)
    tracer: Tracer = field(default_factory=NoTracer)
    policies: Policies = HASTY
    models: Sequence[str] = ("2stems",)
    model_sources: Sequence[ModelSource] = ()

    def __post_init__(self) -> None:
        self.broker = FakeBroker(REQUESTS.topic, *RETRIES)
        self.source, self.outbox = FakeSource(self.broker), FakeOutbox(self.broker)
        self.store = Flaky("in", "out")
        self.store.create("in", "a.mp3", b"song", media_type="", metadata={})
        self.notices, self.feed = FakeNotices(), FakeFeed()
        self.settings = harness_settings(self.folder, max_job_s=self.max_job_s, deduplicate_content=self.reuses)
        self.separator.weights_sha256 = write_models(self.settings.separator.model_path, "2stems")
        self.scratch = self.settings.scratch_folder
        self.scratch.mkdir(parents=True)
        self.wire()

    def wire(self) -> None:
        """Make the replica anew, of the adapters as they are."""
        separator = self.settings.separator.model_copy(update={"models": tuple(self.models)})
        self.replica = make_replica(replace(self.settings, separator=separator), self.adapters(), self.policies)
        parts = self.replica.parts
        self.metrics, self.cancel_registry, self.pipeline = parts.metrics, parts.cancel_registry, parts.pipeline
        delivery = parts.delivery
        self.assignments, self.dispatcher, self.loop = delivery.assignments, delivery.dispatcher, delivery.poll_loop
        self.commit_queue, self.committer = delivery.commit_queue, delivery.committer
        self.replica.halt.cancellation.listen(self._tell)
        self.threads = [threading.Thread(target=self.loop.run), threading.Thread(target=self.committer.run)]

    def adapters(self) -> Adapters:
        return Adapters(
            codec=self.codec,
            source=self.source,
            outbox=self.outbox,
            notices=self.notices,
            control_feed=self.feed,
            store=self.store,
            lag_reader=UnknownLag(),
            separators=[self.separator],
            model_sources=self.model_sources,
            tracer=self.tracer,
            runtime=ChosenRuntime(name="tensorflow", reason="the tests' own"),
            scanner=self.scanner,
            check_registry=self.checks.get(RegistryUnavailable),
        )

    @property
    def halted(self) -> list[Fatal]:
        return [self.replica.halt.error] if self.replica.halt.error else []

    def _tell(self) -> None:
        with self.broker.changed:
            self.broker.changed.notify_all()

    def start(self) -> None:
        self.pipeline.start()
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.loop.stop(0.0)
        if self.threads[0].ident:
            self.threads[0].join(60)
        self.loop.leave()
        self.pipeline.stop()
        self.committer.stop()
        if self.threads[1].ident:
            self.threads[1].join(60)

    def send_another(self, request_id: str, **fields: Any) -> None:
        """A request for a song of its own."""
        key = f"{request_id}.mp3"
        self.store.create("in", key, request_id.encode(), media_type="", metadata={})
        self.send(request_id=request_id, source=SourceObject(bucket="in", key=key), **fields)

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
