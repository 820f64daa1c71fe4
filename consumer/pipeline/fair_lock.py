"""Who may be separated side by side: a track that killed its separator before is alone in its replica."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from consumer.core.cancellation import Cancellation

_LOOK_S = 0.5  # for a cancellation, while a track waits


class FairLock:
    """Lets tracks in strictly in the order in which they came, so that neither kind keeps the other out for ever.

    Whoever is inside waits for nobody at the gate, so it always opens again.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._inside = 0
        self._is_taken = False  # by one that is alone

    @contextmanager
    def entered(self, cancel: Cancellation, *, is_alone: bool) -> Iterator[None]:
        """Beside others, or alone once those inside have left. Raises Cancelled while it waits."""
        self._enter(cancel, is_alone=is_alone)
        try:
            yield
        finally:
            self._leave()

    def _enter(self, cancel: Cancellation, *, is_alone: bool) -> None:
        place = object()
        with self._changed:
            self._queue.append(place)
            try:
                while self._queue[0] is not place or self._is_taken or (is_alone and self._inside):
                    cancel.check()
                    self._changed.wait(_LOOK_S)
                self._inside, self._is_taken = self._inside + 1, is_alone
            finally:
                self._queue.remove(place)
                self._changed.notify_all()

    def _leave(self) -> None:
        with self._changed:
            self._inside, self._is_taken = self._inside - 1, False
            self._changed.notify_all()
