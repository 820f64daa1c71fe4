"""One record's walk: decode, validate, recall, fetch, scan, reuse, separate, store, encode outcome.

It is walked in three stretches, each by another thread: up to the track on disk, up to its stems, up to its result.
Each stage takes its own value and returns the next; a stretch ends early where the result is there already.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from consumer.core.events import REQUEST_ID, SeparationRequest
from consumer.core.model import Done, LocalTrack, Stage, Stems, StoredStems
from consumer.core.ports import Codec, Separator
from consumer.delivery.cancel_registry import CancelRegistry
from consumer.pipeline.audit import AuditOutcomes
from consumer.pipeline.clearing import remove_folder
from consumer.pipeline.crash_guard import check_was_read
from consumer.pipeline.job_run import JobRun
from consumer.pipeline.model_store import ModelStore
from consumer.pipeline.separation import SeparateTrack
from consumer.pipeline.stage_runner import StageRunner
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from consumer.pipeline.stages.fetch import Fetch
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.scan import Scan
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The rooms that a record walks through. scan: None, there is no scanner. reuse: None, everything is computed."""

    codec: Codec
    validate: Validate
    recall: Recall
    model_store: ModelStore
    fetch: Fetch
    scan: Scan | None
    reuse: Reuse | None
    store: Store
    encode_outcome: EncodeOutcome
    audit: AuditOutcomes


class Walk:
    """Thread-safe. Every stretch raises what its stages raise."""

    def __init__(
        self, stages: Stages, runner: StageRunner, separate: SeparateTrack, cancel_registry: CancelRegistry
    ) -> None:
        self._stages, self._runner, self._separate = stages, runner, separate
        self._through = runner.through
        self._cancel_registry = cancel_registry

    def to_track(self, run: JobRun) -> LocalTrack | Done:
        """From the record to its object on disk; or to its result, where that is there already."""
        stages, cancellation = self._stages, run.attempt.cancellation
        check_was_read(run.attempt.record)
        request = self._through(run, Stage.DECODE, lambda: stages.codec.decode_request(run.attempt.record.value))
        self._identify(run, request)
        run.content = (request.source.bucket, request.source.key)
        job = self._through(run, Stage.VALIDATE, lambda: stages.validate(request))
        if recalled := self._through(run, Stage.RECALL, lambda: stages.recall(job)):
            return self._result(run, recalled)
        weights_sha256 = self._through(run, Stage.MODEL, lambda: stages.model_store.ensure(request.model))
        track = self._through(run, Stage.FETCH, lambda: stages.fetch(job, cancellation))
        run.content = track.sha256
        run.scratch.callback(_remove, track.folder)
        if scan := stages.scan:  # before anything else opens it, also where stems are only copied
            self._through(run, Stage.SCAN, lambda: scan(track, cancellation))
        if copied := self._copied(run, track, weights_sha256):
            return self._result(run, copied)
        return track

    def to_stems(self, run: JobRun, track: LocalTrack, separator: Separator) -> Stems:
        """From the object on disk to its stems beside it. Meanwhile, and no longer, the separator can reach them."""
        scratch = self._stages.fetch.scratch
        with scratch.lent(track, separator.folder) as lent, scratch.room_beside(lent.path) as room:
            separation = self._separate(run, lent, separator, room).separation
        return Stems(track=track, separation=separation.in_folder(track.folder))

    def to_result(self, run: JobRun, stems: Stems) -> Done:
        """From the stems to the result that names their objects."""
        stored = self._through(run, Stage.STORE, lambda: self._stages.store(stems, run.timings_s))
        if reuse := self._stages.reuse:  # the result does not wait for that
            run.afterwards.append(lambda: reuse.add_to_index(stems.track, stored))
        return self._result(run, stored)

    def _identify(self, run: JobRun, request: SeparationRequest) -> None:
        """Under a proper id the job can be found in the logs, and be cancelled."""
        run.tenant = request.tenant
        if REQUEST_ID.fullmatch(request.request_id):
            run.identify(request.request_id)
            sent_at = run.attempt.retry_state.timestamp
            self._cancel_registry.begin(request.request_id, sent_at, run.attempt.cancellation)

    def _copied(self, run: JobRun, track: LocalTrack, weights_sha256: str) -> StoredStems | None:
        """Copies of what another request with the same content has; None where there is nothing to copy."""
        reuse, store = self._stages.reuse, self._stages.store
        if reuse is None:
            return None
        reusable = self._through(run, Stage.REUSE, lambda: reuse.find(track, weights_sha256))
        if reusable is None:
            return None
        copied = self._through(run, Stage.COPY, lambda: store.copy(track, reusable, run.timings_s))
        run.afterwards.append(lambda: reuse.note_content(track))
        return copied

    def _result(self, run: JobRun, stored: StoredStems) -> Done:
        run.stage = Stage.PUBLISH
        stages, attempt = self._stages, run.attempt.retry_state.attempt
        return self._runner.encode(
            run, lambda: stages.audit.of_result(run, stages.encode_outcome.result(stored, attempt))
        )


def _remove(folder: Path) -> None:
    with suppress(OSError):  # it goes with the replica
        remove_folder(folder)
