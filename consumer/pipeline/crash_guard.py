"""Guards against records that kill what separates them: the separator, or the whole replica with it.

Each start of a separator over a record is counted where the count survives this replica, before the separator hears of
the record. A crash leaves it counted, any other end takes it back; a record with too many is given up. One that has
starts behind it is separated alone in its replica, so that others are not charged for its next crash. What dies while
the replica is stopping was stopped with it: no start is counted from then on, and the record is left to others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from consumer.core.errors import Cancelled, Code, Rejected, WorkerCrashed
from consumer.core.model import Record
from consumer.delivery.assignment import Attempt
from consumer.pipeline.fair_lock import FairLock

MAX_STARTS = 3  # of a record that kills its separator, or its whole replica
FORGET_WITHIN_S = 0.3  # small stems are stored by then, and a transaction is saved


def check_was_read(record: Record) -> None:
    """Raises Rejected(WORKER_CRASHED) if the record was given up before anybody could read it."""
    if record.reader_deaths:
        raise Rejected(
            Code.WORKER_CRASHED,
            f"{record.reader_deaths} replicas died while they read it: it is too large once it is unpacked, or can't be"
            " decoded; read it at its topic and offset with care",
        )


class DurableCounter(Protocol):
    """Counts starts by record, beyond the end of this process."""

    def count(self, attempt: Attempt) -> int:
        """Starts of this record that came to no end, here or elsewhere."""
        ...

    def increment(self, attempt: Attempt) -> None:
        """One more; returns once it would survive us. Raises OwnershipLost, Cancelled; then nothing was counted."""
        ...

    def decrement(self, attempt: Attempt, *, within_s: float = 0.0) -> None:
        """One fewer; to be made durable within so many seconds, together with the record's outcome if that comes."""
        ...

    def charge(self, attempt: Attempt) -> bool:
        """It crashed, and stays counted. False: the replica is stopping, and it is not."""
        ...


class CrashGuard:
    """Thread-safe."""

    def __init__(self, counter: DurableCounter) -> None:
        self._counter = counter
        self.gate = FairLock()

    def starts(self, attempt: Attempt) -> int:
        """How often a separator began this record and died over it, here or elsewhere."""
        return self._counter.count(attempt)

    def check(self, attempt: Attempt) -> None:
        """Raises Rejected(WORKER_CRASHED) if no further start is left."""
        if (starts := self.starts(attempt)) >= MAX_STARTS:
            raise Rejected(Code.WORKER_CRASHED, f"the separator died over it {starts} times")

    @contextmanager
    def start(self, attempt: Attempt) -> Iterator[None]:
        """One start, as long as this lasts: of a record with earlier ones alone, of others side by side.

        Counted before it begins. WorkerCrashed leaves it counted, everything else takes it back.
        Raises OwnershipLost, Cancelled.
        """
        with self.gate.entered(attempt.cancellation, is_alone=self.starts(attempt) > 0):
            self._counter.increment(attempt)
            try:
                yield
            except WorkerCrashed as crash:
                if not self._counter.charge(attempt):
                    raise Cancelled(f"{crash} while the replica was stopping") from crash
                raise
            except BaseException:
                self._counter.decrement(attempt)
                raise
            self._counter.decrement(attempt, within_s=FORGET_WITHIN_S)
