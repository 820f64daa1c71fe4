"""What the gateway shows of a job is what its client reads: the events of Kafka, field for field."""

import json
from dataclasses import fields
from datetime import UTC, datetime

import msgspec
import pytest

from consumer.client.http.documents import JobView, parse
from consumer.core.events import (
    DeadLetter,
    Event,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
    SourceObject,
    SourceUsed,
    Stem,
)
from consumer.gateway.bodies import Separation
from consumer.gateway.index.entry import Ended, JobEntry, JobState
from consumer.gateway.index.interpret import asked, failure_document, result_document
from consumer.gateway.views import Document, job_document

AT = datetime(2026, 11, 2, 10, 0, 7, 250_000, tzinfo=UTC)
REQUEST = SeparationRequest(
    request_id="r1", source=SourceObject(bucket="music", key="a.mp3"), tenant="t1", metadata={"user": "ü"}
)
RESULT = SeparationResult(
    request_id="r1",
    source=SourceUsed(
        bucket="music", key="a.mp3", version_id="v", etag="e", format="mp3", duration_s=3.25, channels=2,
        sample_rate_hz=48000, track=1,
    ),
    model="2stems-16kHz",
    weights_sha256="ab" * 32,
    stems=(
        Stem(
            name="vocals", bucket="stems", key="stems/t1/r1/vocals.wav", size_bytes=7, sha256="cd" * 32,
            duration_s=3.25, peak=1.0000001, loudness_lufs=-14.2, clipped_samples=3, crc32=9,
        ),
    ),
    timings_s={"fetch": 0.1},
    attempt=2,
    deduplicated=True,
    metadata={"user": "ü"},
    completed_at=AT,
    warnings=("a cover picture",),
    tenant="t1",
)  # fmt: skip


def entry(state: JobState = JobState.QUEUED, document: object = None) -> JobEntry:
    """A job that was asked for, and has perhaps ended."""
    queued = JobEntry.of_request(asked(REQUEST, partition=0, offset=0, at_ms=1_000))
    if document is None:
        return queued
    told = msgspec.json.encode(document)
    return queued.ended(
        Ended(
            request_id="r1", state=state, tenant="t1", fingerprint=None, document=told, partition=0, offset=0,
            at_ms=2_000,
        )
    )  # fmt: skip


def sent(document: Document) -> JobView:
    """As it goes over the wire; OpenAPI's description takes it too."""
    Separation.model_validate(document)
    return parse(json.dumps(document).encode(), JobView)


def set_fields(event: Event) -> set[str]:
    """Those that differ from their defaults: a test that sets none would see nothing."""
    default = type(event)()
    return {each.name for each in fields(event) if getattr(event, each.name) != getattr(default, each.name)}


def test_a_result() -> None:
    """Each field of a result comes through, none left at its default; a running job's outcome is none."""
    assert set_fields(RESULT) == {each.name for each in fields(SeparationResult)}
    view = sent(job_document(entry(JobState.SUCCEEDED, result_document(RESULT))))
    assert view.outcome() == RESULT
    assert sent(job_document(entry())).outcome() is None


@pytest.mark.parametrize(("state", "code"), [(JobState.FAILED, "AUDIO_EMPTY"), (JobState.CANCELLED, "CANCELLED")])
def test_a_dead_letter(state: JobState, code: str) -> None:
    """What it says of the failure comes through; the record as it came is not told over HTTP."""
    letter = DeadLetter(request_id="r1", code=code, message="no sound", stage="separate", attempts=3, failed_at=AT)
    view = sent(job_document(entry(state, failure_document(letter))))
    assert (view.state, view.outcome()) == (state.value, letter)


@pytest.mark.parametrize("total", [16, None])
def test_progress(total: int | None) -> None:
    """But for the replica's name, which is nobody's business outside."""
    progress = SeparationProgress(
        request_id="r1", stage="separate", segments_done=4, segments_total=total, attempt=2, at=AT
    )
    assert sent(job_document(entry(), progress)).latest() == progress
    assert sent(job_document(entry())).latest() is None
    ended = job_document(entry(JobState.SUCCEEDED, result_document(RESULT)), progress)
    assert sent(ended).latest() is None
