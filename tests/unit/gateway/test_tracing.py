"""What a caller's headers say of its trace, by W3C's Trace Context."""

import pytest

from consumer.gateway.tracing import context_in, trace_headers, traced
from harness.otlp import PARENT, SPAN, TRACE

OTHER = PARENT.replace(b"4bf9", b"5bf9")


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ([(b"traceparent", PARENT)], ""),
        ([(b"Traceparent", PARENT), (b"TraceState", b"a=1")], "a=1"),
        ([(b"traceparent", PARENT), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")], "a=1,b=2"),
        ([(b"traceparent", PARENT), (b"tracestate", b"\xff")], ""),
    ],
)
def test_a_trace_is_taken_up_and_handed_on(headers: list[tuple[bytes, bytes]], state: str) -> None:
    """Names are read in any case, several lines of state are one list, and a state that can't be leaves the parent."""
    context = context_in(headers)
    assert context is not None
    assert (context.trace_id, context.span_id, context.state) == (TRACE, SPAN, state)
    with traced(context):
        handed_on = dict(trace_headers())
    assert handed_on == {"traceparent": PARENT} | ({"tracestate": state.encode()} if state else {})
    assert trace_headers() == ()


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"tracestate", b"a=1")],
        [(b"traceparent", b"nonsense")],
        [(b"traceparent", PARENT), (b"traceparent", OTHER)],
        [(b"traceparent", PARENT + b"\r\nx: y")],
    ],
)
def test_what_names_no_trace_names_none(headers: list[tuple[bytes, bytes]]) -> None:
    """Also where it names two, of which nobody knows which is meant."""
    context = context_in(headers)
    assert context is None
    with traced(context):
        assert trace_headers() == ()
