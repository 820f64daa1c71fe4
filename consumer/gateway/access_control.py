"""ASGI middleware: who asks, and how often they may."""

from collections.abc import Sequence

from starlette.datastructures import Headers

from consumer.gateway.access.authenticator import Authenticator
from consumer.gateway.access.principal import Unauthenticated
from consumer.gateway.middleware import App, Receive, Scope, Send
from consumer.gateway.problems import Problem, problem_of, problem_response
from consumer.gateway.rate_limit import RateLimiter

_UNKNOWN = "unknown:"  # before the address of whoever is nobody that is known


class AccessControl:
    """Puts the principal into the scope's state, for paths below `prefix`; others are everybody's.

    Whoever is refused is counted too, by address: keys can't be tried out.
    """

    def __init__(self, app: App, authenticator: Authenticator, limiter: RateLimiter, *, prefix: str = "/v1/") -> None:
        self._app, self._authenticator, self._limiter, self._prefix = app, authenticator, limiter, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        problem: Problem | None = None
        try:
            principal = await self._authenticator.authenticate(Headers(scope=scope))
        except Unauthenticated as error:
            who, problem = f"{_UNKNOWN}{_address(scope.get('client'))}", problem_of(error)
        else:
            who, scope["state"]["principal"] = principal.id, principal
        decision = self._limiter.take(who)
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
