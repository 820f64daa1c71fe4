"""The adapters of a real replica: Kafka, object storage, scanner, registry, separators. Nobody else knows vendors."""

import sys
from collections.abc import Sequence

import msgspec

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.clamav import ClamavScanner
from consumer.adapters.factories import make_erasable_store, make_quarantine, make_registry, make_store
from consumer.adapters.kafka.control_feed import KafkaControlFeed
from consumer.adapters.kafka.inspection import inspect
from consumer.adapters.kafka.notices import KafkaNotices
from consumer.adapters.kafka.outbox import KafkaOutbox
from consumer.adapters.kafka.outcome_history import OutcomeHistory
from consumer.adapters.kafka.source import KafkaSource
from consumer.adapters.model_sources import model_sources
from consumer.app.adapters import Adapters
from consumer.app.lag_child import LagChild
from consumer.app.lag_process import LagTask, make_reader
from consumer.app.tracing import make_tracer
from consumer.core.errors import SettingsError
from consumer.core.ports import ObjectStore, Quarantine
from consumer.core.runtimes import ChosenRuntime
from consumer.delivery.cancel_registry import MAX_REMEMBERED, REMEMBERED_FOR
from consumer.observability.process_usage import usage_of
from consumer.separator.client import SeparatorClient
from consumer.separator.models.conversion_cache import conversion_needed_by
from consumer.separator.protocol import Configure
from consumer.separator.runtimes.choice import choose_for_replica
from consumer.settings import (
    JobSettings,
    KafkaSettings,
    ScannerSettings,
    SchemaSettings,
    Settings,
    TopicSettings,
    environment_without_secrets,
)

SEPARATOR_COMMAND = (sys.executable, "-m", "consumer.separator.process")


def make_adapters(settings: Settings, *, separator_command: Sequence[str] = SEPARATOR_COMMAND) -> Adapters:
    """One of each, connected where that needs no waiting. Raises Fatal."""
    kafka, service, topics = settings.kafka, settings.service, settings.topics
    runtime = choose_for_replica(settings.separator.separator_runtime, settings.separator.model_path)
    registry = make_registry(settings.schema, topics)
    store = make_store()
    return Adapters(
        codec=AvroCodec(registry),
        source=KafkaSource(
            kafka,
            instance_id=service.instance_id,
            is_static_member=service.is_static_member,
            recall=OutcomeHistory(kafka, [topics.results, topics.dead_letter, *settings.retry_topics]).position,
        ),
        outbox=KafkaOutbox(kafka, instance_id=service.instance_id),
        notices=KafkaNotices(kafka),
        control_feed=KafkaControlFeed(
            kafka, topics.control, max_age_s=REMEMBERED_FOR.total_seconds(), max_records=MAX_REMEMBERED
        ),
        store=store,
        erasable=make_erasable_store(store),
        lag_reader=make_lag(kafka, topics, settings.retry_topics, settings.schema, instance_id=service.instance_id),
        separators=make_separators(settings, runtime, separator_command),
        model_sources=model_sources(settings.separator.model_sources, store),
        tracer=make_tracer(settings.tracing, group_id=kafka.group_id, instance_id=settings.service.instance_id),
        runtime=runtime,
        scanner=make_scanner(settings.scanner, settings.job),
        quarantine=_quarantine(settings, store),
        check_registry=registry.check if registry else None,
        prepare_model=conversion_needed_by(runtime.name),
        inspect_brokers=lambda: inspect(
            kafka, topics, retry_topics=settings.retry_topics, retry_delays_s=service.retry_delays
        ),
    )


def make_scanner(scanner: ScannerSettings, job: JobSettings) -> ClamavScanner | None:
    """None where none is configured."""
    return ClamavScanner(*scanner.places, max_bytes=job.max_object_bytes) if scanner.places else None


def _quarantine(settings: Settings, store: ObjectStore) -> Quarantine | None:
    """None where infected objects stay. Raises SettingsError where requests could read what was put away."""
    bucket, job = settings.scanner.quarantine_bucket, settings.job
    if settings.scanner.quarantine == "move" and bucket in {*job.allowed_source_buckets, job.output_bucket}:
        variable = "CLAMD_QUARANTINE_BUCKET"
        raise SettingsError(f"{variable}: must be another bucket than those of songs and stems", variables=(variable,))
    return make_quarantine(settings.scanner, store)


def make_lag(
    kafka: KafkaSettings,
    topics: TopicSettings,
    retry_topics: Sequence[str],
    schema: SchemaSettings,
    *,
    instance_id: str | None = None,
) -> LagChild:
    """Records are read by a process of its own. instance_id: under which that logs; None: it does not."""
    task = LagTask(kafka=kafka, topics=topics, retry_topics=retry_topics, schema=schema, instance_id=instance_id)
    return LagChild(task, make_reader(task))


def make_separators(
    settings: Settings, runtime: ChosenRuntime, command: Sequence[str] = SEPARATOR_COMMAND
) -> list[SeparatorClient]:
    """Each has a folder of its own, so that it reaches no track but the one that it was given."""
    separator = settings.separator
    configuration = Configure(
        model_path=separator.model_path.absolute(),
        runtime=runtime.name,
        allowed_formats=settings.job.allowed_formats,
        models=separator.models,
        scratch=settings.scratch_folder.absolute(),
        ffmpeg_path=separator.ffmpeg_path,
        sandbox_required=separator.sandbox_required,
        digests=separator.model_sha256,
    )
    return [
        SeparatorClient(
            msgspec.structs.replace(configuration, scratch=configuration.scratch / f"separator-{number}"),
            max_audio_s=settings.job.max_audio_seconds,
            environment=environment_without_secrets(),
            command=command,
            measure_usage=usage_of,
        )
        for number in range(1, separator.separator_processes + 1)
    ]
