"""The audit log of a process without a transaction of its own, as the settings ask for it."""

from collections.abc import Callable

from consumer.adapters.factories import make_codec
from consumer.adapters.kafka.audit import AuditPolicy, KafkaAuditLog
from consumer.core.events import AuditEvent
from consumer.observability.audit_lines import log_audit
from consumer.settings import AuditSettings, KafkaSettings, SchemaSettings, TopicSettings


def make_audit_log(
    kafka: KafkaSettings,
    topics: TopicSettings,
    schema: SchemaSettings,
    audit: AuditSettings,
    *,
    log: Callable[[AuditEvent], None] = log_audit,
    on_lost: Callable[[int], None],
) -> KafkaAuditLog:
    """Nothing of it is started or connected yet; its codec is its own, since it encodes in another thread.

    log: told of each event; by default a line of the logger `audit`. on_lost: told of how many events were given up;
    what counts them is `separation_audit_events_lost_total`.
    """
    policy = AuditPolicy(is_required=audit.audit_required)
    return KafkaAuditLog(kafka, topics.audit, make_codec(schema, topics), policy, log=log, on_lost=on_lost)
