"""Lets the stages of a computation overlap: each runs in a thread of its own, one step ahead of the next.

Errors travel with the values and are raised where those would have arrived; closing ends the threads. Nothing here may
end in a circle of references: in a process as large as TensorFlow's the garbage collector hardly ever looks for those,
and a job's samples would stay for dozens of jobs.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


def prefetch(items: Iterable[T]) -> Generator[T]:
    """Iterate over `items` in another thread, which computes an item while the one before is being worked on.

    It begins with an item when the one before is taken, so at most one lies waiting: memory hardly depends on who is
    slow. An error in `items` is raised here, in its place. Closing this generator stops the thread after the item that
    it is computing, and waits for it.
    """
    ready: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
    wanted = threading.Semaphore(1)
    stopped = threading.Event()

    def run() -> None:
        try:
            wanted.acquire()
            for item in items:
                ready.put((item, None))
                del item  # what is handed over must not live on here while the next is computed
                wanted.acquire()
                if stopped.is_set():
                    return
            ready.put((None, StopIteration()))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the consumer's thread
            ready.put((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            wanted.release()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
            del item
    finally:
        item = error = None  # an error knows this frame by its traceback
        stopped.set()
        wanted.release()
        thread.join()
        if isinstance(items, Generator):
            items.close()


def parallel_map(work: Callable[[S], T], items: Generator[S], width: int) -> Generator[T]:
    """work(item) for each item, in their order, while up to `width` of them are being computed in other threads.

    What `items` or `work` raises is raised here, in its place. Closing this generator closes `items` and waits for what
    is being computed.
    """
    with closing(items), ThreadPoolExecutor(width) as threads:
        begun: deque[Future[T]] = deque()
        for item in items:
            begun.append(threads.submit(work, item))
            del item
            if len(begun) == width:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


class Sink(Generic[T]):
    """Calls `take` with each item in another thread, up to `depth` items behind. Close it in the end."""

    def __init__(self, take: Callable[[T], None], depth: int = 1) -> None:
        self._waiting: queue.Queue[T | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        # The thread alone has `take`, which may well lead to this sink, and lets go of it when it ends.
        self._thread = threading.Thread(target=self._run, args=(take,), daemon=True)
        self._thread.start()

    def _run(self, take: Callable[[T], None]) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    take(item)
                except BaseException as error:  # noqa: BLE001 - it is raised again by put or finish
                    self._error = error

    def put(self, item: T) -> None:
        """Hand an item over, waiting for room. Raises what an earlier item raised."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def finish(self) -> None:
        """Wait until every item is taken. Raises what any of them raised."""
        self._join()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread after the items at hand, and forget what they raised."""
        self._join()
        self._error = None

    def _join(self) -> None:
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()
