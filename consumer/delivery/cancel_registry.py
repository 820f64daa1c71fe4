"""Which requests their users no longer want: cancels what is at work, and remembers the rest until its turn comes.

Requests and cancellations come through topics of their own, so a cancellation may be read long before its request, and
a little before it even if it was sent a little after. What was sent clearly after it is a new request: not touched.
"""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from consumer.core.cancellation import Cancellation
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Code, Rejected

MAX_REMEMBERED = 10_000
REMEMBERED_FOR = timedelta(hours=24)  # as long as `topics create` lets the control topic keep them
_CROSSING = timedelta(seconds=5)  # by how much clocks and sending may differ
_MAX_REASON_CHARACTERS = 500


class _CancelRequest(NamedTuple):
    at: datetime
    rejection: Rejected


class _AtWork(NamedTuple):
    request_id: str
    sent_at: datetime


class CancelRegistry:
    """Thread-safe. max_remembered: cancellations, of which the oldest is forgotten first."""

    def __init__(self, *, max_remembered: int = MAX_REMEMBERED, clock: Clock = SYSTEM_CLOCK) -> None:
        self._max_remembered, self._clock = max_remembered, clock
        self._lock = threading.Lock()
        self._requests: OrderedDict[str, _CancelRequest] = OrderedDict()  # in the order in which they were heard
        self._at_work: dict[Cancellation, _AtWork] = {}

    def begin(self, request_id: str, sent_at: datetime | None, cancellation: Cancellation) -> None:
        """A request's turn has come: `cancellation` is how it hears that it is cancelled, now or later."""
        now = self._clock.now()
        # A sender's clock that is ahead must not make its requests immune.
        work = _AtWork(request_id, min(sent_at or now, now))
        with self._lock:
            self._at_work[cancellation] = work
            request = self._requests.get(request_id)
        if request is not None and _concerns(request, work) and now - request.at < REMEMBERED_FOR:
            cancellation.cancel("cancelled before it began", request.rejection)

    def end(self, cancellation: Cancellation) -> None:
        """The request has its outcome, or is not ours any more."""
        with self._lock:
            self._at_work.pop(cancellation, None)

    def register(self, request_id: str, reason: str | None, at: datetime) -> bool:
        """Its user cancelled the request; True if it was at work."""
        stated = " ".join((reason or "").split())[:_MAX_REASON_CHARACTERS]
        request = _CancelRequest(at, Rejected(Code.CANCELLED, f"cancelled: {stated}" if stated else "cancelled"))
        with self._lock:
            self._requests.pop(request_id, None)
            self._requests[request_id] = request
            while len(self._requests) > self._max_remembered:
                self._requests.popitem(last=False)
            concerned = [
                cancellation
                for cancellation, work in self._at_work.items()
                if work.request_id == request_id and _concerns(request, work)
            ]
        for cancellation in concerned:  # outside the lock: listeners are called
            cancellation.cancel("cancelled while at work", request.rejection)
        return bool(concerned)


def _concerns(request: _CancelRequest, work: _AtWork) -> bool:
    return work.sent_at <= request.at + _CROSSING
