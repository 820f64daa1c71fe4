"""Wires a replica together. The one place that knows every part; `replica` runs what is wired here."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

import structlog

from consumer.adapters.avro import AvroCodec
from consumer.adapters.clamav import ClamavScanner
from consumer.adapters.kafka import KafkaSource
from consumer.adapters.kafka_control import KafkaControl
from consumer.adapters.kafka_lag import KafkaLag
from consumer.adapters.kafka_outbox import KafkaNotices, KafkaOutbox
from consumer.adapters.minio import MinioStore
from consumer.adapters.model_sources import model_sources
from consumer.adapters.registry import SchemaRegistry
from consumer.cancellations import MAX_REMEMBERED, REMEMBERED_FOR, Cancellations
from consumer.control import ControlFollower
from consumer.errors import ScannerUnavailable, StoreUnavailable, Transient
from consumer.events import SCHEMA_FILES
from consumer.gauges import GroupLag, ReplicaGauges
from consumer.health import HealthServer
from consumer.lag import Describe
from consumer.ledger import Ledger
from consumer.loop import Loop
from consumer.metrics import Metrics
from consumer.observe import PublishedObserver, Vitals
from consumer.pipeline import Pipeline, Rooms
from consumer.ports import Scanner
from consumer.progress import ProgressReporter
from consumer.publisher import Publisher
from consumer.replica import Halt, Replica
from consumer.retry import Check, Patience
from consumer.separator.client import SeparatorClient
from consumer.separator.kept import keep_conversion
from consumer.separator.protocol import Configure
from consumer.settings import (
    JobSettings,
    KafkaSettings,
    ScannerSettings,
    SchemaSettings,
    SeparatorSettings,
    ServiceSettings,
    StoreSettings,
    TopicSettings,
    TracingSettings,
    environment_without_secrets,
)
from consumer.steps.fetch import Fetch
from consumer.steps.publish import Publish
from consumer.steps.recall import Recall
from consumer.steps.reuse import Reuse
from consumer.steps.scan import Scan
from consumer.steps.store import Store
from consumer.steps.validate import Validate
from consumer.tracing import NoTracer, Tracer
from consumer.watchdog import Watchdog
from consumer.weights import Weights

SEPARATOR_COMMAND = (sys.executable, "-m", "consumer.separator.process")
REVOKE_GRACE_S = 1.0  # what is nearly done when its partition moves may still be published; others wait no longer
VERSION = version("spleeter-consumer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that `run` needs."""

    kafka: KafkaSettings
    topics: TopicSettings
    schema: SchemaSettings
    store: StoreSettings
    job: JobSettings
    scanner: ScannerSettings
    separator: SeparatorSettings
    service: ServiceSettings
    tracing: TracingSettings

    @classmethod
    def load(cls) -> Self:
        """From the environment. Raises SettingsError."""
        return cls(
            kafka=KafkaSettings.load(),
            topics=TopicSettings.load(),
            schema=SchemaSettings.load(),
            store=StoreSettings.load(),
            job=JobSettings.load(),
            scanner=ScannerSettings.load(),
            separator=SeparatorSettings.load(),
            service=ServiceSettings.load(),
            tracing=TracingSettings.load(),
        )

    @property
    def retry_topics(self) -> list[str]:
        return retry_topics(self.topics, self.service)


def retry_topics(topics: TopicSettings, service: ServiceSettings) -> list[str]:
    return [topics.retry(number) for number in range(1, len(service.retry_delays) + 1)]


def make_codec(schema: SchemaSettings, topics: TopicSettings) -> AvroCodec:
    """Confluent's wire format where a registry is configured, single-object encoding elsewhere."""
    return AvroCodec(make_registry(schema, topics))


