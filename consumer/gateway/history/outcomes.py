"""What jobs came to over the last hour, by the times of the records in the log: also of before this gateway began."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Code
from consumer.core.events import DeadLetter, SeparationResult

MINUTES = 60
OTHER = "OTHER"
_CODES = frozenset(Code)
_MINUTE_MS = 60_000
_LONGEST_AUDIO_S = 1e6  # whatever somebody wrote


class Kind(StrEnum):
    """What a record came to."""

    SEPARATED = "separated"
    """A result whose stems were made for it."""
    COPIED = "copied"
    """A result whose stems were there already."""
    FAILED = "failed"
    """A dead letter."""
    CANCELLED = "cancelled"
    """A dead letter that somebody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """at_ms: when it begins, since 1970. audio_s: seconds of audio that were separated for its results."""

    at_ms: int
    kinds: Mapping[Kind, int]
    audio_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HourOfOutcomes:
    """minutes: of the last hour, the oldest first, those without an outcome included. codes: of its dead letters."""

    minutes: Sequence[Minute]
    codes: Mapping[str, int]


@dataclass(slots=True)
class _Counted:
    kinds: Counter[Kind] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    audio_s: float = 0.0


class OutcomeCount:
    """Noted by one thread, asked by any. Holds an hour's counts, however many outcomes there were.

    has_read_all: whether all that were in the log when it began to be read have been noted.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self.has_read_all = False
        self._lock = threading.Lock()
        self._minutes: dict[int, _Counted] = {}

    def note(self, outcome: SeparationResult | DeadLetter, at_ms: int) -> None:
        """A result or a dead letter was read, whose record has that time."""
        minute, now = at_ms // _MINUTE_MS, self._now()
        minute = min(minute, now) if minute == now + 1 else minute  # clocks differ
        if not now - MINUTES < minute <= now:
            return
        with self._lock:
            counted = self._minutes.setdefault(minute, _Counted())
            match outcome:
                case SeparationResult():
                    counted.kinds[Kind.COPIED if outcome.deduplicated else Kind.SEPARATED] += 1
                    if not outcome.deduplicated and 0 <= outcome.source.duration_s <= _LONGEST_AUDIO_S:
                        counted.audio_s += outcome.source.duration_s
                case DeadLetter():
                    counted.kinds[Kind.CANCELLED if outcome.code == Code.CANCELLED else Kind.FAILED] += 1
                    counted.codes[outcome.code if outcome.code in _CODES else OTHER] += 1
            self._forget(now)

    def hour(self) -> HourOfOutcomes:
        """What there is to tell by now."""
        now = self._now()
        with self._lock:
            self._forget(now)
            wanted = range(now - MINUTES + 1, now + 1)
            codes = sum((self._minutes[each].codes for each in wanted if each in self._minutes), Counter[str]())
            return HourOfOutcomes(minutes=[self._minute(each) for each in wanted], codes=dict(codes))

    def _minute(self, number: int) -> Minute:
        counted = self._minutes.get(number, _Counted())
        return Minute(
            at_ms=number * _MINUTE_MS,
            kinds={kind: counted.kinds[kind] for kind in Kind},
            audio_s=round(counted.audio_s, 3),
        )

    def _forget(self, now: int) -> None:
        for minute in [each for each in self._minutes if not now - MINUTES < each <= now]:
            del self._minutes[minute]

    def _now(self) -> int:
        return round(self._clock.now().timestamp() * 1000) // _MINUTE_MS
