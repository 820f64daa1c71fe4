"""Signals that ask for a stop, kept from a separator and from all that it starts: the consumer decides what it means.

Whoever stops a service often signals each of its processes: systemd, an init in a container, a terminal. A separator or
an ffmpeg that obeyed would look like one that died over its track.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


def block_stop_signals() -> None:
    """Let none of them reach this thread, nor any thread or process that it starts from now on.

    Blocked and not ignored: ffmpeg sets up handlers of its own, and what is blocked stays so whatever is executed.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """`block_stop_signals`, as long as this lasts: what is started meanwhile is kept from them for good."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
