"""Lets the stages of a computation overlap: each runs in a thread of its own, a bounded step ahead of the next.

Errors travel with the values and are raised where those would have arrived; closing ends the threads.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], depth: int = 1) -> Generator[T]:
    """Iterate over `items` in another thread, up to `depth` items ahead.

    An error in `items` is raised here, in its place. Closing this generator stops the thread after the item that it
    is computing, and waits for it.
    """
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | None, error: BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put((item, error), timeout=0.1)
                break
            except queue.Full:
                continue

    def run() -> None:
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
            put(None, StopIteration())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the consumer's thread
            put(None, error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
        if isinstance(items, Generator):
            items.close()


class Sink(Generic[T]):
    """Calls `take` with each item in another thread, up to `depth` items behind."""

    def __init__(self, take: Callable[[T], None], depth: int = 2) -> None:
        self._take = take
        self._waiting: queue.Queue[T | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._take(item)
                except BaseException as error:  # noqa: BLE001 - it is raised again by put or finish
                    self._error = error

    def put(self, item: T) -> None:
        """Hand an item over, waiting for room. Raises what an earlier item raised."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def finish(self) -> None:
        """Wait until every item is taken. Raises what any of them raised."""
        self.close()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread after the items at hand."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
