"""What commands write to the audit trail, and in whose name."""

import os
import pwd
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.cli.errors import tell
from consumer.core.audit_actions import AuditAction, AuditOutcome
from consumer.core.errors import AuditUnavailable, Fatal

if TYPE_CHECKING:
    from consumer.adapters.kafka.audit import KafkaAuditLog

_PROBE_S, _FLUSH_S = 10.0, 15.0
_MOST_ACTOR_CHARACTERS = 128

Actor = Annotated[
    str | None, typer.Option(help="Who is named in the audit trail; by default this system's user, as os:NAME.")
]


class CommandAudit:
    """Writes events of one command. Raises AuditUnavailable where AUDIT_REQUIRED asks for what can't be written."""

    def __init__(self, log: "KafkaAuditLog", *, actor: str, is_required: bool) -> None:
        self._log, self._actor, self._is_required = log, actor, is_required

    def record(
        self,
        action: AuditAction,
        outcome: AuditOutcome = AuditOutcome.SUCCESS,
        *,
        request_id: str | None = None,
        tenant: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """What was just done. Returns once it is written, where it has to be."""
        from consumer.core.events import AuditEvent

        event = AuditEvent(
            event_id=str(uuid.uuid4()),
            action=action,
            outcome=outcome,
            actor=self._actor,
            tenant=tenant,
            request_id=request_id,
            instance_id=socket.gethostname(),
            details=dict(details or {}),
            occurred_at=datetime.now(UTC),
        )
        self._log.record(event)
        if self._is_required and self._log.flush(_FLUSH_S):
            raise AuditUnavailable(f"it was done, but its audit event is not written ({self._log.trouble})")


@contextmanager
def command_audit(actor: str | None) -> Iterator[CommandAudit]:
    """For the length of a command. Raises AuditUnavailable before anything is done, where events have to be written
    and can't be; elsewhere a line on standard error tells of what could not be.
    """
    from consumer.adapters.factories import make_codec
    from consumer.adapters.kafka.audit import AuditPolicy, KafkaAuditLog
    from consumer.settings import AuditSettings, KafkaSettings, SchemaSettings, TopicSettings

    topics, is_required = TopicSettings.load(), AuditSettings.load().audit_required
    lost: list[int] = []
    log = KafkaAuditLog(
        KafkaSettings.load(),
        topics.audit,
        make_codec(SchemaSettings.load(), topics),
        AuditPolicy(is_required=is_required, give_up_s=0.0),  # a person waits
        log=lambda event: None,  # what a person did at a prompt needs no line there
        on_lost=lost.append,
    )
    log.probe(_PROBE_S)
    try:
        yield CommandAudit(log, actor=_checked(actor), is_required=is_required)
    finally:
        log.close()
        if lost:
            tell(
                Fatal(f"{sum(lost)} audit events could not be written ({log.trouble or 'the brokers did not answer'})")
            )


def _checked(actor: str | None) -> str:
    if actor is None:
        try:
            return f"os:{pwd.getpwuid(os.getuid()).pw_name}"
        except KeyError:  # as in a container that runs under any number
            return f"os:{os.getuid()}"
    if not 0 < len(actor) <= _MOST_ACTOR_CHARACTERS or not actor.isprintable():
        why = f"must be 1 to {_MOST_ACTOR_CHARACTERS} characters that can be printed"
        raise typer.BadParameter(why, param_hint="--actor")
    return actor
