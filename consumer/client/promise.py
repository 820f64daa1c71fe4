"""What will be known later, in a fraction of a Future's size: a Future is made only where somebody waits."""

import logging
import threading
from concurrent.futures import Future, InvalidStateError
from typing import Generic, TypeVar

T = TypeVar("T")
_log = logging.getLogger("consumer.client")


class Promise(Generic[T]):
    """Settled once, with a value or an error; what comes later changes nothing. Thread-safe.

    Thousands of jobs are sent a second and most of them are never waited for by a thread: a Future would take a dozen
    objects each, through which the garbage collector goes while senders stand still. `lock` may be shared by many;
    promises that somebody waits for are in `awaited` meanwhile.
    """

    __slots__ = ("__weakref__", "_awaited", "_futures", "_lock", "_settled")

    def __init__(self, lock: "threading.RLock", awaited: "set[Promise[T]]") -> None:
        self._lock, self._awaited = lock, awaited
        self._settled: tuple[T | BaseException] | None = None
        self._futures: tuple[_Waiting[T], ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether `future` is done already."""
        return self._settled is not None

    def settle(self, outcome: T | BaseException) -> None:
        """Tell whoever waits, in this thread."""
        with self._lock:
            if self._settled is not None:
                return
            self._settled = (outcome,)
            futures, self._futures = self._futures, ()
            self._awaited.discard(self)
        for future in futures:
            _tell(future, outcome)

    def future(self) -> "Future[T]":
        """For one who waits: gets what this was, or will be, settled with. To cancel it is to wait no longer."""
        future = _Waiting(self)
        with self._lock:
            if (settled := self._settled) is None:
                self._futures = (*self._futures, future)
                self._awaited.add(self)
        if settled is not None:
            _tell(future, settled[0])
        return future

    def leave(self, future: "Future[T]") -> None:
        """That one waits no longer."""
        with self._lock:
            self._futures = tuple(each for each in self._futures if each is not future)
            if not self._futures:
                self._awaited.discard(self)


class _Waiting(Future[T]):
    def __init__(self, promise: Promise[T]) -> None:
        super().__init__()
        self._promise = promise

    def cancel(self) -> bool:
        """Only this wait is over: what is waited for goes on."""
        is_cancelled = super().cancel()
        if is_cancelled:
            self._promise.leave(self)
        return is_cancelled


def _tell(future: "Future[T]", outcome: T | BaseException) -> None:
    try:
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass  # cancelled in this moment
    except BaseException:  # noqa: BLE001 - SystemExit of a user's callback; this thread is not the user's to end
        _log.exception("a callback has failed")
