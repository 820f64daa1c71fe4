"""Wires a replica together from its settings and its adapters. Vendors are known by `vendors` alone."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from consumer.app.adapters import Adapters
from consumer.app.background import make_background
from consumer.app.checks import check_create_only
from consumer.app.dependencies import Dependency, dependencies_of
from consumer.app.replica import Parts, Replica
from consumer.app.startup import Requirements, Startup, StartupPolicy
from consumer.app.status import Halt, ReplicaStatus
from consumer.core.ports import ErasableStore
from consumer.core.seal import Seal
from consumer.core.version import VERSION
from consumer.delivery.assignments import Assignments
from consumer.delivery.audit_outbox import OptionalAuditOutbox
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.delivery.control_follower import ControlFollower
from consumer.delivery.delivery import Delivery, DeliveryPolicy, make_delivery
from consumer.delivery.poll_loop import Subscription
from consumer.observability.lag import RequestEstimator
from consumer.observability.metrics import Metrics
from consumer.pipeline.audit import AuditOutcomes
from consumer.pipeline.commit_observer import CommitObserver
from consumer.pipeline.completion import Completion
from consumer.pipeline.crash_guard import CrashGuard
from consumer.pipeline.failure_policy import FailurePolicy
from consumer.pipeline.forgetting import Eraser, ErasingPlace
from consumer.pipeline.forgotten import ForgottenRequests, Tombstones
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.pipeline import Pipeline
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.retry import DEFAULT_POLICY, Retrier, RetryPolicy
from consumer.pipeline.scratch import Scratch
from consumer.pipeline.separation import SeparateTrack
from consumer.pipeline.stage_runner import StageRunner
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.pipeline.stages.fetch import Fetch
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.scan import Scan
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate
from consumer.pipeline.tenants import followed_tenants
from consumer.pipeline.trial import Trial
from consumer.pipeline.walk import Stages, Walk
from consumer.settings import Settings

_UPLOADS = 8  # stems stored side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """Bounds and waits, each with the value that the service runs with; a test may have others.

    assignments: instead of new ones, for who wants to look at their clock and waits.
    """

    delivery: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    retry: RetryPolicy = DEFAULT_POLICY
    startup: StartupPolicy = field(default_factory=StartupPolicy)
    assignments: Assignments | None = None


def make_replica(settings: Settings, adapters: Adapters, policies: Policies | None = None) -> Replica:
    """A replica that is ready to run; nothing of it has been started."""
    policies = policies or Policies()
    metrics, status, halt = Metrics(), ReplicaStatus(), Halt()
    metrics.build.info({"version": VERSION, "runtime": adapters.runtime.name})
    if not settings.audit.audit_required:
        adapters = replace(adapters, outbox=OptionalAuditOutbox(adapters.outbox, metrics.audit_events_lost.inc))
    scratch = Scratch(settings.scratch_folder, max_bytes=settings.separator.scratch_max_bytes)
    cancel_registry = CancelRegistry()
    dependencies = dependencies_of(settings, adapters, scratch)
    model_store = ModelStore(
        settings.separator.model_path,
        adapters.model_sources,
        prepare=adapters.prepare_model,
        digests=settings.separator.model_sha256,
    )
    delivery = _make_delivery(settings, adapters, policies, metrics)
    retrier = Retrier(
        {dependency.away: dependency.check for dependency in dependencies},
        policies.retry,
        on_retry=lambda stage: metrics.retries.labels(stage).inc(),
        on_outage_check=lambda stage: metrics.outage_checks.labels(stage).inc(),
    )
    runner, crash_guard = StageRunner(retrier, metrics), CrashGuard(delivery.start_counter)
    stages = _make_stages(settings, adapters, model_store, scratch)
    progress = ProgressReporter(
        adapters.notices, adapters.codec, topic=settings.topics.progress, instance_id=settings.service.instance_id
    )
    separate = SeparateTrack(runner, crash_guard, progress, metrics, Trial(scratch), max_job_s=settings.job.max_job_s)
    failure_policy = FailurePolicy(stages.encode_outcome)
    pipeline = Pipeline(
        delivery.dispatcher,
        Walk(stages, runner, separate, cancel_registry),
        Completion(delivery.dispatcher, cancel_registry, crash_guard, failure_policy, runner, stages.audit),
        adapters.separators,
        adapters.tracer,
        halt,
    )
    required = _requirements(settings, adapters, scratch, dependencies, model_store, cancel_registry)
    parts = Parts(
        delivery=delivery,
        pipeline=pipeline,
        startup=Startup(required, status, halt, policies.startup),
        background=make_background(settings, adapters, delivery, metrics, status, dependencies),
        metrics=metrics,
        cancel_registry=cancel_registry,
    )
    return Replica(parts, status, halt, shutdown_grace_s=settings.service.shutdown_grace_s)


def _make_delivery(settings: Settings, adapters: Adapters, policies: Policies, metrics: Metrics) -> Delivery:
    estimate = RequestEstimator(adapters.codec)  # which does not ask an absent registry at each record
    subscription = Subscription(
        topics=[settings.topics.requests],
        retry_topics=settings.retry_topics,
        max_retry_delay_s=max(settings.service.retry_delays, default=0.0),
        try_out=lambda record: estimate(record.value),
    )
    return make_delivery(
        adapters.source,
        adapters.outbox,
        subscription,
        CommitObserver(metrics),
        policy=policies.delivery,
        assignments=policies.assignments,
    )


def _requirements(
    settings: Settings,
    adapters: Adapters,
    scratch: Scratch,
    dependencies: Sequence[Dependency],
    model_store: ModelStore,
    cancel_registry: CancelRegistry,
) -> Requirements:
    def check_conditions() -> None:
        check_create_only(adapters.store, settings.job.output_bucket, settings.job.output_prefix)

    return Requirements(
        scratch=scratch,
        checks=[*(dependency.check for dependency in dependencies), check_conditions],
        model_store=model_store,
        models=settings.separator.models,
        separators=adapters.separators,
        outbox=adapters.outbox,
        control=ControlFollower(adapters.control_feed, adapters.codec, cancel_registry),
    )


def _make_stages(settings: Settings, adapters: Adapters, model_store: ModelStore, scratch: Scratch) -> Stages:
    """The rooms that a record walks through."""
    job, topics, seal = settings.job, settings.topics, settings.job.seal()
    forgotten = _make_forgotten(settings, adapters, seal)
    return Stages(
        codec=adapters.codec,
        validate=Validate(
            source_buckets=job.allowed_source_buckets,
            output_bucket=job.output_bucket,
            output_prefix=job.output_prefix,
            further_output_buckets=job.allowed_output_buckets,
            tenants=followed_tenants(job.tenants_file),
        ),
        recall=Recall(store=adapters.store, forgotten=forgotten, seal=seal),
        model_store=model_store,
        fetch=Fetch(store=adapters.store, scratch=scratch, max_object_bytes=job.max_object_bytes),
        scan=Scan(scanner=adapters.scanner, quarantine=adapters.quarantine) if adapters.scanner else None,
        reuse=Reuse(
            store=adapters.store,
            bucket=job.output_bucket,
            prefix=job.output_prefix,
            buckets=(job.output_bucket, *job.allowed_output_buckets),
            forgotten=forgotten,
            seal=seal,
            without_tenant=job.deduplicate_without_tenant,
        )
        if job.deduplicate_content
        else None,
        store=Store(
            store=adapters.store,
            uploads=ThreadPoolExecutor(_UPLOADS, "upload"),
            forgotten=forgotten,
            seal=seal,
        ),
        encode_outcome=EncodeOutcome(
            codec=adapters.codec,
            results_topic=topics.results,
            dead_letter_topic=topics.dead_letter,
            retry_topics=settings.retry_topics,
            retry_delays_s=settings.service.retry_delays,
            version=VERSION,
        ),
        audit=AuditOutcomes(codec=adapters.codec, topic=topics.audit, instance_id=settings.service.instance_id),
    )


def _make_forgotten(settings: Settings, adapters: Adapters, seal: Seal) -> ForgottenRequests:
    """As far as the store can take something away; that a request was forgotten is kept in any."""
    job, store = settings.job, adapters.store
    erasable = adapters.erasable or (store if isinstance(store, ErasableStore) else None)
    tombstones = Tombstones(store=store, bucket=job.output_bucket, prefix=job.output_prefix, seal=seal)
    place = ErasingPlace(bucket=job.output_bucket, prefix=job.output_prefix, seal=seal)
    return ForgottenRequests(tombstones=tombstones, eraser=Eraser(store, erasable, place) if erasable else None)
