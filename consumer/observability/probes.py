"""What probes find out about a replica: whether it is stuck, can work, has begun; and what is worth knowing of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consumer.core.errors import Rejected, Transient
from consumer.core.limits import MAX_SILENCE_S
from consumer.core.ports import Check, SeparatorStatus
from consumer.observability.health import Health

OVERDUE_S = 300.0  # of a job: stopping it takes a second or three, but what is being stored may be large
_FRESH_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaView:
    """What probes look at, each asked for whenever a probe asks. Times are time.monotonic().

    state: what the replica is busy with instead of its work, "" while it works. has_begun: whether it ever worked.
    last_poll: when Kafka was last polled. has_joined: whether the group took it in. overdue_s: how long the oldest job
    has been at work beyond its time, 0 or less where none is. source_error, publish_trouble: what is wrong with Kafka
    for reading and for publishing, "" if nothing is. held_by_senders: what stands behind transactions of senders.
    audit_trouble: why audit events are lost, "" while none is. runtime: what computes the networks, and why.
    """

    state: Callable[[], str]
    has_begun: Callable[[], bool]
    last_poll: Callable[[], float]
    has_joined: Callable[[], bool]
    overdue_s: Callable[[], float]
    source_error: Callable[[], str]
    publish_trouble: Callable[[], str]
    separators: Callable[[], Sequence[SeparatorStatus]]
    held_by_senders: Callable[[], str] = str
    audit_trouble: Callable[[], str] = str
    runtime: Callable[[], str] = str


class Probes:
    """Looks at a replica whenever a probe asks. dependencies: each thing outside that it needs, by name."""

    def __init__(
        self, view: ReplicaView, dependencies: Mapping[str, Check], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._view, self._clock = view, clock
        self.health = Health(
            live={
                "poll_loop": self._poll_loop,
                "separator": self._heartbeat,
                "oldest_job": self._oldest_job,
            },
            ready={
                "replica": view.state,
                "model": self._model,
                "group": self._group,
                **{name: Dependency(check, clock) for name, check in dependencies.items()},
            },
            started={"replica": lambda: "" if view.has_begun() else view.state()},
            notes={
                "runtime": view.runtime,
                "sandbox": self._sandbox,
                "namespaces": self._namespaces,
                "senders": view.held_by_senders,
                "audit": view.audit_trouble,
            },
        )

    def _poll_loop(self) -> str:
        silent_s = self._clock() - self._view.last_poll()
        is_polling = self._view.state() == ""
        return f"silent for {silent_s:.0f} s" if is_polling and silent_s > MAX_SILENCE_S else ""

    def _heartbeat(self) -> str:
        """Of those that should be warm: one that died is started again by the next job."""
        now, separators = self._clock(), self._view.separators()
        silent_s = max((now - separator.last_heartbeat for separator in separators if separator.ready), default=0.0)
        return f"silent for {silent_s:.0f} s" if self._view.state() == "" and silent_s > MAX_SILENCE_S else ""

    def _oldest_job(self) -> str:
        """One that does not stop although its time is over; waiting for a dependency that is away costs no time."""
        overdue_s = self._view.overdue_s()
        return f"{overdue_s:.0f} s past MAX_JOB_S" if overdue_s > OVERDUE_S else ""

    def _model(self) -> str:
        separators = self._view.separators()
        return "; ".join(separator.reason or "not ready" for separator in separators if not separator.ready)

    def _sandbox(self) -> str:
        """What holds the separators, which read strangers' bytes, in; where that is little it is said, not refused."""
        held = {separator.sandbox for separator in self._view.separators()}
        return "; ".join(sorted(held - {""})) or "not known yet"

    def _namespaces(self) -> str:
        """Which the separators have of their own, or why none: more than is needed, where the sandbox holds."""
        return "; ".join(sorted({separator.namespaces for separator in self._view.separators()} - {""}))

    def _group(self) -> str:
        if trouble := self._view.source_error():
            return trouble
        if trouble := self._view.publish_trouble():
            return f"outcomes can't be published: {trouble}"
        return "" if self._view.has_joined() else "no partitions were assigned yet"


class Dependency:
    """Whether something outside answers; it is asked now and then, however often we are."""

    def __init__(self, check: Check, clock: Callable[[], float]) -> None:
        self._check, self._clock = check, clock
        self._checked_at, self._reason = float("-inf"), ""

    def __call__(self) -> str:
        if self._clock() - self._checked_at > _FRESH_S:
            try:
                self._check()
                self._reason = ""
            except (Transient, Rejected) as error:
                self._reason = str(error)
            self._checked_at = self._clock()
        return self._reason
