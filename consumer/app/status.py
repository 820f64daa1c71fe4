"""How a replica stands, and how any of its threads ends it."""

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Fatal


class Halt:
    """How any thread ends the replica. Thread-safe; the first error stays."""

    def __init__(self) -> None:
        self.error: Fatal | None = None  # None: nothing went wrong
        self.cancellation = Cancellation()  # of the replica as a whole; listen to it to hear of its end

    def __call__(self, error: Fatal) -> None:
        self.error = self.error or error
        self.cancellation.cancel(str(error))


class ReplicaStatus:
    """Written by the replica's main thread, read by probes.

    reason: what keeps it from working, as /ready says it; empty while it works.
    has_begun: whether it has ever begun to work; /started says so.
    """

    def __init__(self) -> None:
        self.reason = "starting"
        self.has_begun = False
