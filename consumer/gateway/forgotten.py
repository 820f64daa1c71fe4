"""Which separations were forgotten, as the store tells: of one at once, of all in a thread for the index."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from consumer.core.errors import ConsumerError, Transient
from consumer.core.forgotten import parse_tombstone_key, tombstones_prefix
from consumer.core.ports import ErasableStore
from consumer.pipeline.forgotten import Tombstones

Forgotten = tuple[str | None, str]
"""Tenant and request id."""
_MOST_REMEMBERED = 10_000
_LOOK_AGAIN_S = 5.0
_SHARE_OF_TIME = 10  # at most a tenth of the time is spent on looking


class ForgottenBook:
    """Belongs to one event loop. What was forgotten stays so: only that is remembered."""

    def __init__(self, tombstones: Tombstones) -> None:
        self._tombstones = tombstones
        self._remembered: OrderedDict[Forgotten, None] = OrderedDict()

    async def has(self, tenant: str | None, request_id: str) -> bool:
        """Whether that is forgotten, on whichever gateway. Raises StoreUnavailable."""
        if (tenant, request_id) in self._remembered:
            return True
        is_forgotten = await asyncio.to_thread(self._tombstones.stands, tenant, request_id)
        if is_forgotten:
            self.add(tenant, request_id)
        return is_forgotten

    def add(self, tenant: str | None, request_id: str) -> None:
        """Its tombstone stands."""
        self._remembered[tenant, request_id] = None
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


class ForgottenWatch:
    """Tells `forget` of all that is forgotten: once in `start`, if the store answers, and of what is added, soon after.

    bucket, prefix: OUTPUT_BUCKET and OUTPUT_PREFIX.
    """

    def __init__(
        self, erasable: ErasableStore, bucket: str, prefix: str, forget: Callable[[Iterable[Forgotten]], None]
    ) -> None:
        self._erasable, self._bucket, self._prefix, self._forget = erasable, bucket, prefix, forget
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-forgotten", daemon=True)
        self._took_s = 0.0
        self._has_looked = False

    def start(self) -> None:
        """Returns once it has looked, or could not."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    def check(self) -> None:
        """Raises Transient until it has looked once: before that what is forgotten would be listed."""
        if not self._has_looked:
            raise Transient("what was forgotten is not read yet")

    def _run(self) -> None:
        while not self._stopped.wait(max(_LOOK_AGAIN_S if self._has_looked else 1.0, _SHARE_OF_TIME * self._took_s)):
            self._look()

    def _look(self) -> None:
        begun_s = time.monotonic()
        try:
            for key in self._erasable.keys(self._bucket, tombstones_prefix(self._prefix)):
                if self._stopped.is_set():
                    return
                if found := parse_tombstone_key(self._prefix, key):
                    self._forget([found])
            self._has_looked = True
        except ConsumerError:
            pass  # the store's own probe tells why, and the next look comes soon
        self._took_s = time.monotonic() - begun_s
