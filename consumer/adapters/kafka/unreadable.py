"""Partitions with a batch that the client library can't read: damaged, packed too large, of an unknown kind.

The library tells of such a batch once or again and again, and of some it goes on behind it as if nothing were there
(librdkafka: a failed checksum, an unknown format). What lies in them has no outcome, so nothing behind them may be
taken: events of that partition are let go until reading from the batch on meets no error any more.
"""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError

from consumer.core.model import TopicPartition

RUNBOOK = "docs/operate.md#a-batch-that-cant-be-read"
RETRY_S = 5.0
# What is said of a batch, at its offset, and not of a connection or a broker.
_OF_A_BATCH = frozenset(
    {
        KafkaError._BAD_COMPRESSION,
        KafkaError._BAD_MSG,
        KafkaError._CRIT_SYS_RESOURCE,
        KafkaError._NOT_IMPLEMENTED,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG,
    }
)


def is_of_a_batch(error: KafkaError, offset: int | None) -> bool:
    """Whether an error that a consumer hands out says that what lies at `offset` can't be read."""
    return error.code() in _OF_A_BATCH and offset is not None and offset >= 0


@dataclass(slots=True)
class _Unreadable:
    """offset: where its batch begins. is_met: since reading began there, it was met. passed: something behind it came.

    retry_at: when reading may begin there once more, on the monotonic clock.
    """

    offset: int
    reason: str
    retry_at: float
    is_met: bool = True
    passed: bool = False


class UnreadableBatches:
    """The first of each partition. Used by the thread that polls; `trouble` may be asked by any.

    `clock` gives seconds on a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[TopicPartition, _Unreadable] = {}

    def meet(self, partition: TopicPartition, offset: int, reason: str) -> bool:
        """A batch of the partition can't be read. Returns whether that is news."""
        known = self._found.get(partition)
        if known is not None and (known.is_met or known.offset == offset):
            known.is_met = True
            return False
        self._found[partition] = _Unreadable(offset, reason, self._clock() + RETRY_S)
        return True

    def lets_pass(self, partition: TopicPartition) -> bool:
        """Whether an event of the partition may be taken; if so, its batch can be read by now, or is gone."""
        known = self._found.get(partition)
        if known is None:
            return True
        if known.is_met:
            known.passed = True
            return False
        del self._found[partition]
        return True

    def due(self) -> Collection[tuple[TopicPartition, int]]:
        """Where to begin reading once more, now: the library has gone on behind these batches. See `begin_again`."""
        now = self._clock()
        return [(place, each.offset) for place, each in self._found.items() if each.passed and now >= each.retry_at]

    def begin_again(self, partition: TopicPartition) -> None:
        """What comes of the partition from now on is read from its batch on."""
        known = self._found[partition]
        known.is_met, known.passed, known.retry_at = False, False, self._clock() + RETRY_S

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are not read here any more, or are read anew."""
        for partition in partitions:
            self._found.pop(partition, None)

    @property
    def trouble(self) -> str:
        """What can't be read, and where; "" if there is nothing."""
        found = sorted(dict(self._found).items())
        return "; ".join(f"{p.topic} [{p.partition}] can't be read at {e.offset}: {e.reason}" for p, e in found)
