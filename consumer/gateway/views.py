"""How a job is shown."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from consumer.core.events import SeparationProgress
from consumer.core.manifest import Manifest
from consumer.gateway.index.entry import JobEntry, JobState
from consumer.gateway.timestamps import iso_time

Document = dict[str, Any]


def job_document(entry: JobEntry, progress: SeparationProgress | None = None) -> Document:
    """A job of the index; a Separation in `bodies` says what the fields are."""
    asked: Document = json.loads(entry.request) if entry.request else {}
    outcome: Document | None = json.loads(entry.outcome) if entry.outcome else None
    has_ended = entry.state.has_ended
    document: Document = {
        "id": entry.request_id,
        "state": entry.state.value,
        "done": has_ended,
        "stage": None if has_ended or progress is None else progress.stage,
        "progress": 1.0 if entry.state is JobState.SUCCEEDED else _share(progress),
        "segments": None if has_ended else _segments(progress),
        "attempt": _attempt(outcome, progress),
        "metadata": asked.pop("metadata", {}),
        "request": asked or None,
        "times": {"accepted_at": iso_time(entry.accepted_ms / 1000), "changed_at": iso_time(entry.changed_ms / 1000)},
    }
    if has_ended:
        document["result" if entry.state is JobState.SUCCEEDED else "error"] = outcome
        document["times"]["ended_at"] = iso_time(entry.changed_ms / 1000)
    return document


def open_job_document(entry: JobEntry) -> Document:
    """A job that has not ended, as operators see it: whose it is, and where it waits."""
    return {
        "id": entry.request_id,
        "tenant": entry.tenant,
        "state": entry.state.value,
        "partition": entry.partition,
        "offset": entry.offset,
        "accepted_at": iso_time(entry.accepted_ms / 1000),
    }


def progress_document(progress: SeparationProgress) -> Document:
    """How far a job is, and no more of it."""
    return {
        "id": progress.request_id,
        "state": JobState.RUNNING.value,
        "done": False,
        "stage": progress.stage,
        "progress": _share(progress),
        "attempt": progress.attempt,
    }


def manifest_document(manifest: Manifest) -> Document:
    """A job of which only its stems are left: the topics have dropped it."""
    told = msgspec.to_builtins(manifest)
    shown = ("source", "model", "weights_sha256", "stems", "timings_s", "warnings", "completed_at")
    ended = told["completed_at"]
    return {
        "id": manifest.request_id,
        "state": JobState.SUCCEEDED.value,
        "done": True,
        "stage": None,
        "progress": 1.0,
        "attempt": 1,
        "metadata": {},
        "request": None,
        "result": {name: told[name] for name in shown} | {"deduplicated": True},
        "times": {"accepted_at": ended, "changed_at": ended, "ended_at": ended},
    }


def etag_of(document: Mapping[str, Any]) -> str:
    """A strong validator of what is answered."""
    return f'"{hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]}"'


def is_known(if_none_match: str | None, etag: str) -> bool:
    """Whether `If-None-Match` names this validator, strongly or weakly, or any."""
    given = {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
    return "*" in given or etag in given


def cursor_of(entry: JobEntry) -> str:
    """What stands for a place in a tenant's jobs, on any replica."""
    return base64.urlsafe_b64encode(f"{entry.accepted_ms}:{entry.request_id}".encode()).decode().rstrip("=")


def parse_cursor(text: str) -> tuple[int, str] | None:
    """What `cursor_of` made; None where it did not."""
    try:
        told = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        accepted_ms, _, request_id = told.partition(":")
        return int(accepted_ms), request_id
    except ValueError:
        return None


def _attempt(outcome: Document | None, progress: SeparationProgress | None) -> int:
    if outcome:
        return int(outcome.get("attempt") or outcome.get("attempts") or 1)
    return progress.attempt if progress else 1


def _share(progress: SeparationProgress | None) -> float | None:
    """Of the separating; what comes before it is short beside it."""
    if progress is None or not progress.segments_total:
        return None
    return round(min(1.0, progress.segments_done / progress.segments_total), 3)


def _segments(progress: SeparationProgress | None) -> Document | None:
    if progress is None:
        return None
    at_ms = round(progress.at.timestamp() * 1000)
    return {"done": progress.segments_done, "total": progress.segments_total, "at": iso_time(at_ms / 1000)}
