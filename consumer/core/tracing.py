"""A trace as a record's job sees it: which one it is part of, and who records the job's spans in it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from consumer.core.model import Outcome, Record

_SAMPLED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceContext:
    """A trace, and the span in it that whoever reads this follows. Ids are lower-case hex, as in the headers."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: str = ""

    @property
    def parent(self) -> bytes:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}".encode()

    @property
    def is_sampled(self) -> bool:
        """Whether somebody keeps this trace."""
        return bool(self.flags & _SAMPLED)


class JobSpan(Protocol):
    """One record's, from its turn to its outcome. `context` is what the outcome hands on; None: there is no trace."""

    @property
    def context(self) -> TraceContext | None: ...

    def stage(self, name: str) -> AbstractContextManager[None]:
        """A span for as long as this lasts; what is raised in it is noted by its kind, never by its words."""
        ...

    def end(self, outcome: Outcome | None) -> None:
        """The record has its outcome; None if it has none here."""
        ...

    def published(self) -> None:
        """The outcome is committed: the time since `end` was spent on that."""
        ...


class Tracer(Protocol):
    """Thread-safe."""

    def job(self, record: Record, attempt: int) -> JobSpan: ...

    def close(self) -> None:
        """Send what was recorded, if that takes no longer than a second or two."""
        ...


@dataclass(frozen=True, slots=True)
class Untraced:
    """A job of which nothing is recorded."""

    context: TraceContext | None = None

    def stage(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002 - nobody asks
        return nullcontext()

    def end(self, outcome: Outcome | None) -> None:
        pass

    def published(self) -> None:
        pass
