"""What the gateway tells the audit trail: who did what, and what came of it."""

import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from consumer.core.audit_actions import AuditAction, AuditOutcome
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Rejected
from consumer.core.events import AuditEvent
from consumer.core.ports import AuditLog
from consumer.gateway.access.principal import Principal
from consumer.gateway.problems import Problem

_AGAIN_S = 60.0  # what happens over and over is told once in so long
_REMEMBERED = 10_000
NOBODY = "unknown"  # the actor where a key or token proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What somebody did. actor: a principal's id, or NOBODY. reason, upload_id: "" where there is none; a reason is a
    stable word.
    """

    action: AuditAction
    outcome: AuditOutcome
    actor: str
    tenant: str | None = None
    request_id: str | None = None
    reason: str = ""
    upload_id: str = ""


@dataclass(slots=True)
class Subject:
    """What an act is about, which may only become known while it is done."""

    request_id: str | None = None
    upload_id: str = ""


class Trail:
    """Belongs to one event loop. Every method may raise AuditUnavailable, where the trail is required."""

    def __init__(self, log: AuditLog, instance_id: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._log, self._instance_id, self._clock = log, instance_id, clock
        self._told_at: OrderedDict[Act, float] = OrderedDict()

    def check(self) -> None:
        """Before something is done that must be told of."""
        self._log.check()

    def tell(self, act: Act) -> None:
        """Record it."""
        self._log.record(
            AuditEvent(
                event_id=str(uuid.uuid4()),
                action=act.action,
                outcome=act.outcome,
                actor=act.actor,
                tenant=act.tenant,
                request_id=act.request_id,
                instance_id=self._instance_id,
                details=_set({"reason": act.reason, "upload_id": act.upload_id}),
                occurred_at=self._clock.now(),
            )
        )

    def tell_once(self, act: Act) -> None:
        """Record it, unless the same was recorded within a minute: what is done at each request, or by a flood."""
        now = self._clock.monotonic()
        if now - self._told_at.get(act, float("-inf")) < _AGAIN_S:
            return
        self._told_at[act] = now
        self._told_at.move_to_end(act)
        while len(self._told_at) > _REMEMBERED:
            self._told_at.popitem(last=False)
        self.tell(act)

    @contextmanager
    def of(
        self, action: AuditAction, who: Principal, request_id: str | None = None, *, upload_id: str = ""
    ) -> Iterator["Subject"]:
        """Record what is done within once it has come to an end: as denied or failed where something was raised."""
        self.check()
        subject = Subject(request_id, upload_id)
        act = Act(action=action, outcome=AuditOutcome.SUCCESS, actor=who.id, tenant=who.tenant)
        try:
            yield subject
        except (Problem, Rejected) as refused:
            act = replace(act, outcome=AuditOutcome.DENIED, reason=refused.code)
            raise
        except BaseException as error:
            act = replace(act, outcome=AuditOutcome.FAILURE, reason=type(error).__name__)
            raise
        finally:
            self.tell(replace(act, request_id=subject.request_id, upload_id=subject.upload_id))


def _set(details: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in details.items() if value}
