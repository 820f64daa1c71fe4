"""The threads that lead records along their walk.

Its three stretches overlap, so that the networks never wait: while one track is separated, the next is fetched and the
last is stored.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from consumer.core.errors import Fatal
from consumer.core.log_events import LogEvent
from consumer.core.model import Done, LocalTrack, Stems
from consumer.core.ports import Separator
from consumer.core.tracing import Tracer
from consumer.delivery.dispatcher import Dispatcher
from consumer.pipeline.completion import Completion
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.walk import Walk

FETCHERS, STORERS = 2, 2
_LOOK_S = 0.5  # for a stop or a cancellation, while there is nothing to do
_JOIN_S = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Waits for a separator."""

    run: JobRun
    track: LocalTrack


@dataclass(frozen=True, slots=True, kw_only=True)
class Separated:
    """Waits to be stored."""

    run: JobRun
    stems: Stems


class Pipeline:
    """See the module. halt: called with the error that this replica can't go on after."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        walk: Walk,
        completion: Completion,
        separators: Sequence[Separator],
        tracer: Tracer,
        halt: Callable[[Fatal], None],
    ) -> None:
        self._dispatcher, self._walk, self._completion = dispatcher, walk, completion
        self._separators, self._tracer, self._halt = separators, tracer, halt
        # One track waits while one is separated; more would only hold scratch space.
        self._fetched: queue.Queue[Fetched] = queue.Queue(len(separators))
        self._separated: queue.Queue[Separated] = queue.Queue(STORERS)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to take records."""
        loops: list[Callable[[], None]] = [self._fetch_loop] * FETCHERS + [self._store_loop] * STORERS
        loops += [lambda s=separator: self._separate_loop(s) for separator in self._separators]  # type: ignore[misc]
        self._threads = [threading.Thread(target=self._guarded, args=(loop,), daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what is at work; cancel that first."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(_JOIN_S)

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Fatal as fatal:
            self._halt(fatal)
        except BaseException as error:  # noqa: BLE001 - a stage without a thread would stop all work in silence
            structlog.get_logger().error(LogEvent.PIPELINE_BROKEN, exc_info=error)
            self._halt(Fatal(f"internal error: {type(error).__name__}: {error}"))

    # --- the loops of the three kinds of threads ---

    def _fetch_loop(self) -> None:
        while not self._stopped.is_set():
            if attempt := self._dispatcher.next(_LOOK_S):
                run = JobRun.begin(attempt, self._tracer.job(attempt.record, attempt.retry_state.attempt))
                self._lead(run, self._fetch)

    def _separate_loop(self, separator: Separator) -> None:
        while fetched := self._take(self._fetched, while_idle=separator.revive):
            self._separate(fetched, separator)

    def _store_loop(self) -> None:
        while separated := self._take(self._separated):
            self._store(separated)

    # --- one record along one stretch ---

    def _fetch(self, run: JobRun) -> Done | None:
        match self._walk.to_track(run):
            case LocalTrack() as track:
                self._hand_on(run, Fetched(run=run, track=track), self._fetched)
                return None
            case Done() as done:
                return done

    def _separate(self, fetched: Fetched, separator: Separator) -> None:
        def to_stems(run: JobRun) -> None:
            stems = self._walk.to_stems(run, fetched.track, separator)
            self._hand_on(run, Separated(run=run, stems=stems), self._separated)

        self._lead(fetched.run, to_stems)

    def _store(self, separated: Separated) -> None:
        self._lead(separated.run, lambda run: self._walk.to_result(run, separated.stems))

    def _lead(self, run: JobRun, stretch: Callable[[JobRun], Done | None]) -> None:
        """Along one stretch, to the record's outcome; None: another thread leads it on."""
        try:
            done = stretch(run)
        except Exception as error:  # noqa: BLE001 - the failure policy knows what each kind means
            self._completion.fail(run, error)
        else:
            if done:
                self._completion.complete(run, done)

    def _hand_on(self, run: JobRun, work: T, onward: "queue.Queue[T]") -> None:
        """Into the next queue, as soon as there is room. Raises Cancelled."""
        while True:
            run.attempt.cancellation.check()
            try:
                onward.put(work, timeout=_LOOK_S)
                return
            except queue.Full:
                continue

    def _take(self, source: "queue.Queue[T]", while_idle: Callable[[], None] = lambda: None) -> T | None:
        """The next one; None: the pipeline was stopped."""
        while not self._stopped.is_set():
            try:
                return source.get(timeout=_LOOK_S)
            except queue.Empty:
                while_idle()
        return None
