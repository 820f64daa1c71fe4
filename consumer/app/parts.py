"""Each part that more than one command needs, made from its settings."""

import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self, get_type_hints

import structlog

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.clamav import ClamavScanner
from consumer.adapters.kafka.lag import KafkaLagReader
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import BucketUnusable, ConsumerError, SettingsError
from consumer.core.events import SCHEMA_FILES
from consumer.core.ports import ObjectStore
from consumer.observability.lag import RequestEstimator
from consumer.observability.tracing import NoTracer, Tracer
from consumer.separator.client import SeparatorClient
from consumer.separator.protocol import Configure
from consumer.settings import (
    JobSettings,
    KafkaSettings,
    ObjectStoreSettings,
    ScannerSettings,
    SchemaSettings,
    SeparatorSettings,
    ServiceSettings,
    TopicSettings,
    TracingSettings,
    environment_without_secrets,
)

SEPARATOR_COMMAND = (sys.executable, "-m", "consumer.separator.process")
VERSION = version("spleeter-consumer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that `run` needs."""

    kafka: KafkaSettings
    topics: TopicSettings
    schema: SchemaSettings
    job: JobSettings
    scanner: ScannerSettings
    separator: SeparatorSettings
    service: ServiceSettings
    tracing: TracingSettings

    @classmethod
    def load(cls) -> Self:
        """From the environment. Raises SettingsError."""
        return cls(**{name: group.load() for name, group in get_type_hints(cls).items()})

    @classmethod
    def load_usable(cls) -> tuple[Self, list[SettingsError]]:
        """What can be read of all groups, and what is wrong, an error a group; see Group.load_usable."""
        loaded = {name: group.load_usable() for name, group in get_type_hints(cls).items()}
        problems = [problem for _, problem in loaded.values() if problem]
        return cls(**{name: group for name, (group, _) in loaded.items()}), problems

    @property
    def retry_topics(self) -> list[str]:
        return retry_topics(self.topics, self.service)


def retry_topics(topics: TopicSettings, service: ServiceSettings) -> list[str]:
    return [topics.retry(number) for number in range(1, len(service.retry_delays) + 1)]


def make_codec(schema: SchemaSettings, topics: TopicSettings) -> AvroCodec:
    """Confluent's wire format where a registry is configured, single-object encoding elsewhere."""
    return AvroCodec(make_registry(schema, topics))


def make_registry(schema: SchemaSettings, topics: TopicSettings) -> ConfluentRegistry | None:
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
    return ConfluentRegistry(schema.schema_registry_url, subjects)


def make_store() -> ObjectStore:
    """The object store that OBJECT_STORE names; it reads its own settings. Raises SettingsError."""
    name = ObjectStoreSettings.load().object_store
    try:
        factory = pkgutil.resolve_name(name)
    except Exception as error:  # whatever comes of importing a module that is not ours
        raise _no_store(f"{name} can't be imported ({type(error).__name__}: {error})") from error
    if not callable(factory):
        raise _no_store(f"{name} can't be called")
    try:
        store = factory()
    except ConsumerError:
        raise
    except Exception as error:  # its message may hold a secret: only its type is reported
        raise _no_store(f"{name} made no store ({type(error).__name__})") from error
    if not isinstance(store, ObjectStore):
        raise _no_store(f"what {name} returned is no object store")
    return store


def _no_store(reason: str) -> SettingsError:
    return SettingsError(f"OBJECT_STORE: {reason}", variables=("OBJECT_STORE",))


def check_bucket(store: ObjectStore, bucket: str, *, setting: str) -> None:
    """The bucket is there and ours to use; else an error that names the setting too. Raises StoreUnavailable."""
    try:
        store.check(bucket)
    except BucketUnusable as error:
        raise error.named_by(setting) from error


def make_scanner(scanner: ScannerSettings, job: JobSettings) -> ClamavScanner | None:
    """None where none is configured."""
    return None if scanner.place is None else ClamavScanner(scanner.place, max_bytes=job.max_object_bytes)


def make_lag(
    kafka: KafkaSettings, topics: TopicSettings, retry_topics: Sequence[str], schema: SchemaSettings
) -> KafkaLagReader:
    """With a codec of its own: it decodes in another thread."""
    return KafkaLagReader(kafka, [topics.requests, *retry_topics], RequestEstimator(make_codec(schema, topics)))


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
        scratch=scratch_folder(settings).absolute(),
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


def scratch_folder(settings: Settings) -> Path:
    """A folder of this replica's own, so that what an earlier incarnation left behind can be removed."""
    return settings.separator.scratch_dir / f"{settings.kafka.group_id}-{settings.service.instance_id}".replace(
        "/", "_"
    )
