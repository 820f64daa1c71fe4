"""Links to stems, for clients that can reach object storage themselves."""

import asyncio

from consumer.core.catalog import FORMATS
from consumer.core.events import Stem
from consumer.core.ports import ObjectLinks
from consumer.gateway.stems.archive import file_name

LINK_S = 300  # a download that was begun goes on
FOR_EVER = "private, max-age=31536000, immutable"
_MEDIA_TYPES = {f".{each.extension}": each.media_type for each in FORMATS.values()}


class StemLinks:
    """links: what signs them; None where the store signs none. origin: scheme://host:port of what they lead to."""

    def __init__(self, links: ObjectLinks | None, *, origin: str | None = None) -> None:
        self._links, self.origin = links, origin

    async def url(self, stem: Stem) -> str | None:
        """An address that needs no key, for a short time; None where clients don't reach the store.

        Raises StoreUnavailable.
        """
        if (links := self._links) is None:
            return None
        headers = {
            "content-type": media_type_of(stem),
            "content-disposition": disposition_of(file_name(stem)),
            "cache-control": FOR_EVER,
        }
        # In a thread: keys may be read from a file, or from a service that gives them out.
        return await asyncio.to_thread(links.object_url, stem.bucket, stem.key, expires_s=LINK_S, headers=headers)


def media_type_of(stem: Stem) -> str:
    """By its format."""
    return _MEDIA_TYPES.get(f".{file_name(stem).rpartition('.')[2]}", "application/octet-stream")


def disposition_of(name: str) -> str:
    """What has a browser keep a file by that name."""
    return f'attachment; filename="{name}"'
