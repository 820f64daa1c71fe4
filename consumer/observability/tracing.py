"""Traces: a record's way through the stages as one job span with a span for each stage, in the trace of its sender.

Which trace a record belongs to is told by the W3C trace context in its headers, and handed on in those of its outcome.
Who records spans is behind `core.tracing.Tracer`; `NoTracer` records none, and hands on what came.
"""

import re
from dataclasses import replace
from typing import assert_never

from consumer.core.model import OUR_HEADER_PREFIX, DeadLettered, Done, Headers, Message, Outcome, Record, Retry
from consumer.core.tracing import JobSpan, TraceContext, Untraced

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
# The senders' own headers travel through the retry topics as they came, so what is ours stands beside them.
OUR_TRACEPARENT = f"{OUR_HEADER_PREFIX}{TRACEPARENT}"
_IDS = rb"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
# Version 00 ends there; what later versions put behind it we need not understand.
_PARENT = re.compile(rb"(?:00%b|(?!00|ff)[0-9a-f]{2}%b(?:-[!-~]{0,200})?)" % (_IDS, _IDS))
_STATE = re.compile(rb"[ -~]{1,512}")


def context_of(record: Record, *, is_redelivery: bool) -> TraceContext | None:
    """Which span a record follows: its sender's, or the attempt before; None where its headers don't say."""
    sent = _parse(_only(record.headers, TRACEPARENT), _only(record.headers, TRACESTATE))
    ours = _parse(_only(record.headers, OUR_TRACEPARENT), None) if is_redelivery else None
    if ours and sent and ours.trace_id == sent.trace_id:
        return replace(ours, state=sent.state)
    return ours or sent


def _only(headers: Headers, name: str) -> bytes | None:
    """A header's value where there is exactly one: of several, nobody knows which is meant."""
    found = [value for key, value in headers if key == name]
    return found[0] if len(found) == 1 else None


def _parse(parent: bytes | None, state: bytes | None) -> TraceContext | None:
    """From the two headers' values; None where the first is no trace context."""
    match = _PARENT.fullmatch(parent or b"")
    if match is None:
        return None
    trace_id, span_id, flags = (group.decode() for group in match.groups() if group is not None)
    return TraceContext(
        trace_id=trace_id,
        span_id=span_id,
        flags=int(flags, 16),
        state=state.decode() if state and _STATE.fullmatch(state) else "",
    )


def handed_on(outcome: Outcome, context: TraceContext | None) -> Outcome:
    """The same outcome, its record's headers telling the trace."""
    if context is None:
        return outcome
    headers: Headers = ((TRACEPARENT, context.parent),)
    if context.state:
        headers = (*headers, (TRACESTATE, context.state.encode()))
    match outcome:
        case Done():
            return replace(outcome, result=_with(outcome.result, headers))
        case DeadLettered():
            return replace(outcome, letter=_with(outcome.letter, headers))
        case Retry():
            return replace(outcome, message=_with(outcome.message, ((OUR_TRACEPARENT, context.parent),)))
        case _:
            assert_never(outcome)


def _with(message: Message, headers: Headers) -> Message:
    smaller = message.smaller and _with(message.smaller, headers)
    return replace(message, headers=(*message.headers, *headers), smaller=smaller)


class NoTracer:
    """See core.tracing.Tracer: records nothing."""

    def job(self, record: Record, attempt: int) -> JobSpan:
        return Untraced(context_of(record, is_redelivery=attempt > 1))

    def close(self) -> None:
        pass