def make_registry(schema: SchemaSettings, topics: TopicSettings) -> SchemaRegistry | None:
    """None where none is configured."""
    if schema.schema_registry_url is None:
        return None
    topic_of = {
        "separation_request": topics.requests,
        "separation_result": topics.results,
        "dead_letter": topics.dead_letter,
        "separation_progress": topics.progress,
        "separation_control": topics.control,
        "audit_event": topics.audit,
    }
    assert topic_of.keys() == set(SCHEMA_FILES.values())
    subjects = {name: f"{topic}-value" for name, topic in topic_of.items()}
    return SchemaRegistry(schema.schema_registry_url, subjects)


def make_store(settings: StoreSettings) -> MinioStore:
    return MinioStore(
        settings.endpoint, settings.access_key, settings.secret_key.get_secret_value(), secure=settings.secure
    )


def make_scanner(scanner: ScannerSettings, job: JobSettings) -> ClamavScanner | None:
    """None where none is configured."""
    return None if scanner.place is None else ClamavScanner(scanner.place, max_bytes=job.max_object_bytes)


def make_lag(
    kafka: KafkaSettings, topics: TopicSettings, retry_topics: Sequence[str], schema: SchemaSettings
) -> KafkaLag:
    """With a codec of its own: it decodes in another thread."""
    return KafkaLag(kafka, [topics.requests, *retry_topics], Describe(make_codec(schema, topics)))


def make_tracer(settings: Settings) -> Tracer:
    """One that records spans, where OTEL_* variables ask for that. Raises SettingsError."""
    if not settings.tracing.exporters:
        return NoTracer()
    try:
        from consumer.adapters.otel import OtelTracer
    except ImportError:
        structlog.get_logger().warning("tracing.not_installed", needed="spleeter-consumer[otel]")
        return NoTracer()
    return OtelTracer(
        settings.tracing,
        group_id=settings.kafka.group_id,
        instance_id=settings.service.instance_id,
        version=VERSION,
    )


def make_separators(settings: Settings, command: Sequence[str] = SEPARATOR_COMMAND) -> list[SeparatorClient]:
    separator = settings.separator
    configuration = Configure(
        model_path=separator.model_path.absolute(),
        runtime=separator.separator_runtime,
        allowed_formats=settings.job.allowed_formats,
        models=separator.models,
        scratch=_scratch(settings).absolute(),
        ffmpeg_path=separator.ffmpeg_path,
    )
    return [
        SeparatorClient(
            configuration,
            max_audio_s=settings.job.max_audio_seconds,
            environment=environment_without_secrets(),
            command=command,
        )
        for _ in range(separator.separator_processes)
    ]


