"""Which requests their users no longer want: cancels what is at work, and remembers the rest until its turn comes.

Requests and cancellations come through topics of their own, so a cancellation may be read long before its request, and
a little before it even if it was sent a little after. What was sent clearly after it is a new wish, and is not touched.
"""

import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, Rejected

MAX_REMEMBERED = 10_000
REMEMBERED_FOR = timedelta(hours=24)  # as long as `topics create` lets the control topic keep them
_CROSSING = timedelta(seconds=5)  # by how much clocks and sending may differ
_MAX_REASON_CHARACTERS = 500


class _Wish(NamedTuple):
    at: datetime
    rejection: Rejected


class _AtWork(NamedTuple):
    request_id: str
    sent_at: datetime


class CancelRegistry:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wishes: OrderedDict[str, _Wish] = OrderedDict()  # in the order in which they were heard
        self._at_work: dict[Cancellation, _AtWork] = {}

    def begin(self, request_id: str, sent_at: datetime | None, cancellation: Cancellation) -> None:
        """A request's turn has come: `cancellation` is how it hears that it is cancelled, now or later."""
        now = datetime.now(UTC)
        # A sender's clock that is ahead must not make its requests immune.
        work = _AtWork(request_id, min(sent_at or now, now))
        with self._lock:
            self._at_work[cancellation] = work
            wish = self._wishes.get(request_id)
        if wish is not None and _concerns(wish, work) and now - wish.at < REMEMBERED_FOR:
            cancellation.cancel("cancelled before it began", wish.rejection)

    def end(self, cancellation: Cancellation) -> None:
        """The request has its outcome, or is not ours any more."""
        with self._lock:
            self._at_work.pop(cancellation, None)

    def note(self, request_id: str, reason: str | None, at: datetime) -> bool:
        """Its user cancelled the request; True if it was at work."""
        told = " ".join((reason or "").split())[:_MAX_REASON_CHARACTERS]
        wish = _Wish(at, Rejected(Code.CANCELLED, f"cancelled: {told}" if told else "cancelled"))
        with self._lock:
            self._wishes.pop(request_id, None)
            self._wishes[request_id] = wish
            while len(self._wishes) > MAX_REMEMBERED:
                self._wishes.popitem(last=False)
            concerned = [
                cancellation
                for cancellation, work in self._at_work.items()
                if work.request_id == request_id and _concerns(wish, work)
            ]
        for cancellation in concerned:  # outside the lock: listeners are called
            cancellation.cancel("cancelled while at work", wish.rejection)
        return bool(concerned)


def _concerns(wish: _Wish, work: _AtWork) -> bool:
    return work.sent_at <= wish.at + _CROSSING
