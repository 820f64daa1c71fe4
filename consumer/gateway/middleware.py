"""What every answer has in common, as ASGI middleware: an id, headers of security, a line in the log, no traceback."""

import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

from consumer.core.log_events import LogEvent
from consumer.core.tracing import RequestTracer
from consumer.gateway.policies import strict_policy
from consumer.gateway.problems import problem_of, problem_response
from consumer.gateway.tracing import context_in, traced
from consumer.observability.connections import ClientGone

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Report = Callable[[str, str, int, float], None]

_HEADERS = (
    (b"content-security-policy", strict_policy().encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class RequestScope:
    """Outermost. report: told of each answer by method, route template, status and seconds."""

    def __init__(self, app: App, report: Report, tracer: RequestTracer) -> None:
        self._app, self._report, self._tracer = app, report, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, begun, status = str(uuid.uuid4()), time.monotonic(), 0
        span = self._tracer.request(scope["method"], context_in(scope["headers"]))
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_more(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _completed(list(message.get("headers", ())), scope["state"])
            await send(message)

        try:
            with traced(span.context):
                await self._app(scope, receive, send_more)
        except ClientGone:
            raise
        except Exception as error:  # whatever a route did not foresee
            structlog.get_logger().error(LogEvent.HTTP_FAILED, http_request_id=request_id, exc_info=error)
            if status:
                raise  # cut: what was begun can't be taken back
            await problem_response(problem_of(error), request_id)(scope, receive, send_more)
        finally:
            span.end(template_of(scope), status)
            self._report(scope["method"], template_of(scope), status, time.monotonic() - begun)


def template_of(scope: Scope) -> str:
    """The path as the route was written, so that no id gets into a metric; "" where there is no such route."""
    return str(getattr(scope.get("route"), "path", ""))


def _completed(headers: list[tuple[bytes, bytes]], state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in headers}
    own = [(b"x-request-id", state["request_id"].encode()), *state.get("headers", ()), *_HEADERS]
    if b"cache-control" not in there:
        own.append((b"cache-control", b"no-store"))
    return headers + [(name, value) for name, value in own if name not in there]