def make_replica(settings: Settings, *, separator_command: Sequence[str] = SEPARATOR_COMMAND) -> Replica:
    """A replica that is ready to run, its probes already being answered. Raises Fatal."""
    service, topics, job = settings.service, settings.topics, settings.job
    metrics, tracer, halt = Metrics(), make_tracer(settings), Halt()
    metrics.build.info({"version": VERSION, "runtime": settings.separator.separator_runtime})
    codec = make_codec(settings.schema, topics)
    store = make_store(settings.store)
    scanner = make_scanner(settings.scanner, job)
    source = KafkaSource(settings.kafka, instance_id=service.instance_id, is_static_member=service.is_static_member)
    outbox = KafkaOutbox(settings.kafka, instance_id=service.instance_id)
    notices = KafkaNotices(settings.kafka)
    lag = make_lag(settings.kafka, topics, settings.retry_topics, settings.schema)
    feed = KafkaControl(
        settings.kafka, topics.control, max_age_s=REMEMBERED_FOR.total_seconds(), max_records=MAX_REMEMBERED
    )
    cancellations = Cancellations()
    ledger = Ledger(source.membership)
    separators = make_separators(settings, separator_command)
    weights = Weights(
        settings.separator.model_path,
        model_sources(settings.separator.model_sources, store),
        prepare=keep_conversion if settings.separator.separator_runtime == "openvino" else None,
    )
    loop = Loop(
        source,
        ledger,
        topics=[topics.requests],
        retry_topics=settings.retry_topics,
        max_retry_delay_s=max(service.retry_delays, default=0.0),
        revoke_grace_s=REVOKE_GRACE_S,
    )
    rooms = make_rooms(settings, codec, store, scanner, weights)

    def check_store() -> None:
        store.check(job.output_bucket)

    checks: dict[type[Transient], Check] = {StoreUnavailable: check_store}
    if scanner:
        checks[ScannerUnavailable] = scanner.check

    def close() -> None:
        lag.stop()
        notices.close()
        tracer.close()

    pipeline = Pipeline(
        ledger,
        rooms,
        separators,
        patience=Patience(checks, on_retry=lambda stage: metrics.retries.labels(stage).inc()),
        metrics=metrics,
        tracer=tracer,
        progress=ProgressReporter(notices, codec, topic=topics.progress, instance_id=service.instance_id),
        cancellations=cancellations,
        max_job_s=job.max_job_s,
        halt=halt,
    )
    publisher = Publisher(ledger, outbox, source, PublishedObserver(metrics))
    replica = Replica(
        loop=loop,
        ledger=ledger,
        pipeline=pipeline,
        publisher=publisher,
        separators=separators,
        weights=weights,
        models=settings.separator.models,
        scratch=_scratch(settings),
        open_outbox=outbox.open,
        needs=tuple(checks.values()),
        close=close,
        halt=halt,
        watchdogs=(
            Watchdog("poll loop", lambda: loop.last_poll),
            Watchdog("publisher", publisher.sign_of_life),
        ),
        control=ControlFollower(feed, codec, cancellations),
        shutdown_grace_s=service.shutdown_grace_s,
    )
    vitals = Vitals(
        replica,
        source_error=lambda: source.last_error,
        check_store=check_store,
        check_scanner=scanner.check if scanner else None,
    )
    metrics.add_collector(ReplicaGauges(replica, lambda: source.traffic).collect)
    group_lag = GroupLag(
        lag.backlog,
        metrics.speed,
        requests_topic=topics.requests,
        target_wait_s=service.target_wait_s,
        separators=len(separators),
    )
    metrics.add_collector(group_lag.collect)
    lag.start()
    HealthServer(service.http_host, service.http_port, vitals.health, metrics.registry)
    return replica


def make_rooms(
    settings: Settings, codec: AvroCodec, store: MinioStore, scanner: Scanner | None, weights: Weights
) -> Rooms:
    job, topics = settings.job, settings.topics
    return Rooms(
        codec=codec,
        validate=Validate(
            source_buckets=job.allowed_source_buckets,
            output_bucket=job.output_bucket,
            output_prefix=job.output_prefix,
            further_output_buckets=job.allowed_output_buckets,
        ),
        recall=Recall(store=store),
        weights=weights,
        fetch=Fetch(store=store, scratch=_scratch(settings), max_object_bytes=job.max_object_bytes),
        scan=Scan(scanner=scanner) if scanner else None,
        reuse=Reuse(
            store=store,
            bucket=job.output_bucket,
            prefix=job.output_prefix,
            buckets=(job.output_bucket, *job.allowed_output_buckets),
        )
        if job.deduplicate_content
        else None,
        store=Store(store=store, uploads=ThreadPoolExecutor(8, "upload")),
        publish=Publish(
            codec=codec,
            results_topic=topics.results,
            dead_letter_topic=topics.dead_letter,
            retry_topics=settings.retry_topics,
            retry_delays_s=settings.service.retry_delays,
            version=VERSION,
        ),
    )


def _scratch(settings: Settings) -> Path:
    """A folder of this replica's own, so that what an earlier incarnation left behind can be removed."""
    return settings.separator.scratch_dir / f"{settings.kafka.group_id}-{settings.service.instance_id}".replace(
        "/", "_"
    )
