"""Every event that is logged, once: its dotted name, which log searches rely on, and what it tells.

Each line has the place of its record bound to it (topic, partition, offset, attempt) and, once known, the request's id;
none ever holds a key, a payload, an address with credentials or a secret.
"""

from enum import StrEnum
from typing import Self

from consumer.core.model import Stage


class LogEvent(StrEnum):
    """A name, and what it means."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        event = str.__new__(cls, name)
        event._value_ = name
        event.meaning = meaning
        return event

    REPLICA_STARTED = "replica.started", "it reads records from now on; with its models"
    REPLICA_STOPPED = "replica.stopped", "it has ended in good order"
    RUNTIME_CHOSEN = "runtime.chosen", "what computes the networks from now on, and why that"
    PARTITIONS_ASSIGNED = "partitions.assigned", "the group has given it partitions"
    PARTITIONS_REVOKED = "partitions.revoked", "it gives partitions back"
    PARTITIONS_LOST = "partitions.lost", "partitions have been another's for a while; work on them is dropped"
    PARTITIONS_NONE = "partitions.none", "more replicas than partitions; it stands by"
    POSITION_UNKNOWN = "partition.position_unknown", "the broker can't tell where the group stands; asked again"
    POSITION_RECALLED = (
        "partition.position_recalled",
        "nothing was committed of a partition; its outcomes told where the group stood",
    )
    LOG_WAS_REPLACED = (
        "partition.log_was_replaced",
        "another log has taken the place of the one that was read, or it was cut; what is not done there is read",
    )
    BATCH_UNREADABLE = (
        "partition.unreadable",
        "a batch can't be read, so nothing behind it is; with its place, the reason and the section to follow",
    )
    READ_CAREFULLY = (
        "partition.read_carefully",
        "replicas died while they read or worked on a partition; it is read record by record up to an offset",
    )
    STAGE_FAILED = "separation.failed", "a stage of a record failed; with the stage and the kind of error"
    UNEXPECTED = "separation.unexpected", "an error that nobody foresaw, with its traceback"
    PUBLISHED = "separation.published", "a result is committed"
    DEAD_LETTERED = "separation.dead_lettered", "a dead letter is committed; with its code"
    RETRY_SCHEDULED = "separation.retry_scheduled", "the record was committed to a retry topic"
    INDEX_NOT_WRITTEN = "reuse.not_noted", "stems were stored, but others with the same content will not find them"
    STEP_RETRIED = "step.retried", "a stage is tried again in place"
    DEPENDENCY_AWAY = "dependency.away", "nobody can use a dependency; work waits, and no attempt is used up"
    DEPENDENCY_BACK = "dependency.back", "it answers again; with the seconds that it took"
    TRIAL_PASSED = (
        "separator.trial_passed",
        "after ten unexpected failures a plain tone could be separated: the files failed",
    )
    SEPARATOR_CRASHED = "separator.crashed", "a separator's process died over a record"
    SEPARATOR_NOT_READY = "separator.not_ready", "a separator could not load its models; it is started again"
    MODEL_FETCHED = "model.fetched", "a model's checkpoint was fetched"
    MODEL_UNAVAILABLE = "model.unavailable", "a model that is needed before work begins can't be had; tried again"
    PUBLISH_DELAYED = "publish.delayed", "no broker takes the transaction; tried again"
    PUBLISH_BLOCKED = "publish.blocked", "a topic does not take one partition's outcome; other partitions go on"
    PUBLISH_FENCED = "publish.fenced", "the producer is dead; the committed offsets tell what became of its transaction"
    PUBLISH_REFUSED = "publish.refused", "the partition is another's now; its records are done there"
    PRODUCER_WAITS = "producer.waits", "a call to the brokers is repeated until its fate is known"
    PRODUCER_NOT_READY = "producer.not_ready", "a new producer waits for its coordinator"
    BROKER_SETTING = "kafka.setting", "a topic or broker is set so that a promise can't be kept; with how to mend it"
    BROKER_SETTINGS_UNKNOWN = "kafka.settings_unknown", "the brokers' settings can't be looked at; nothing rests on it"
    KAFKA_ERROR = "kafka.error", "the client library complains of something that passes"
    INSTANCE_ID_IN_USE = "kafka.instance_id_in_use", "the group still remembers an earlier member of this name"
    HEADERS_UNREADABLE = "record.headers_unreadable", "a record's headers can't be read; it is taken without them"
    AUDIT_RECORDED = "audit.recorded", "an audit event, by the logger `audit`, whatever LOG_LEVEL says"
    AUDIT_LOST = "audit.lost", "the audit topic does not take events; work goes on without them, and they are counted"
    AUDIT_TAKEN_AGAIN = "audit.taken_again", "the audit topic takes events again"
    LAG_UNKNOWN = "lag.unknown", "the group's lag can't be read; its series vanish"
    LAG_READER_DIED = "lag.reader_died", "the process that reads records for the lag died; it is counted by offsets"
    LAG_BROKEN = "lag.broken", "an error in reading the lag, with its traceback; tried again"
    CONTROL_CANCELLED = "control.cancelled", "a cancellation was heard"
    CONTROL_IGNORED = "control.ignored", "a record of the control topic is no cancellation"
    CONTROL_UNAVAILABLE = "control.unavailable", "the control topic can't be read; tried again"
    CONTROL_NOT_CAUGHT_UP = "control.not_caught_up", "work begins before all earlier cancellations are known"
    PIPELINE_BROKEN = "pipeline.broken", "an error of ours in a stage's thread; the replica ends"
    COMMITTER_BROKEN = "publisher.broken", "an error of ours in the committer's thread; the replica ends"
    KEYS_READ = "access.keys_read", "the gateway's keys have changed, and are used as they are now; with their number"
    KEYS_UNREADABLE = (
        "access.keys_unreadable",
        "the gateway's keys have changed to something that can't be used; those before are kept; with the reason",
    )
    TENANTS_READ = "tenants.read", "the file of tenants has changed, and is used as it is now; with their number"
    TENANTS_UNREADABLE = (
        "tenants.unreadable",
        "the file of tenants has changed to something that can't be used; those before are kept; with the reason",
    )
    SIGNING_KEYS_READ = (
        "access.signing_keys_read",
        "the token issuer's keys are known, or are others; with their number",
    )
    SIGNING_KEYS_AWAY = (
        "access.signing_keys_away",
        "the token issuer's keys can't be fetched; those before are kept; with the reason; tried again",
    )
    HTTP_FAILED = "http.failed", "a page could not be made, with the traceback"
    HTTP_ANSWERED = "http.answered", "a request to the gateway, with route, status, seconds and who asked"
    HTTP_UNAVAILABLE = "http.unavailable", "a request failed for something that the gateway needs; with the reason"
    UPLOAD_LEFT = "upload.left", "what came of a file could not be removed from the store again; with the reason"
    GATEWAY_STARTED = "gateway.started", "it answers from now on; its index is still to be read"
    GATEWAY_CAUGHT_UP = "gateway.caught_up", "the index is read; with its jobs and the seconds that it took"
    GATEWAY_STOPPED = "gateway.stopped", "it has ended in good order"
    INDEX_BROKEN = "gateway.index_broken", "an error in keeping the index, with its traceback; the process ends"
    WEBHOOKS_STARTED = "webhooks.started", "it tells endpoints of outcomes from now on; with their number"
    WEBHOOKS_STOPPED = "webhooks.stopped", "it has ended in good order"
    WEBHOOK_DELIVERED = "webhook.delivered", "an endpoint has taken an outcome; with its id and the attempts"
    WEBHOOK_FAILED = "webhook.failed", "an endpoint has not taken an outcome, for the reason; tried again later"
    WEBHOOK_GIVEN_UP = (
        "webhook.given_up",
        "an endpoint was not told of an outcome, and is not any more; with the reason",
    )
    ENDPOINT_GONE = "endpoint.gone", "an endpoint answered 410: it is told nothing before its entry is changed"
    ENDPOINT_TROUBLE = "endpoint.trouble", "outcomes can't be read for an endpoint; with the reason; tried again"
    ENDPOINTS_READ = "endpoints.read", "the file of endpoints has changed, and is used as it is now; with their number"
    ENDPOINTS_UNREADABLE = (
        "endpoints.unreadable",
        "the file of endpoints has changed to something that can't be used; those before are kept; with the reason",
    )
    TRACES_EXPORTED_AGAIN = "tracing.exports_again", "the collector takes spans again"
    TRACING_NOT_INSTALLED = "tracing.not_installed", "traces are asked for, but the extra is not installed"


def stage_passed(stage: Stage) -> str:
    """The event of a stage that a record has passed: `separation.<stage>`, with its seconds."""
    return f"separation.{stage}"
