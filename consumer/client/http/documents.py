"""The gateway's JSON and the values that it stands for: those that come over Kafka too."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from consumer.client.errors import GatewayUnavailable
from consumer.core.events import (
    EPOCH,
    DeadLetter,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Segments of 11.9 s, as in a SeparationProgress, and when that was so."""

    done: int
    total: int | None = None
    at: datetime = EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeToGo:
    """Seconds until the job's end: the likely value, and the range that it will be in.

    All three are None where that is not known; `reason` says why: "nobody_works", "not_known_yet".
    """

    seconds: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What stands before a job: jobs ahead of it, separators at work, and why the time to go is not known.

    work_seconds_ahead: what one separator would need for what is done before it; None where that is not known.
    """

    ahead: int = 0
    separators: int = 0
    work_seconds_ahead: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as the gateway shows it.

    state: queued, running, succeeded, failed or cancelled; a later gateway may know more. progress: the share that is
    done, 0 to 1. times: accepted_at, changed_at, ended_at, in UTC.
    """

    id: str
    state: str
    done: bool
    stage: str | None = None
    progress: float | None = None
    segments: Segments | None = None
    eta: TimeToGo | None = None
    queue: Queue | None = None
    attempt: int = 1
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)

    def outcome(self) -> SeparationResult | DeadLetter | None:
        """What it ended as; None while it has not. Of a dead letter, what HTTP tells: not the record as it came.

        Raises GatewayUnavailable where the document holds no outcome that can be read.
        """
        if not self.done:
            return None
        own = {"request_id": self.id}
        if self.result is not None:
            return _converted(self.result | own | {"metadata": self.metadata}, SeparationResult)
        if self.error is not None:
            return _converted(self.error | own, DeadLetter)
        raise improper("it holds neither result nor error")

    def latest(self) -> SeparationProgress | None:
        """How far it is; None where nothing was heard of it. instance_id is not told."""
        if self.stage is None:
            return None
        segments = self.segments or Segments(done=0)
        return SeparationProgress(
            request_id=self.id,
            stage=self.stage,
            segments_done=segments.done,
            segments_total=segments.total,
            attempt=self.attempt,
            at=segments.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Some jobs, and what asks for those behind them."""

    items: tuple[JobView, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document, RFC 9457."""

    code: str
    detail: str = ""
    errors: tuple[dict[str, str], ...] = ()


def parse(body: bytes, kind: type[T]) -> T:
    """One of these from JSON; fields that are not known are left out. Raises GatewayUnavailable."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise improper(f"it is no {kind.__name__}") from None


def improper(why: str) -> GatewayUnavailable:
    """Of an answer that is no gateway's."""
    return GatewayUnavailable(f"the gateway gave no proper answer ({why})", may_pass=False)


def body_of(request: SeparationRequest, *, with_source: bool) -> dict[str, Any]:
    """What asks for this; without its source where a file comes along. What is not set is left out."""
    source = {"bucket": request.source.bucket, "key": request.source.key, "etag": request.source.etag}
    output = {"format": request.output.format, "bitrate": request.output.bitrate}
    told = {
        "source": _set(source) if with_source else None,
        "model": request.model,
        "output": _set(output),
        "start_s": request.start_s,
        "duration_s": request.duration_s,
        "high_frequencies": request.high_frequencies,
        "track": request.track,
        "deadline": None if request.deadline is None else _utc(request.deadline).isoformat(),
        "metadata": dict(request.metadata),
    }
    return _set(told)


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _utc(time: datetime) -> datetime:
    """A time without an offset is UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _converted(document: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError:
        raise improper(f"it is no {kind.__name__}") from None
