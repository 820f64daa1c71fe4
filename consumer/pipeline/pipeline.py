"""Runs the stages: takes records whose turn it is, leads each through them, and settles it with its outcome.

Three stages overlap, so that the networks never wait: while one track is separated, the next is fetched and the last
is stored. Time, logs, metrics, retries and what an error means are looked after here, once, for all stages.
"""

import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Fatal, Transient
from consumer.core.events import REQUEST_ID
from consumer.core.model import Done, LocalTrack, Outcome, Stems, StoredStems
from consumer.core.ports import Codec, Separator
from consumer.core.tracing import Tracer
from consumer.delivery.assignment import Attempt
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.delivery.dispatcher import Dispatcher
from consumer.observability.metrics import Metrics
from consumer.observability.tracing import handed_on
from consumer.pipeline.crash_guard import CrashGuard
from consumer.pipeline.failure_policy import Failure, FailurePolicy
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.progress import ProgressReporter
from consumer.pipeline.retry import Retrier
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.pipeline.stages.fetch import Fetch
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.scan import Scan
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate, check_deadline

FETCHERS, STORERS = 2, 2
_IDLE_S = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    codec: Codec
    validate: Validate
    recall: Recall
    weights: ModelStore
    fetch: Fetch
    scan: Scan | None  # None: there is no scanner
    reuse: Reuse | None  # None: everything is computed
    store: Store
    publish: EncodeOutcome


@dataclass(slots=True, kw_only=True)
class Work:
    """One record on its way, with what each room made of it."""

    attempt: Attempt
    log: Any
    stage: str = "decode"
    request_id: str | None = None
    track: LocalTrack | None = None
    stems: Stems | None = None
    stored: StoredStems | None = None
    timings_s: dict[str, float] = field(default_factory=dict)


