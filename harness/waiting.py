"""Waiting for what has to come, with a bound."""

import time
from collections.abc import Callable

PATIENCE_S = 180.0  # before a test gives up on what should have come; never a measure of speed
LONG_PATIENCE_S = 900.0  # where it is not one thing that comes, but the end of much work


def wait_for(condition: Callable[..., object], every_s: float = 0.1, patience_s: float = PATIENCE_S) -> None:
    """Raises AssertionError where it does not become true."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(every_s)
