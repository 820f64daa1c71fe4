"""SIGTERM and SIGINT end a replica in good order; a second one ends its patience."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from consumer.app.replica import Replica

# One signal often arrives twice: from the process group and from a parent that passes it on.
SAME_SIGNAL_S = 1.0


@contextmanager
def stopped_by_signals(replica: Replica, *, same_signal_s: float = SAME_SIGNAL_S) -> Iterator[None]:
    """As long as this lasts, in the main thread. A signal within same_signal_s of another one is the same."""
    signalled_at: list[float] = []

    def on_signal(number: int, _: object) -> None:
        now = time.monotonic()
        if signalled_at and now - signalled_at[-1] < same_signal_s:
            return
        if signalled_at:
            replica.lose_patience()
        signalled_at.append(now)
        replica.stop(f"signal {number}")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