class _WhileOurs(Cancellation):
    """Of a job that was cancelled, but whose outcome is still to be told: it ends with the right to tell it."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._assignment = attempt.assignment

    def check(self) -> None:
        if not self._assignment.is_open:
            raise Cancelled("partition gone")
        super().check()


class Pipeline:
    """See the module. halt: called with the error that this replica can't go on after."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        stages: Stages,
        separators: Sequence[Separator],
        *,
        retrier: Retrier,
        metrics: Metrics,
        tracer: Tracer,
        progress: ProgressReporter,
        cancel_registry: CancelRegistry,
        max_job_s: float,
        halt: Callable[[Fatal], None],
    ) -> None:
        self._dispatcher, self._stages, self._separators = dispatcher, stages, separators
        self._starts = CrashGuard(dispatcher=dispatcher, progress=progress, max_job_s=max_job_s)
        self._retrier, self._metrics, self._halt = retrier, metrics, halt
        self._cancel_registry, self._tracer = cancel_registry, tracer
        self._failure_policy = FailurePolicy(stages.publish)
        # One track waits while one is separated; more would only hold scratch space.
        self._fetched: queue.Queue[Work] = queue.Queue(len(separators))
        self._separated: queue.Queue[Work] = queue.Queue(STORERS)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        loops: list[Callable[[], None]] = [self._fetch_loop] * FETCHERS + [self._store_loop] * STORERS
        loops += [lambda s=separator: self._separate_loop(s) for separator in self._separators]  # type: ignore[misc]
        self._threads = [threading.Thread(target=self._guarded, args=(loop,), daemon=True) for loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what is at work; cancel that first."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(5.0)

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except Fatal as fatal:
            self._halt(fatal)
        except BaseException as error:  # noqa: BLE001 - a stage without a thread would stop all work in silence
            structlog.get_logger().error("pipeline.broken", exc_info=error)
            self._halt(Fatal(f"internal error: {type(error).__name__}: {error}"))

    # --- the three stages' threads ---

    def _fetch_loop(self) -> None:
        while not self._stopped.is_set():
            if attempt := self._dispatcher.next(_IDLE_S):
                record, number = attempt.record, attempt.retry_state.attempt
                attempt.trace = self._tracer.job(record, number)
                log = structlog.get_logger().bind(
                    topic=record.topic, partition=record.partition, offset=record.offset, attempt=number
                )
                if attempt.trace.context:
                    log = log.bind(trace_id=attempt.trace.context.trace_id)
                self._lead(Work(attempt=attempt, log=log), self._to_track, self._fetched)

    def _separate_loop(self, separator: Separator) -> None:
        while work := self._take(self._fetched, while_idle=separator.revive):
            self._lead(work, lambda work: self._to_stems(work, separator), self._separated)

    def _store_loop(self) -> None:
        while work := self._take(self._separated):
            self._lead(work, self._to_result, None)
            self._let_be_found(work)

    def _take(self, source: queue.Queue[Work], while_idle: Callable[[], None] = lambda: None) -> Work | None:
        while not self._stopped.is_set():
            try:
                return source.get(timeout=_IDLE_S)
            except queue.Empty:
                while_idle()
        return None

    def _lead(self, work: Work, room: Callable[[Work], Outcome | None], onward: queue.Queue[Work] | None) -> None:
        """Through one room; then onward, or to its outcome."""
        try:
            outcome = room(work)
            if outcome is None and onward is not None:
                self._pass_on(work, onward)
                return
        except Exception as error:  # noqa: BLE001 - the failure policy knows what each kind means
            outcome = self._judge(work, error)
        else:
            if isinstance(outcome, Done) and not outcome.deduplicated:  # what was only looked up proves nothing
                self._failure_policy.note_success()
        self._cancel_registry.end(work.attempt.cancellation)
        if work.track:
            shutil.rmtree(work.track.folder, ignore_errors=True)
        work.attempt.trace.end(outcome)
        if outcome is None:
            self._dispatcher.abandon(work.attempt)
        else:
            self._dispatcher.settle(work.attempt, handed_on(outcome, work.attempt.trace.context))

    def _judge(self, work: Work, error: Exception) -> Outcome | None:
        work.log.warning("separation.failed", stage=work.stage, kind=type(error).__name__, error=str(error))
        starts = self._dispatcher.starts(work.attempt)
        failure = Failure(
            error=error, attempt=work.attempt, stage=work.stage, request_id=work.request_id, starts=starts
        )
        try:
            return self._insist(work, lambda: self._failure_policy.on(failure))
        except Cancelled:
            return None

    def _pass_on(self, work: Work, onward: queue.Queue[Work]) -> None:
        while True:
            work.attempt.cancellation.check()
            try:
                onward.put(work, timeout=_IDLE_S)
                break
            except queue.Full:
                continue

    # --- what is done in each of them ---

    def _to_track(self, work: Work) -> Outcome | None:
        stages, attempt = self._stages, work.attempt
        request = self._through(work, "decode", lambda: stages.codec.decode_request(attempt.record.value))
        if REQUEST_ID.fullmatch(request.request_id):
            work.request_id = request.request_id
            work.log = work.log.bind(request_id=request.request_id)
            self._cancel_registry.begin(request.request_id, attempt.retry_state.timestamp, attempt.cancellation)
        job = self._through(work, "validate", lambda: stages.validate(request))
        if recalled := self._through(work, "recall", lambda: stages.recall(job)):
            return self._result(work, recalled)
        weights_sha256 = self._through(work, "model", lambda: stages.weights.ensure(request.model))
        track = work.track = self._through(work, "fetch", lambda: stages.fetch(job, attempt.cancellation))
        if scan := stages.scan:  # before anything else opens it, also where stems are only copied
            self._through(work, "scan", lambda: scan(track, attempt.cancellation))
        if copied := self._copied(work, track, weights_sha256):
            return self._result(work, copied)
        return None

    def _copied(self, work: Work, track: LocalTrack, weights_sha256: str) -> StoredStems | None:
        """Copies of what another request with the same content has, where there is one."""
        reuse, store = self._stages.reuse, self._stages.store
        if reuse is None:
            return None
        reusable = self._through(work, "reuse", lambda: reuse.find(track, weights_sha256))
        if reusable is None:
            return None
        return self._through(work, "copy", lambda: store.copy(track, reusable, work.timings_s))

    def _to_stems(self, work: Work, separator: Separator) -> None:
        assert work.track
        track, attempt = work.track, work.attempt
        work.stage = "separate"
        separator.prepare(attempt.cancellation)
        check_deadline(track.job.request)
        separation = self._through(work, "separate", lambda: self._starts.separate(attempt, track, separator, work.log))
        work.stems = Stems(track=track, separation=separation)
        self._metrics.separated(
            track.job.request.model, audio_s=separation.audio.duration_s, work_s=work.timings_s["separate"]
        )

    def _to_result(self, work: Work) -> Outcome:
        stems = work.stems
        assert stems
        stored = work.stored = self._through(work, "store", lambda: self._stages.store(stems, work.timings_s))
        return self._result(work, stored)

    def _let_be_found(self, work: Work) -> None:
        """Of what was stored, by others with the same content; the result does not wait for that."""
        if self._stages.reuse and work.stems and work.stored:
            try:
                self._stages.reuse.note(work.stems.track, work.stored)
            except Exception as error:  # noqa: BLE001 - the result stands without it
                work.log.warning("reuse.not_noted", reason=str(error))

    def _result(self, work: Work, stored: StoredStems) -> Outcome:
        work.stage = "publish"
        return self._insist(work, lambda: self._stages.publish.result(stored, work.attempt.retry_state.attempt))

    # ---

    def _through(self, work: Work, stage: str, step: Callable[[], T]) -> T:
        """One stage: timed, logged, counted, with the patience that its errors deserve."""
        work.stage = stage
        work.attempt.cancellation.check()
        started = time.monotonic()
        with work.attempt.trace.stage(stage):
            value = self._retrier.run(stage, step, work.attempt.cancellation)
        seconds = time.monotonic() - started
        work.timings_s[stage] = round(seconds, 4)
        self._metrics.passed(stage, seconds, work.attempt.trace.context)
        work.log.info(f"separation.{stage}", seconds=round(seconds, 4))
        return value

    def _insist(self, work: Work, encode: Callable[[], T]) -> T:
        """Encode an outcome, for which a registry may be needed; that it is away for all is waited for, that it answers
        and refuses our schema is our fault.

        Raises Cancelled if the record has no outcome here: the partition's next owner will see to it.
        """
        try:
            try:
                return self._retrier.run("encode", encode, work.attempt.cancellation)
            except Cancelled as cancelled:
                if cancelled.rejection is None:
                    raise
                # It needs an outcome all the same, for as long as it is ours.
                return self._retrier.run("encode", encode, _WhileOurs(work.attempt))
        except Transient as error:
            if not work.attempt.assignment.is_open:
                raise Cancelled("partition gone") from error
            raise Fatal(f"outcomes can't be encoded: {error}") from error
