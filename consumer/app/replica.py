"""One running replica: comes up, polls, and is taken down in order, whatever ends it."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from consumer.app.startup import Startup
from consumer.app.status import Halt, ReplicaStatus
from consumer.app.watchdog import Watchdog
from consumer.core.errors import Cancelled, Fatal
from consumer.core.log_events import LogEvent
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.delivery.delivery import Delivery
from consumer.observability.metrics import Metrics
from consumer.pipeline.pipeline import Pipeline

_JOIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What goes on beside the work: probes, lag, what adapters do. `start` may raise Fatal, `close` ends all of it."""

    start: Callable[[], None]
    close: Callable[[], None]
    watchdogs: Sequence[Watchdog]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `wiring.make_replica` makes a replica of; there for whoever tests them together."""

    delivery: Delivery
    pipeline: Pipeline
    startup: Startup
    background: Background
    metrics: Metrics
    cancel_registry: CancelRegistry


class Replica:
    """`run` is called once; `stop` and `lose_patience` by any thread, or by a signal's handler."""

    def __init__(self, parts: Parts, status: ReplicaStatus, halt: Halt, *, shutdown_grace_s: float) -> None:
        self.parts, self.status, self.halt = parts, status, halt
        self._shutdown_grace_s = shutdown_grace_s

    def run(self) -> None:
        """Work until it is stopped or an error ends it. Raises Fatal."""
        log, parts = structlog.get_logger(), self.parts
        poll_loop = parts.delivery.poll_loop
        self.halt.cancellation.listen(lambda: poll_loop.stop(0.0 if self.halt.error else self._shutdown_grace_s))
        committing = threading.Thread(target=self._commit, daemon=True, name="committer")
        try:
            parts.background.start()
            parts.startup.come_up()
            log.info(LogEvent.REPLICA_STARTED, models=list(parts.startup.models))
            self.status.reason, self.status.has_begun = "", True
            committing.start()
            parts.pipeline.start()
            with ExitStack() as watched:
                for watchdog in parts.background.watchdogs:
                    watched.enter_context(watchdog)
                poll_loop.run()
        except Cancelled:
            pass  # told to stop before it had begun
        finally:
            self.status.reason = "stopping"
            self._take_down(committing)
        if self.halt.error is not None:
            raise self.halt.error
        log.info(LogEvent.REPLICA_STOPPED)

    def stop(self, reason: str) -> None:
        """End in good order: what is begun has the grace that was set."""
        self.status.reason = "stopping"
        self.halt.cancellation.cancel(reason)

    def lose_patience(self) -> None:
        """What is at work is cancelled; others will do it."""
        self.parts.delivery.poll_loop.stop(0.0)

    def _commit(self) -> None:
        try:
            self.parts.delivery.committer.run()
        except Fatal as fatal:
            self.halt(fatal)
        except BaseException as error:  # noqa: BLE001 - without this thread nothing would ever be committed
            structlog.get_logger().error(LogEvent.COMMITTER_BROKEN, exc_info=error)
            self.halt(Fatal(f"internal error: {type(error).__name__}: {error}"))

    def _take_down(self, committing: threading.Thread) -> None:
        self.parts.delivery.poll_loop.leave()
        self.parts.pipeline.stop()
        self.parts.delivery.committer.stop()
        if committing.ident:
            committing.join(_JOIN_S)
        self.parts.background.close()
        self.parts.startup.take_down()
