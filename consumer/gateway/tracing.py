"""The trace that an HTTP request belongs to, for whatever is written to Kafka because of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from consumer.core.model import Headers
from consumer.core.tracing import TRACEPARENT, TRACESTATE, TraceContext

_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def context_in(headers: Iterable[tuple[bytes, bytes]]) -> TraceContext | None:
    """What the caller's headers say, as ASGI has them; None where they name no trace, or more than one."""
    found = [(name.lower(), value) for name, value in headers]
    parents = [value for name, value in found if name == TRACEPARENT.encode()]
    # Several lines of state are one list (W3C Trace Context, 3.3.1).
    states = [value for name, value in found if name == TRACESTATE.encode()]
    return TraceContext.parse(parents[0], b",".join(states)) if len(parents) == 1 else None


@contextmanager
def traced(context: TraceContext | None) -> Iterator[None]:
    """What is sent within this belongs to that trace."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)


def trace_headers() -> Headers:
    """A record's headers that hand on the trace of the request at hand; none where there is no trace."""
    context = _current.get()
    if context is None:
        return ()
    state = ((TRACESTATE, context.state.encode()),) if context.state else ()
    return ((TRACEPARENT, context.parent), *state)
