"""The adapters of a real replica: Kafka, object storage, scanner, registry, separators. Nobody else knows vendors."""

from collections.abc import Sequence

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.control_feed import KafkaControlFeed
from consumer.adapters.kafka.outbox import KafkaNotices, KafkaOutbox
from consumer.adapters.kafka.source import KafkaSource
from consumer.adapters.model_sources import model_sources
from consumer.app.adapters import Adapters
from consumer.app.parts import (
    SEPARATOR_COMMAND,
    Settings,
    make_lag,
    make_registry,
    make_scanner,
    make_separators,
    make_store,
    make_tracer,
)
from consumer.delivery.cancel_registry import MAX_REMEMBERED, REMEMBERED_FOR
from consumer.separator.models.conversion_cache import conversion_needed_by


def make_adapters(settings: Settings, *, separator_command: Sequence[str] = SEPARATOR_COMMAND) -> Adapters:
    """One of each, connected where that needs no waiting. Raises Fatal."""
    kafka, service, topics = settings.kafka, settings.service, settings.topics
    registry = make_registry(settings.schema, topics)
    store = make_store()
    return Adapters(
        codec=AvroCodec(registry),
        source=KafkaSource(kafka, instance_id=service.instance_id, is_static_member=service.is_static_member),
        outbox=KafkaOutbox(kafka, instance_id=service.instance_id),
        notices=KafkaNotices(kafka),
        control_feed=KafkaControlFeed(
            kafka, topics.control, max_age_s=REMEMBERED_FOR.total_seconds(), max_records=MAX_REMEMBERED
        ),
        store=store,
        lag_reader=make_lag(kafka, topics, settings.retry_topics, settings.schema),
        separators=make_separators(settings, separator_command),
        model_sources=model_sources(settings.separator.model_sources, store),
        tracer=make_tracer(settings),
        scanner=make_scanner(settings.scanner, settings.job),
        check_registry=registry.check if registry else None,
        prepare_model=conversion_needed_by(settings.separator.separator_runtime),
    )
