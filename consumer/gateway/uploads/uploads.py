"""All that takes files, and its end."""

import asyncio
from contextlib import suppress

from consumer.core.ports import ObjectStore, PartStore
from consumer.gateway.finding import Finder
from consumer.gateway.sending import Submission
from consumer.gateway.uploads.asking import Uploading
from consumer.gateway.uploads.contents import Contents
from consumer.gateway.uploads.files import FileSeparations
from consumer.gateway.uploads.limits import UploadLimits
from consumer.gateway.uploads.sessions import SessionRules, UploadSessions
from consumer.gateway.uploads.storing import UploadTarget
from consumer.gateway.uploads.threads import StoreThreads

_THREADS = 16
_CLOSE_S = 30.0  # for uploads that were cut by the end to be removed again


class Uploads:
    """Belongs to one event loop. bucket: where files are put."""

    def __init__(
        self, store: ObjectStore, parts: PartStore, bucket: str, limits: UploadLimits, *, expires_s: float
    ) -> None:
        self._limits, self._threads = limits, StoreThreads(_THREADS)
        self._target = UploadTarget(store=store, parts=parts, bucket=bucket, threads=self._threads)
        rules = SessionRules(max_object_bytes=limits.max_object_bytes, formats=limits.formats, expires_s=expires_s)
        self._sessions = UploadSessions(store, parts, bucket, rules)

    def take(self, submission: Submission, finder: Finder, contents: Contents) -> Uploading:
        """As the routes use it."""
        return Uploading(
            files=FileSeparations(self._target, self._limits, submission, finder, contents),
            sessions=self._sessions,
            threads=self._threads,
            limits=self._limits,
        )

    async def close(self) -> None:
        """Once the server has ended: nothing is left of what it was in the middle of, if the store answers."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._limits.slots.all_free()
        await self._threads.close()
