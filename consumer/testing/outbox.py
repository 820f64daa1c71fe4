"""Publishes outcomes to the broker in memory, in transactions."""

from collections.abc import Sequence

from consumer.core.ports import Commit
from consumer.testing.broker import MemoryBroker


class MemoryOutbox:
    """See ports.Outbox."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker, self.calls, self.waits_for = broker, 0, ""

    def open(self, timeout_s: float) -> None:
        pass

    def publish(self, commits: Sequence[Commit]) -> None:
        self.calls += 1
        self.broker.commit(commits)

    def close(self) -> None:
        pass
