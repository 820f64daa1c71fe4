"""One attempt at a record on its way through the stages."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import structlog

from consumer.core.model import Stage
from consumer.core.tracing import JobSpan
from consumer.delivery.assignment import Attempt


@dataclass(slots=True, kw_only=True, eq=False)
class JobRun:
    """Where the attempt is, how long each stage took, and under which ids it logs. One thread at a time has it.

    request_id: None until the record was decoded and names a valid one.
    tenant: on whose behalf, as the request says; None: it does not, or is not known yet.
    content: what it is about, so that two attempts at the same can be told: the object's digest or its place, or else
    the record's bytes.
    timings_s: seconds by stage, of those that were passed.
    scratch: what is to be removed from scratch space once the record has its outcome.
    afterwards: what is still to be done once the outcome is handed over, and may fail without harm.
    trial: while it is being separated: has the same separator do the same for a sound that is known to be harmless, and
    raises where that fails too.
    """

    attempt: Attempt
    span: JobSpan
    log: Any  # a structlog logger, of whichever class is configured
    stage: Stage = Stage.DECODE
    request_id: str | None = None
    tenant: str | None = None
    content: object = None
    timings_s: dict[str, float] = field(default_factory=dict)
    scratch: ExitStack = field(default_factory=ExitStack)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    trial: Callable[[], None] | None = None

    @classmethod
    def begin(cls, attempt: Attempt, span: JobSpan) -> "JobRun":
        """At its first stage, with the record's place bound to its log."""
        record = attempt.record
        log = structlog.get_logger().bind(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            attempt=attempt.retry_state.attempt,
        )
        if span.context:
            log = log.bind(trace_id=span.context.trace_id)
        return cls(attempt=attempt, span=span, log=log, content=record.value)

    def identify(self, request_id: str) -> None:
        """From now on it is known whose request this is."""
        self.request_id = request_id
        self.log = self.log.bind(request_id=request_id)
