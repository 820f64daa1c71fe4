"""A job as the gateway shows it, and the values that it stands for over Kafka: each written down by hand."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from consumer.core.events import DeadLetter, SeparationResult, SourceUsed, Stem

ID = "Zq3-_9"
PLACE = f"/v1/separations/{ID}"
CONTENTS = {"vocals": bytes(range(256)) * 900, "accompaniment": b"RIFF" + bytes(70_001)}
QUEUED: dict[str, Any] = {
    "id": ID, "state": "queued", "done": False, "stage": None, "progress": None, "attempt": 1,
    "metadata": {"user": "ü"}, "request": {"model": "2stems"},
    "times": {"accepted_at": "2026-11-02T10:00:00.120Z", "changed_at": "2026-11-02T10:00:00.120Z"},
}  # fmt: skip
RUNNING = QUEUED | {
    "state": "running", "stage": "separate", "progress": 0.25, "attempt": 2,
    "segments": {"done": 4, "total": 16, "at": "2026-11-02T10:00:03.500Z"},
    "eta": {"seconds": 9, "low": 6, "high": 20.5}, "queue": {"ahead": 0, "separators": 1, "reason": None},
}  # fmt: skip
_STEMS = [
    {
        "name": name, "bucket": "stems", "key": f"stems/{ID}/{name}.wav", "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(), "duration_s": 3, "peak": 1.25, "loudness_lufs": None,
        "clipped_samples": 2, "crc32": 7,
    }
    for name, content in CONTENTS.items()
]  # fmt: skip
SUCCEEDED = QUEUED | {
    "state": "succeeded", "done": True, "progress": 1.0, "a_later_field": [1],
    "result": {
        "source": {"bucket": "music", "key": "song.mp3", "version_id": None, "etag": "e", "format": "mp3",
                   "duration_s": 3.0, "channels": 2, "sample_rate_hz": 44100, "track": 0},
        "model": "2stems", "weights_sha256": "ab", "stems": _STEMS, "timings_s": {"fetch": 0.5}, "attempt": 2,
        "deduplicated": False, "warnings": ["cover"], "tenant": "t1", "completed_at": "2026-11-02T10:00:07.250Z",
        "a_later_field": 1,
    },
}  # fmt: skip
RESULT = SeparationResult(
    request_id=ID,
    source=SourceUsed(
        bucket="music", key="song.mp3", etag="e", format="mp3", duration_s=3.0, channels=2, sample_rate_hz=44100
    ),
    model="2stems",
    weights_sha256="ab",
    stems=tuple(
        Stem(
            name=name,
            bucket="stems",
            key=f"stems/{ID}/{name}.wav",
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            duration_s=3.0,
            peak=1.25,
            clipped_samples=2,
            crc32=7,
        )
        for name, content in CONTENTS.items()
    ),
    timings_s={"fetch": 0.5},
    attempt=2,
    metadata={"user": "ü"},
    completed_at=datetime(2026, 11, 2, 10, 0, 7, 250_000, tzinfo=UTC),
    warnings=("cover",),
    tenant="t1",
)
FAILED = QUEUED | {
    "state": "failed", "done": True,
    "error": {"code": "OBJECT_NOT_FOUND", "message": "no such object", "stage": "fetch", "attempts": 3,
              "failed_at": "2026-11-02T10:00:07.250Z"},
}  # fmt: skip
LETTER = DeadLetter(
    request_id=ID,
    code="OBJECT_NOT_FOUND",
    message="no such object",
    stage="fetch",
    attempts=3,
    failed_at=datetime(2026, 11, 2, 10, 0, 7, 250_000, tzinfo=UTC),
)
