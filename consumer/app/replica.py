"""One running replica: starts its parts in order, polls, and takes them down in order, whatever ends it."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from consumer.app.watchdog import Watchdog
from consumer.core.cancellation import Cancellation
from consumer.core.errors import (
    BrokerUnavailable,
    Cancelled,
    Fatal,
    ModelSourceUnavailable,
    Rejected,
    ScannerMisconfigured,
    StoreMisconfigured,
    Transient,
)
from consumer.core.ports import Check
from consumer.delivery.committer import Committer
from consumer.delivery.control_follower import ControlFollower
from consumer.delivery.dispatcher import Dispatcher
from consumer.delivery.poll_loop import PollLoop
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.pipeline import Pipeline
from consumer.pipeline.scratch import Scratch
from consumer.separator.client import SeparatorClient

_RETRY_MODELS_S = 10.0
_RETRY_NEEDS_S = 2.0
_CONTROL_S = 10.0
# One signal often arrives twice: from the process group and from a parent that passes it on.
_SAME_SIGNAL_S = 1.0


class Halt:
    """How any thread ends the replica. Thread-safe; the first error stays."""

    def __init__(self) -> None:
        self.error: Fatal | None = None
        self.cancellation = Cancellation()  # of the replica as a whole; listen to it to hear of its end

    def __call__(self, error: Fatal) -> None:
        self.error = self.error or error
        self.cancellation.cancel(str(error))


@dataclass(slots=True, kw_only=True)
class Replica:
    loop: PollLoop
    dispatcher: Dispatcher
    pipeline: Pipeline
    committer: Committer
    separators: Sequence[SeparatorClient]
    weights: ModelStore
    models: Sequence[str]
    scratch: Scratch
    open_outbox: Check  # raises BrokerUnavailable, within seconds
    needs: Sequence[Check]  # what must answer before anything is read
    close: Callable[[], None]
    halt: Halt
    watchdogs: Sequence[Watchdog]
    control: ControlFollower
    shutdown_grace_s: float
    state: str = "starting"  # what /ready says while it is not empty
    has_begun: bool = False
    _signalled_at: float = field(default=float("-inf"), init=False)

    def run(self) -> None:
        """Work until a signal or an error ends it. Raises Fatal."""
        log = structlog.get_logger()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda number, frame: self._on_signal(number))
        self.halt.cancellation.listen(lambda: self.loop.stop(0.0 if self.halt.error else self.shutdown_grace_s))
        publishing = threading.Thread(target=self._publish, daemon=True)
        try:
            self._prepare()
            log.info("replica.started", models=list(self.models))
            self.state, self.has_begun = "", True
            publishing.start()
            self.pipeline.start()
            with ExitStack() as watched:
                for watchdog in self.watchdogs:
                    watched.enter_context(watchdog)
                self.loop.run()
        except Cancelled:
            pass  # told to stop before it had begun
        finally:
            self.state = "stopping"
            self._take_down(publishing)
        if self.halt.error is not None:
            raise self.halt.error
        log.info("replica.stopped")

    def _prepare(self) -> None:
        """Everything that must work before the first record is read. Raises Cancelled, Fatal."""
        self.control.start()
        self.scratch.claim()
        for check in self.needs:
            self._await(check)
        self._provide_models()
        for separator in self.separators:
            separator.start()
        self._await(self.open_outbox)
        for separator in self.separators:
            self.state = "separator: loading models"
            separator.prepare(self.halt.cancellation)
        self._hear_control()

    def _hear_control(self) -> None:
        """Learn what was cancelled before we started, if that can be learnt soon: work does not depend on it."""
        ends_at = time.monotonic() + _CONTROL_S
        while not self.control.wait_caught_up(0.1):
            self.halt.cancellation.check()
            if time.monotonic() > ends_at:
                structlog.get_logger().warning("control.not_caught_up")
                return

    def _await(self, check: Check) -> None:
        while True:
            try:
                check()
                self.state = "starting"
                return
            except (StoreMisconfigured, ScannerMisconfigured) as error:
                raise Fatal(str(error)) from error
            except (Transient, BrokerUnavailable) as error:
                self.state = f"Kafka: {error}" if isinstance(error, BrokerUnavailable) else str(error)
                structlog.get_logger().warning("dependency.away", reason=str(error))
                self.halt.cancellation.sleep(_RETRY_NEEDS_S)

    def _provide_models(self) -> None:
        for model in self.models:
            while True:
                try:
                    self.weights.ensure(model)
                    break
                except (Rejected, ModelSourceUnavailable) as error:
                    self.state = str(error)
                    structlog.get_logger().error("model.unavailable", reason=self.state)
                    self.halt.cancellation.sleep(_RETRY_MODELS_S)

    def _publish(self) -> None:
        try:
            self.committer.run()
        except Fatal as fatal:
            self.halt(fatal)
        except BaseException as error:  # noqa: BLE001 - without this thread nothing would ever be committed
            structlog.get_logger().error("publisher.broken", exc_info=error)
            self.halt(Fatal(f"internal error: {type(error).__name__}: {error}"))

    def _on_signal(self, number: int) -> None:
        now = time.monotonic()
        if now - self._signalled_at < _SAME_SIGNAL_S:
            return
        if self._signalled_at != float("-inf"):
            self.loop.stop(0.0)  # a second signal: no more patience
        self._signalled_at = now
        self.state = "stopping"
        self.halt.cancellation.cancel(f"signal {number}")

    def _take_down(self, publishing: threading.Thread) -> None:
        self.loop.leave()
        self.pipeline.stop()
        self.committer.stop()
        self.control.stop()
        if publishing.ident:
            publishing.join(2.0)
        for separator in self.separators:
            separator.kill()
        self.close()
        self.scratch.release()
