"""Traces: a record's way through the stages as one job span with a span for each stage, in the trace of its sender.

Which trace a record belongs to is told by the W3C trace context in its headers, and handed on in those of its outcome.
Who records spans is behind `Tracer`; `NoTracer` records none, and hands on what came.
"""

from dataclasses import replace
from typing import assert_never

from consumer.core.model import DeadLettered, Done, Headers, Message, Outcome, Record, Retry
from consumer.core.tracing import (
    OUR_TRACEPARENT,
    TRACEPARENT,
    TRACESTATE,
    JobSpan,
    RequestSpan,
    TraceContext,
    Untraced,
    UntracedRequest,
    context_of,
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
    """See Tracer and RequestTracer: records nothing."""

    def job(self, record: Record, attempt: int) -> JobSpan:
        return Untraced(context_of(record, is_redelivery=attempt > 1))

    def request(self, method: str, came: TraceContext | None) -> RequestSpan:  # noqa: ARG002 - nobody asks
        return UntracedRequest(came)

    def close(self) -> None:
        pass
