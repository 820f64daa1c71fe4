"""Audit events as log lines of their own logger, `audit`, field for field."""

import logging
from datetime import UTC

import structlog

from consumer.core.events import AuditEvent
from consumer.core.log_events import LogEvent

LOGGER = "audit"
# Whatever LOG_LEVEL says: they are a record of what was done, and no chatter.
_AT_ALL_LEVELS = structlog.make_filtering_bound_logger(logging.INFO)


def log_audit(event: AuditEvent) -> None:
    """One line: `logger` is audit, and each field of the event has its name."""
    structlog.wrap_logger(None, wrapper_class=_AT_ALL_LEVELS).info(
        LogEvent.AUDIT_RECORDED,
        logger=LOGGER,
        event_id=event.event_id,
        action=event.action,
        outcome=event.outcome,
        actor=event.actor,
        tenant=event.tenant,
        request_id=event.request_id,
        instance_id=event.instance_id,
        details=dict(event.details),
        occurred_at=event.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds"),
    )
