"""What must work before a replica reads its first record, in order; and taking that down again."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from consumer.app.status import Halt, ReplicaStatus
from consumer.core.clock import SYSTEM_CLOCK
from consumer.core.errors import (
    BrokerUnavailable,
    Fatal,
    ModelSourceUnavailable,
    Refusal,
    RegistryMisconfigured,
    Rejected,
    ScannerMisconfigured,
    StoreMisconfigured,
    Transient,
)
from consumer.core.log_events import LogEvent
from consumer.core.ports import Check, Outbox, SeparatorProcess
from consumer.delivery.control_follower import ControlFollower
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.scratch import Scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupPolicy:
    """Seconds: between two looks for a model or a dependency, for one try to open the outbox (a signal is heard between
    two), and for learning what was cancelled before. most_refusals: so often in a row a dependency may refuse us before
    that is taken for final: one that has just been started may not know everybody yet.
    """

    retry_models_s: float = 10.0
    retry_checks_s: float = 2.0
    most_refusals: int = 3
    open_outbox_s: float = 2.0
    control_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a replica works with. checks: what must answer before anything is read. models: those that must be there."""

    scratch: Scratch
    checks: Sequence[Check]
    model_store: ModelStore
    models: Sequence[str]
    separators: Sequence[SeparatorProcess]
    outbox: Outbox
    control: ControlFollower


class Startup:
    """Brings up what is required; says in `status` what it waits for. Ended by `halt` at any moment."""

    def __init__(self, required: Requirements, status: ReplicaStatus, halt: Halt, policy: StartupPolicy) -> None:
        self._required, self._status, self._halt, self._policy = required, status, halt, policy
        self._log = structlog.get_logger()

    @property
    def models(self) -> Sequence[str]:
        """Those that are there once it has come up."""
        return self._required.models

    def come_up(self) -> None:
        """Return once all of it works. Raises Cancelled, Fatal."""
        required = self._required
        required.control.start()
        required.scratch.claim()
        for check in required.checks:
            self._await(check)
        for model in required.models:
            self._provide(model)
        for separator in required.separators:
            separator.start()
        self._await(lambda: required.outbox.open(self._policy.open_outbox_s))
        for separator in required.separators:
            self._status.reason = "separator: loading models"
            separator.prepare(self._halt.cancellation)
        self._hear_control()

    def take_down(self) -> None:
        """End what was brought up, however far that came."""
        self._required.control.stop()
        for separator in self._required.separators:
            separator.kill()
        self._required.scratch.release()

    def _await(self, check: Check) -> None:
        refused = 0
        while True:
            try:
                check()
                self._status.reason = "starting"
                return
            except (StoreMisconfigured, RegistryMisconfigured, ScannerMisconfigured) as error:
                raise Fatal(str(error)) from error
            except (Transient, BrokerUnavailable) as error:
                refused = refused + 1 if isinstance(error, Refusal) else 0
                if refused >= self._policy.most_refusals:
                    raise Fatal(str(error)) from error
                self._status.reason = f"Kafka: {error}" if isinstance(error, BrokerUnavailable) else str(error)
                self._log.warning(LogEvent.DEPENDENCY_AWAY, reason=str(error))
                self._halt.cancellation.sleep(self._policy.retry_checks_s)

    def _provide(self, model: str) -> None:
        while True:
            try:
                self._required.model_store.ensure(model)
                return
            except (Rejected, ModelSourceUnavailable) as error:
                self._status.reason = str(error)
                self._log.error(LogEvent.MODEL_UNAVAILABLE, reason=str(error))
                self._halt.cancellation.sleep(self._policy.retry_models_s)

    def _hear_control(self) -> None:
        """Learn what was cancelled before we started, if that can be learnt soon: work does not depend on it."""
        ends_at = SYSTEM_CLOCK.monotonic() + self._policy.control_s
        while not self._required.control.wait_caught_up(0.1):
            self._halt.cancellation.check()
            if SYSTEM_CLOCK.monotonic() > ends_at:
                self._log.warning(LogEvent.CONTROL_NOT_CAUGHT_UP)
                return
