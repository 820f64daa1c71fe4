"""Kafka and object storage in this process's memory, and a replica on them: for tests of platform code.

Nothing in the product imports this.
"""

from consumer.testing.broker import MemoryBroker, MemoryOutbox, MemorySource
from consumer.testing.replica import MemoryReplica
from consumer.testing.separator import SilentSeparator
from consumer.testing.store import MemoryStore

__all__ = ["MemoryBroker", "MemoryOutbox", "MemoryReplica", "MemorySource", "MemoryStore", "SilentSeparator"]
