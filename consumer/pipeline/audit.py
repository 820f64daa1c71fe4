"""The audit event of each outcome that is a decision: it is published in the outcome's own transaction."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from consumer.core.audit_actions import OF_CODE, AuditAction, AuditOutcome
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.events import AuditEvent
from consumer.core.model import Abandoned, Audited, DeadLettered, Done, Message, Outcome, Record, Retry
from consumer.core.ports import Codec
from consumer.pipeline.job_run import JobRun

# Of the ids of events about records, for uuid.uuid5.
NAMESPACE = uuid.UUID("6a1f2f3e-2f0b-5c6d-9b0a-4d6f5f3c7e11")
ACTOR = "kafka"  # who sent a record is not told by Kafka
_MOST_TENANT_CHARACTERS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOutcomes:
    """topic: where events go. instance_id: this replica's."""

    codec: Codec
    topic: str
    instance_id: str
    clock: Clock = SYSTEM_CLOCK

    def of_result(self, run: JobRun, done: Done) -> Done:
        """The same outcome, with its event. Raises RegistryUnavailable."""
        details = {"deduplicated": "true" if done.deduplicated else "false"}
        return replace(done, audit=self._audited(run, AuditAction.SEPARATION_COMPLETED, AuditOutcome.SUCCESS, details))

    def of_failure(self, run: JobRun, outcome: Outcome | Abandoned) -> Outcome | Abandoned:
        """The same; only a dead letter decides anything, and has an event. Raises RegistryUnavailable."""
        match outcome:
            case DeadLettered(code=code):
                action, came_of_it = OF_CODE[code]
                return replace(outcome, audit=self._audited(run, action, came_of_it, {"code": code}))
            case Done() | Retry() | Abandoned():
                return outcome

    def _audited(self, run: JobRun, action: AuditAction, outcome: AuditOutcome, details: Mapping[str, str]) -> Audited:
        record = run.attempt.record
        event = AuditEvent(
            event_id=event_id(record, action),
            action=action,
            outcome=outcome,
            actor=ACTOR,
            tenant=_told(run.tenant),
            request_id=run.request_id,
            instance_id=self.instance_id,
            details={
                **details,
                "stage": run.stage,
                "attempt": str(run.attempt.retry_state.attempt),
                "topic": record.topic,
                "partition": str(record.partition),
                "offset": str(record.offset),
                "timestamp_ms": _timestamp_ms(record),
            },
            occurred_at=self.clock.now(),
        )
        key = None if run.request_id is None else run.request_id.encode()
        return Audited(event=event, message=Message(topic=self.topic, key=key, value=self.codec.encode(event)))


def event_id(record: Record, action: AuditAction) -> str:
    """The id of the event about a record: the same however often the record is worked on.

    It rests on the record's place alone, which no sender chooses; the timestamp tells another log of the same name.
    """
    place = f"{record.topic}-{record.partition}-{record.offset}-{_timestamp_ms(record)}"
    return str(uuid.uuid5(NAMESPACE, f"{place}-{action}"))


def _timestamp_ms(record: Record) -> str:
    """Empty where the record has none."""
    return "" if record.timestamp is None else str(round(record.timestamp.timestamp() * 1000))


def _told(tenant: str | None) -> str | None:
    """A tenant is its sender's word: as much of it as a name takes."""
    if tenant is None:
        return None
    return "".join(letter if letter.isprintable() else "?" for letter in tenant[:_MOST_TENANT_CHARACTERS])
