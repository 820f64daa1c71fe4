"""How a job is told that it is no longer wanted: by its deadline, its user, a lost partition or a shutdown."""

import threading
import time
from collections.abc import Callable

from consumer.core.errors import Cancelled, Code, Rejected

Listener = Callable[[], None]


class Subscription:
    """A listener's place at a Cancellation: close it, or leave it as a context manager, to be no longer told.

    A cancellation that is under way in another thread at that moment may still call the listener.
    """

    __slots__ = ("_listeners",)

    def __init__(self, listeners: "dict[Subscription, Listener]") -> None:
        self._listeners = listeners

    def close(self) -> None:
        """Take the listener off. Closing twice, or after the cancellation, does nothing."""
        self._listeners.pop(self, None)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Cancellation:
    """One job's way of being told to stop. Thread-safe. The first reason wins.

    clock: seconds that only ever grow, as time.monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._event = threading.Event()
        self._lock = threading.RLock()  # a signal handler may cancel while its own thread cancels
        self._reason: Cancelled | None = None
        # Whoever takes a listener out calls it: dict.pop is atomic, so that each is called once.
        self._listeners: dict[Subscription, Listener] = {}
        self._ends_at: float | None = None
        self._budget_s = 0.0
        self._left_s: float | None = None  # of a clock that was stopped

    def start_clock(self, budget_s: float) -> None:
        """From now on the job has budget_s seconds, or what was left of them when the clock was stopped."""
        self._budget_s = budget_s
        self._ends_at = self._clock() + (budget_s if self._left_s is None else self._left_s)

    def stop_clock(self) -> None:
        """Until it is started again no time is the job's. Without a clock nothing happens."""
        if self._ends_at is not None:
            self._left_s, self._ends_at = self._ends_at - self._clock(), None

    def cancel(self, reason: str, rejection: Rejected | None = None) -> None:
        """Cancel; `rejection` is what the job ends as, None for no outcome at all."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = Cancelled(reason, rejection)
        self._event.set()
        for subscription in list(self._listeners):
            self._call(subscription)

    def check(self) -> None:
        """Raises Cancelled if the job was cancelled or has used up its time."""
        if self._ends_at is not None and self._clock() > self._ends_at:
            self.cancel(
                "overtime", Rejected(Code.DEADLINE_EXCEEDED, f"the job took longer than MAX_JOB_S = {self._budget_s:g}")
            )
        if self._reason is not None:
            raise Cancelled(self._reason.reason, self._reason.rejection)

    def extend(self, seconds: float) -> None:
        """Give back time that was spent waiting for someone else."""
        if self._ends_at is not None:
            self._ends_at += seconds

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise Cancelled as soon as the job is cancelled."""
        self.check()
        self._event.wait(seconds)
        self.check()

    def remaining_s(self) -> float | None:
        """Seconds until the job's time is used up; None: no limit."""
        return None if self._ends_at is None else max(0.0, self._ends_at - self._clock())

    def overdue_s(self) -> float:
        """Seconds by which the job has outlived its time: it should have stopped by itself."""
        ends_at = self._ends_at  # asked by other threads, while the job's own may stop the clock
        return 0.0 if ends_at is None else max(0.0, self._clock() - ends_at)

    def listen(self, listener: Listener) -> Subscription:
        """Call `listener` once, in whichever thread cancels, when that happens; at once if it has happened.

        It is held until then: who needs it for less time than the job lasts closes what is returned.
        """
        subscription = Subscription(self._listeners)
        self._listeners[subscription] = listener
        if self._reason is not None:  # asked only now, so that a cancellation meanwhile can't miss it
            self._call(subscription)
        return subscription

    def _call(self, subscription: Subscription) -> None:
        if listener := self._listeners.pop(subscription, None):
            listener()
