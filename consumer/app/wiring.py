"""Wires a replica together. The one place that knows every part; `replica` runs what is wired here."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.control_feed import KafkaControlFeed
from consumer.adapters.kafka.outbox import KafkaNotices, KafkaOutbox
from consumer.adapters.kafka.source import KafkaSource
from consumer.adapters.model_sources import model_sources
from consumer.app.parts import (
    SEPARATOR_COMMAND,
    VERSION,
    Settings,
    check_bucket,
    make_lag,
    make_registry,
    make_scanner,
    make_separators,
    make_store,
    make_tracer,
    scratch_folder,
)
from consumer.app.replica import Halt, Replica
from consumer.app.watchdog import Watchdog
from consumer.core.errors import RegistryUnavailable, ScannerUnavailable, StoreUnavailable, Transient
from consumer.core.ports import ObjectStore, Scanner
from consumer.delivery.cancel_registry import MAX_REMEMBERED, REMEMBERED_FOR, CancelRegistry
from consumer.delivery.committer import Committer
from consumer.delivery.control_follower import ControlFollower
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.poll_loop import PollLoop
from consumer.observability.collectors import GroupLagCollector, ReplicaCollector
from consumer.observability.http import ProbeServer
from consumer.observability.metrics import Metrics
from consumer.observability.probes import CommitObserver, Probes
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.pipeline import Pipeline, Stages
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.retry import Check, Retrier
from consumer.pipeline.scratch import Scratch
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.pipeline.stages.fetch import Fetch
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.scan import Scan
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate
from consumer.separator.models.conversion_cache import preparation

REVOKE_GRACE_S = 1.0  # what is nearly done when its partition moves may still be published; others wait no longer
OPEN_S = 2.0  # one try to get a producer; a signal is heard between two


def make_replica(settings: Settings, *, separator_command: Sequence[str] = SEPARATOR_COMMAND) -> Replica:
    """A replica that is ready to run, its probes already being answered. Raises Fatal."""
    service, topics, job = settings.service, settings.topics, settings.job
    metrics, tracer, halt = Metrics(), make_tracer(settings), Halt()
    metrics.build.info({"version": VERSION, "runtime": settings.separator.separator_runtime})
    registry = make_registry(settings.schema, topics)
    codec = AvroCodec(registry)
    store = make_store()
    scanner = make_scanner(settings.scanner, job)
    source = KafkaSource(settings.kafka, instance_id=service.instance_id, is_static_member=service.is_static_member)
    outbox = KafkaOutbox(settings.kafka, instance_id=service.instance_id)
    notices = KafkaNotices(settings.kafka)
    lag = make_lag(settings.kafka, topics, settings.retry_topics, settings.schema)
    feed = KafkaControlFeed(
        settings.kafka, topics.control, max_age_s=REMEMBERED_FOR.total_seconds(), max_records=MAX_REMEMBERED
    )
    cancel_registry = CancelRegistry()
    dispatcher = Dispatcher(source.membership)
    separators = make_separators(settings, separator_command)
    weights = ModelStore(
        settings.separator.model_path,
        model_sources(settings.separator.model_sources, store),
        prepare=preparation(settings.separator.separator_runtime),
    )
    loop = PollLoop(
        source,
        dispatcher,
        topics=[topics.requests],
        retry_topics=settings.retry_topics,
        max_retry_delay_s=max(service.retry_delays, default=0.0),
        revoke_grace_s=REVOKE_GRACE_S,
    )
    stages = make_stages(settings, codec, store, scanner, weights)

    def check_store() -> None:
        check_bucket(store, job.output_bucket, setting="OUTPUT_BUCKET")

    checks: dict[type[Transient], Check] = {StoreUnavailable: check_store}
    if registry:
        checks[RegistryUnavailable] = registry.check
    if scanner:
        checks[ScannerUnavailable] = scanner.check

    def close() -> None:
        lag.stop()
        notices.close()
        tracer.close()

    pipeline = Pipeline(
        dispatcher,
        stages,
        separators,
        retrier=Retrier(checks, on_retry=lambda stage: metrics.retries.labels(stage).inc()),
        metrics=metrics,
        tracer=tracer,
        progress=ProgressReporter(notices, codec, topic=topics.progress, instance_id=service.instance_id),
        cancel_registry=cancel_registry,
        max_job_s=job.max_job_s,
        halt=halt,
    )
    committer = Committer(dispatcher, outbox, source, CommitObserver(metrics))
    replica = Replica(
        loop=loop,
        dispatcher=dispatcher,
        pipeline=pipeline,
        committer=committer,
        separators=separators,
        weights=weights,
        models=settings.separator.models,
        scratch=Scratch(scratch_folder(settings)),
        open_outbox=lambda: outbox.open(OPEN_S),
        needs=tuple(checks.values()),
        close=close,
        halt=halt,
        watchdogs=(
            Watchdog("poll loop", lambda: loop.last_poll),
            Watchdog("publisher", committer.sign_of_life),
        ),
        control=ControlFollower(feed, codec, cancel_registry),
        shutdown_grace_s=service.shutdown_grace_s,
    )
    vitals = Probes(
        replica,
        source_error=lambda: source.last_error,
        check_store=check_store,
        check_registry=registry.check if registry else None,
        check_scanner=scanner.check if scanner else None,
    )
    metrics.add_collector(ReplicaCollector(replica, lambda: source.traffic).collect)
    group_lag = GroupLagCollector(
        lag.backlog,
        metrics.speed,
        requests_topic=topics.requests,
        target_wait_s=service.target_wait_s,
        separators=len(separators),
    )
    metrics.add_collector(group_lag.collect)
    lag.start()
    ProbeServer(service.http_host, service.http_port, vitals.health, metrics.registry)
    return replica


def make_stages(
    settings: Settings, codec: AvroCodec, store: ObjectStore, scanner: Scanner | None, weights: ModelStore
) -> Stages:
    job, topics = settings.job, settings.topics
    return Stages(
        codec=codec,
        validate=Validate(
            source_buckets=job.allowed_source_buckets,
            output_bucket=job.output_bucket,
            output_prefix=job.output_prefix,
            further_output_buckets=job.allowed_output_buckets,
        ),
        recall=Recall(store=store),
        weights=weights,
        fetch=Fetch(store=store, scratch=scratch_folder(settings), max_object_bytes=job.max_object_bytes),
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
        publish=EncodeOutcome(
            codec=codec,
            results_topic=topics.results,
            dead_letter_topic=topics.dead_letter,
            retry_topics=settings.retry_topics,
            retry_delays_s=settings.service.retry_delays,
            version=VERSION,
        ),
    )
