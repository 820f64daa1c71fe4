"""What can be seen of a replica from outside: its probes, and its outcomes as they are published."""

import time
from collections.abc import Callable
from typing import Any, assert_never

import structlog

Replica = Any
from consumer.core.errors import Rejected, Transient
from consumer.core.model import DeadLettered, Done, Retry
from consumer.core.ports import Check
from consumer.delivery.assignment import PendingCommit
from consumer.observability.http import Health
from consumer.observability.metrics import Metrics

SILENCE_S = 40.0  # of the poll loop: rebalances and requests may take some of that, nothing takes all of it
OVERDUE_S = 300.0  # of a job: stopping it takes a second or three, but what is being stored may be large
_FRESH_S = 2.0


class CommitObserver:
    """Counts and logs outcomes once they are committed, and so each exactly once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._log = structlog.get_logger()

    def __call__(self, pending: PendingCommit) -> None:
        for completed in pending.completed:
            record, outcome = completed.attempt.record, completed.outcome
            log = self._log.bind(topic=record.topic, partition=record.partition, offset=record.offset)
            if context := completed.span.context:
                log = log.bind(trace_id=context.trace_id)
            completed.span.published()
            match outcome:
                case Done():
                    self._metrics.jobs.labels("done", "").inc()
                    log.info("separation.published", deduplicated=outcome.deduplicated, request_id=_text(record.key))
                case Retry():
                    self._metrics.jobs.labels("retried", "").inc()
                    self._metrics.retries.labels(outcome.stage).inc()
                    log.warning("separation.retry_scheduled", stage=outcome.stage, to=outcome.message.topic)
                case DeadLettered():
                    self._metrics.jobs.labels("dead_lettered", outcome.code).inc()
                    self._metrics.dead_letters.labels(outcome.code).inc()
                    log.warning("separation.dead_lettered", code=outcome.code)
                case _:
                    assert_never(outcome)


def _text(key: bytes | None) -> str | None:
    return None if key is None else key[:64].decode("utf-8", "replace")


class Probes:
    """Looks at the parts of a replica whenever a probe asks."""

    def __init__(
        self,
        replica: Replica,
        *,
        source_error: Callable[[], str],
        check_store: Check,
        check_registry: Check | None = None,
        check_scanner: Check | None = None,
    ) -> None:
        self._replica = replica
        self._source_error = source_error
        self.health = Health(
            live={
                "poll_loop": self._poll_loop,
                "separator": self._heartbeat,
                "oldest_job": self._oldest_job,
            },
            ready={
                "replica": lambda: self._replica.state,
                "model": self._model,
                "group": self._group,
                "store": _Dependency(check_store),
                **({"registry": _Dependency(check_registry)} if check_registry else {}),
                **({"scanner": _Dependency(check_scanner)} if check_scanner else {}),
            },
            started={"replica": lambda: "" if replica.has_begun else replica.state},
            notes={"sandbox": self._sandbox},
        )

    def _poll_loop(self) -> str:
        silent_s = time.monotonic() - self._replica.loop.last_poll
        is_polling = self._replica.state == ""
        return f"silent for {silent_s:.0f} s" if is_polling and silent_s > SILENCE_S else ""

    def _heartbeat(self) -> str:
        """Of those that should be warm: one that died is started again by the next job."""
        now, separators = time.monotonic(), self._replica.separators
        silent_s = max((now - s.status.last_heartbeat for s in separators if s.status.ready), default=0.0)
        return f"silent for {silent_s:.0f} s" if self._replica.state == "" and silent_s > SILENCE_S else ""

    def _oldest_job(self) -> str:
        """One that does not stop although its time is over; waiting for a dependency that is away costs no time."""
        overdue_s = self._replica.dispatcher.overdue_s()
        return f"{overdue_s:.0f} s past MAX_JOB_S" if overdue_s > OVERDUE_S else ""

    def _model(self) -> str:
        return "; ".join(s.status.reason or "not ready" for s in self._replica.separators if not s.status.ready)

    def _sandbox(self) -> str:
        """What holds the separators, which read strangers' bytes, in; where that is little it is said, not refused."""
        return "; ".join(sorted({s.status.sandbox for s in self._replica.separators} - {""})) or "not known yet"

    def _group(self) -> str:
        if trouble := self._source_error():
            return trouble
        if trouble := self._replica.committer.trouble:
            return f"outcomes can't be published: {trouble}"
        return "" if self._replica.loop.has_joined else "no partitions were assigned yet"


class _Dependency:
    """Whether something outside answers; it is asked now and then, however often we are."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._checked_at, self._reason = float("-inf"), ""

    def __call__(self) -> str:
        if time.monotonic() - self._checked_at > _FRESH_S:
            try:
                self._check()
                self._reason = ""
            except (Transient, Rejected) as error:
                self._reason = str(error)
            self._checked_at = time.monotonic()
        return self._reason
