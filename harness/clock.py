"""A clock that stands still until it is turned."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.fakes import NOON


@dataclass
class ManualClock:
    """See core.clock.Clock. Both of its readings move together, by `advance`."""

    now_s: float = 1000.0
    moment: datetime = NOON

    def monotonic(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        self.moment += timedelta(seconds=seconds)
