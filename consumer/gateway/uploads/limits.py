"""What is taken of files that come by HTTP."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from consumer.gateway.uploads.receiving import Pace
from consumer.gateway.uploads.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """max_object_bytes: of a file. formats: containers that are taken, by ffmpeg's demuxer names. received: told of
    each number of bytes that came.
    """

    max_object_bytes: int
    formats: Collection[str]
    pace: Pace
    slots: Slots
    received: Callable[[int], None]
