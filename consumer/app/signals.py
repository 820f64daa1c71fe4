"""SIGTERM, SIGINT and SIGHUP end a replica in good order; a second one ends its patience."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

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

    with handled(on_signal):
        yield


@contextmanager
def handled(on_signal: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """As long as this lasts, in the main thread, each signal that means a stop calls this.

    A SIGHUP that was ignored before stays ignored: whoever started us by `nohup` wants us to outlive the terminal.
    """
    outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    heard = (signal.SIGTERM, signal.SIGINT) if outlives_terminal else (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
