"""Which right a route needs."""

from dataclasses import replace
from typing import Any

from fastapi import Depends, Request

from consumer.core.audit_actions import AuditAction, AuditOutcome
from consumer.gateway.access.principal import Forbidden, Scope, require
from consumer.gateway.services import principal_of, services_of
from consumer.gateway.trail import Act


def needs(scope: Scope) -> Any:
    """A dependency: 403 for whoever lacks that right."""

    def check(request: Request) -> None:
        who = principal_of(request)
        try:
            require(who, scope)
        except Forbidden:
            denied = Act(action=AuditAction.KEY_REFUSED, outcome=AuditOutcome.DENIED, actor=who.id, tenant=who.tenant)
            services_of(request).trail.tell_once(replace(denied, reason=f"scope {scope.value}"))
            raise

    return Depends(check)
