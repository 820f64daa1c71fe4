"""How many streams there may be, and which of them is to look for something new."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from consumer.gateway.index.changes import Batch
from consumer.gateway.problems import Problem, service_unavailable

_RETRY_AFTER_S = 30
Topic = tuple[str | None, str | None]
"""What a stream is about: a tenant, and one of its jobs; None for all of them."""


class StreamRoom:
    """Belongs to one event loop. most: streams at once; most_of_one: of one key or token's subject."""

    def __init__(self, *, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._open: Counter[str] = Counter()
        self._wakers: dict[Topic, set[asyncio.Event]] = {}
        self.is_closed = False

    def __len__(self) -> int:
        """How many streams are open."""
        return self._open.total()

    @contextmanager
    def taken(self, principal_id: str, topic: Topic) -> Iterator[asyncio.Event]:
        """A place for one stream, and what is set whenever it is to look again. Raises Problem where there is none."""
        self._check(principal_id)
        waker = asyncio.Event()
        self._open[principal_id] += 1
        self._wakers.setdefault(topic, set()).add(waker)
        try:
            yield waker
        finally:
            self._wakers[topic].discard(waker)
            if not self._wakers[topic]:
                del self._wakers[topic]
            self._open[principal_id] -= 1
            if not self._open[principal_id]:
                del self._open[principal_id]

    def note(self, batch: Batch) -> None:
        """Wake those whose jobs changed."""
        changed = {(change.entry.tenant, change.entry.request_id) for change in batch.changes}
        for topic in changed | {(tenant, None) for tenant, _ in changed}:
            for waker in self._wakers.get(topic, ()):
                waker.set()

    def close(self) -> None:
        """Have all streams end."""
        self.is_closed = True
        for wakers in self._wakers.values():
            for waker in wakers:
                waker.set()

    def _check(self, principal_id: str) -> None:
        if self.is_closed or len(self) >= self._most:
            raise service_unavailable("there are as many streams as there may be", retry_after_s=_RETRY_AFTER_S)
        if self._open[principal_id] >= self._most_of_one:
            raise Problem(
                429, "TOO_MANY_STREAMS", f"{self._most_of_one} streams are open; one stream tells of all your jobs",
                headers={"Retry-After": str(_RETRY_AFTER_S)},
            )  # fmt: skip
