"""What is called in a thread that is confined, as ffmpeg is started."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from consumer.separator.sandbox import Landlock, Reach, confine

T = TypeVar("T")


def start_confined(reach: Reach, start: Callable[[], T], landlock: Landlock | None = None) -> T:
    """What `start` returns, called by a thread of its own that is confined to this, as all is that it starts."""
    with ThreadPoolExecutor(1, initializer=confine, initargs=(reach, landlock or Landlock())) as thread:
        return thread.submit(start).result()
