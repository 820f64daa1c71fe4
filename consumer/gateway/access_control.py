"""ASGI middleware: who asks, and how often they may."""

from collections.abc import Sequence
from dataclasses import replace

from starlette.datastructures import Headers

from consumer.core.audit_actions import AuditAction, AuditOutcome
from consumer.core.errors import AuditUnavailable
from consumer.gateway.access.authenticator import Authenticator
from consumer.gateway.access.principal import Unauthenticated
from consumer.gateway.middleware import App, Receive, Scope, Send
from consumer.gateway.problems import Problem, problem_of, problem_response
from consumer.gateway.rate_limit import RateLimiter
from consumer.gateway.trail import NOBODY, Act, Trail

_UNKNOWN = "unknown:"  # before the address of whoever is nobody that is known


class AccessControl:
    """Puts the principal into the scope's state, for paths below `prefix`; others are everybody's.

    Whoever is refused is counted too, by address: keys can't be tried out.
    """

    def __init__(
        self, app: App, authenticator: Authenticator, limiter: RateLimiter, trail: Trail, *, prefix: str = "/v1/"
    ) -> None:
        self._app, self._authenticator, self._limiter = app, authenticator, limiter
        self._trail, self._prefix = trail, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        problem: Problem | None = None
        try:
            principal = await self._authenticator.authenticate(Headers(scope=scope))
        except Unauthenticated as error:
            who, problem = f"{_UNKNOWN}{_address(scope.get('client'))}", problem_of(error)
            act = Act(
                action=AuditAction.KEY_REFUSED, outcome=AuditOutcome.DENIED,
                actor=error.principal_id or NOBODY, reason=error.reason.value,
            )  # fmt: skip
        else:
            who, scope["state"]["principal"] = principal.id, principal
            act = Act(
                action=AuditAction.KEY_USED, outcome=AuditOutcome.SUCCESS, actor=principal.id, tenant=principal.tenant
            )
        decision = self._limiter.take(who)
        if not decision.is_allowed:
            act = replace(act, action=AuditAction.RATE_LIMITED, outcome=AuditOutcome.DENIED)
        try:
            self._trail.tell_once(act)
        except AuditUnavailable as error:
            problem = problem or problem_of(error)
        told = dict(decision.headers())
        scope["state"]["headers"] = [(name.lower().encode(), value.encode()) for name, value in told.items()]
        if not decision.is_allowed:
            problem = Problem(429, "RATE_LIMITED", "too many requests; Retry-After says when to come back")
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem, scope["state"]["request_id"])(scope, receive, send)


def _address(client: Sequence[object] | None) -> str:
    return str(client[0]) if client else ""
