"""What a trace is to this service: a record's place in it, and who records spans.

Values and Protocols; how a trace is handed on is `observability.tracing`.
"""

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, Self

from consumer.core.model import OUR_HEADER_PREFIX, Abandoned, Headers, Outcome, Record

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
# The senders' own headers travel through the retry topics as they came, so what is ours stands beside them.
OUR_TRACEPARENT = f"{OUR_HEADER_PREFIX}{TRACEPARENT}"
_SAMPLED = 1
_IDS = rb"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
# Version 00 ends there; what later versions put behind it we need not understand.
_PARENT = re.compile(rb"(?:00%b|(?!00|ff)[0-9a-f]{2}%b(?:-[!-~]{0,200})?)" % (_IDS, _IDS))
_STATE = re.compile(rb"[ -~]{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A trace, and the span in it that whoever reads this follows. Ids are lower-case hex, as in the headers."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ""

    @classmethod
    def parse(cls, parent: bytes | None, state: bytes | None) -> Self | None:
        """From the two headers' values; None where the first is no trace context."""
        match = _PARENT.fullmatch(parent or b"")
        if match is None:
            return None
        trace_id, span_id, flags = (group.decode() for group in match.groups() if group is not None)
        return cls(
            trace_id=trace_id,
            span_id=span_id,
            flags=int(flags, 16),
            state=state.decode() if state and _STATE.fullmatch(state) else "",
        )

    @property
    def parent(self) -> bytes:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()

    @property
    def is_sampled(self) -> bool:
        """Whether somebody keeps this trace."""
        return bool(self.flags & _SAMPLED)


def context_of(record: Record, *, is_redelivery: bool) -> TraceContext | None:
    """Which span a record follows: its sender's, or the attempt before; None where its headers don't say."""
    sent = TraceContext.parse(_only(record.headers, TRACEPARENT), _only(record.headers, TRACESTATE))
    ours = TraceContext.parse(_only(record.headers, OUR_TRACEPARENT), None) if is_redelivery else None
    if ours and sent and ours.trace_id == sent.trace_id:
        return replace(ours, state=sent.state)
    return ours or sent


def _only(headers: Headers, name: str) -> bytes | None:
    """A header's value where there is exactly one: of several, nobody knows which is meant."""
    found = [value for key, value in headers if key == name]
    return found[0] if len(found) == 1 else None


class JobSpan(Protocol):
    """One record's, from its turn to its outcome. `context` is what the outcome hands on; None: there is no trace."""

    @property
    def context(self) -> TraceContext | None: ...

    def stage(self, name: str) -> AbstractContextManager[None]:
        """A span for as long as this lasts; what is raised in it is noted by its kind, never by its words."""
        ...

    def end(self, outcome: Outcome | Abandoned) -> None:
        """The record has its outcome, or has none here."""
        ...

    def published(self) -> None:
        """The outcome is committed: the time since `end` was spent on that."""
        ...


class RequestSpan(Protocol):
    """One HTTP request's. `context` is what records that come of it hand on; None: there is no trace."""

    @property
    def context(self) -> TraceContext | None: ...

    def end(self, route: str, status: int) -> None:
        """It is answered; route: the path's template, "" where there is none."""
        ...


class RequestTracer(Protocol):
    """Thread-safe."""

    def request(self, method: str, came: TraceContext | None) -> RequestSpan:
        """came: what the caller's headers say."""
        ...


class Tracer(Protocol):
    """Thread-safe."""

    def job(self, record: Record, attempt: int) -> JobSpan: ...

    def close(self) -> None:
        """Send what was recorded, if that takes no longer than a second or two."""
        ...


@dataclass(frozen=True, slots=True)
class UntracedRequest:
    """An HTTP request of which nothing is recorded."""

    context: TraceContext | None = None

    def end(self, route: str, status: int) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Untraced:
    """A job of which nothing is recorded."""

    context: TraceContext | None = None

    def stage(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002 - nobody asks
        return nullcontext()

    def end(self, outcome: Outcome | Abandoned) -> None:
        pass

    def published(self) -> None:
        pass
