"""What happens to outcomes once they are committed: each is counted and logged, exactly once."""

from typing import assert_never

import structlog

from consumer.core.log_events import LogEvent
from consumer.core.model import DeadLettered, Done, Retry
from consumer.delivery.assignment import PendingCommit, audit_of
from consumer.observability.audit_lines import log_audit
from consumer.observability.metrics import Metrics


class CommitObserver:
    """Counts and logs outcomes once they are committed, and so each exactly once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = structlog.get_logger()

    def __call__(self, pending: PendingCommit) -> None:
        for completed in pending.completed:
            record, outcome = completed.attempt.record, completed.outcome
            log = self._log.bind(topic=record.topic, partition=record.partition, offset=record.offset)
            if context := completed.span.context:
                log = log.bind(trace_id=context.trace_id)
            completed.span.published()
            match outcome:
                case Done():
                    self._metrics.jobs.labels("done", "").inc()
                    log.info(
                        LogEvent.PUBLISHED, deduplicated=outcome.deduplicated, request_id=_text(outcome.result.key)
                    )
                case Retry():
                    self._metrics.jobs.labels("retried", "").inc()
                    self._metrics.retries.labels(outcome.stage).inc()
                    log.warning(LogEvent.RETRY_SCHEDULED, stage=outcome.stage, to=outcome.message.topic)
                case DeadLettered():
                    self._metrics.jobs.labels("dead_lettered", outcome.code).inc()
                    self._metrics.dead_letters.labels(outcome.code).inc()
                    log.warning(LogEvent.DEAD_LETTERED, code=outcome.code)
                case _:
                    assert_never(outcome)
            if audit := audit_of(outcome):
                log_audit(audit.event)


def _text(request_id: bytes | None) -> str | None:
    """A result's key is the id of its request, which was checked; the record's key may be anything."""
    return None if request_id is None else request_id.decode()
