"""Kafka and object storage in this process's memory, and a replica on them: for tests of platform code.

Nothing in the product imports this.
"""

from consumer.testing.broker import MemoryBroker
from consumer.testing.outbox import MemoryOutbox
from consumer.testing.replica import MemoryReplica
from consumer.testing.separator import SilentSeparator
from consumer.testing.source import MemorySource
from consumer.testing.store import MemoryStore

__all__ = ["MemoryBroker", "MemoryOutbox", "MemoryReplica", "MemorySource", "MemoryStore", "SilentSeparator"]
