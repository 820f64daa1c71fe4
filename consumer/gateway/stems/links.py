"""Links to stems, for clients that can reach object storage themselves."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumer.core.catalog import FORMATS
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.events import Stem
from consumer.core.ports import ObjectLinks
from consumer.gateway.stems.archive import file_name

LINK_S = 300  # a download that was begun goes on
FOR_EVER = "private, max-age=31536000, immutable"
_MEDIA_TYPES = {f".{each.extension}": each.media_type for each in FORMATS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An address that needs no key, until expires_at."""

    url: str
    expires_at: datetime


class StemLinks:
    """links: what signs them; None where the store signs none. origin: scheme://host:port of what they lead to."""

    def __init__(self, links: ObjectLinks | None, *, origin: str | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._links, self.origin, self._clock = links, origin, clock

    async def link(self, stem: Stem) -> Link | None:
        """A new link to it; None where clients don't reach the store. Raises StoreUnavailable."""
        if (links := self._links) is None:
            return None
        headers = {
            "content-type": media_type_of(stem),
            "content-disposition": disposition_of(file_name(stem)),
            "cache-control": FOR_EVER,
        }
        signed_at = self._clock.now()
        # In a thread: keys may be read from a file, or from a service that gives them out.
        url = await asyncio.to_thread(links.object_url, stem.bucket, stem.key, expires_s=LINK_S, headers=headers)
        return None if url is None else Link(url=url, expires_at=signed_at + timedelta(seconds=LINK_S))


def media_type_of(stem: Stem) -> str:
    """By its format."""
    return _MEDIA_TYPES.get(f".{file_name(stem).rpartition('.')[2]}", "application/octet-stream")


def disposition_of(name: str) -> str:
    """What has a browser keep a file by that name."""
    return f'attachment; filename="{name}"'
