"""How a job is told that it is no longer wanted: by its deadline, its user, a lost partition or a shutdown."""

import threading
import time
from collections.abc import Callable

from consumer.core.errors import Cancelled, Code, Rejected


class Cancellation:
    """One job's. Thread-safe. The first reason wins."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.RLock()  # a signal handler may cancel while its own thread listens
        self._reason: Cancelled | None = None
        self._listeners: list[Callable[[], None]] = []
        self._ends_at: float | None = None
        self._budget_s = 0.0
        self._left_s: float | None = None  # of a clock that was stopped

    def start_clock(self, budget_s: float) -> None:
        """From now on the job has budget_s seconds, or what was left of them when the clock was stopped."""
        self._budget_s = budget_s
        self._ends_at = time.monotonic() + (budget_s if self._left_s is None else self._left_s)

    def stop_clock(self) -> None:
        """Until it is started again no time is the job's. Without a clock nothing happens."""
        if self._ends_at is not None:
            self._left_s, self._ends_at = self._ends_at - time.monotonic(), None

    def cancel(self, reason: str, rejection: Rejected | None = None) -> None:
        """Cancel; `rejection` is what the job ends as, None for no outcome at all."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = Cancelled(reason, rejection)
            listeners = self._listeners
        self._event.set()
        for listener in listeners:
            listener()

    def check(self) -> None:
        """Raises Cancelled if the job was cancelled or has used up its time."""
        if self._ends_at is not None and time.monotonic() > self._ends_at:
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
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    def overdue_s(self) -> float:
        """Seconds by which the job has outlived its time: it should have stopped by itself."""
        ends_at = self._ends_at  # asked by other threads, while the job's own may stop the clock
        return 0.0 if ends_at is None else max(0.0, time.monotonic() - ends_at)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in whichever thread cancels, when that happens; at once if it has happened."""
        with self._lock:
            if self._reason is None:
                self._listeners = [*self._listeners, listener]
                return
        listener()
