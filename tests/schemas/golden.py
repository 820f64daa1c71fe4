"""Fully populated events and the bytes that each was ever written as: `python -m tests.schemas.golden` adds new ones.

golden/<schema>.<number>.hex holds one event's bytes. What stands there is never changed, since records of every
earlier schema lie in topics: where a schema has changed, its event gets another file with the next number.
"""

import textwrap
from datetime import UTC, datetime
from pathlib import Path

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.events import (
    SCHEMA_FILES,
    AuditEvent,
    DeadLetter,
    Event,
    Header,
    OutputOptions,
    SeparationControl,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
    SourceObject,
    SourceUsed,
    Stem,
)

FOLDER = Path(__file__).parent / "golden"
_FRAME_BYTES = 10  # Avro's mark and the schema's fingerprint
AT = datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
LATER = datetime(2030, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)

EVENTS: tuple[Event, ...] = (
    SeparationRequest(
        request_id="song-1_A",
        source=SourceObject(bucket="music", key="in/größe.mp3", version_id="v7", etag="9b2cf5"),
        model="4stems-16kHz",
        output=OutputOptions(bucket="stems", prefix="out/", format="mp3", bitrate="192k"),
        start_s=1.5,
        duration_s=30.25,
        high_frequencies="average",
        tenant="acme",
        deadline=LATER,
        requested_at=AT,
        metadata={"user": "ü"},
        track=3,
    ),
    SeparationResult(
        request_id="song-1_A",
        source=SourceUsed(
            bucket="music",
            key="in/a.mp3",
            version_id="v7",
            etag="9b2cf5",
            format="mp3",
            duration_s=30.25,
            channels=2,
            sample_rate_hz=48000,
            track=3,
        ),
        model="4stems-16kHz",
        weights_sha256="ab12",
        stems=(
            Stem(
                name="vocals",
                bucket="stems",
                key="out/song-1_A/vocals.mp3",
                size_bytes=5_000_000_000,
                sha256="cd34",
                duration_s=30.25,
                peak=1.25,
                loudness_lufs=-14.5,
                clipped_samples=3,
                crc32=0xFFFFFFFF,
            ),
            Stem(name="drums"),
        ),
        timings_s={"fetch": 0.125},
        attempt=2,
        deduplicated=True,
        metadata={"user": "ü"},
        completed_at=LATER,
        warnings=("the cover picture is left out: it can't be read",),
        tenant="acme",
    ),
    DeadLetter(
        request_id="song-1_A",
        code="OBJECT_NOT_FOUND",
        message="there is none",
        stage="fetch",
        attempts=4,
        original_key=b"song-1_A",
        original_value=b"\xc3\x01\x00",
        original_headers=(Header(key="trace", value=b"\xff"), Header(key="trace", value=None)),
        topic="separation.requests",
        partition=11,
        offset=5_000_000_000,
        timestamp=AT,
        failed_at=LATER,
        consumer_version="1.2.3",
    ),
    SeparationProgress(
        request_id="song-1_A",
        stage="separate",
        segments_done=3,
        segments_total=16,
        attempt=2,
        instance_id="replica-0",
        at=AT,
    ),
    SeparationControl(request_id="song-1_A", action="cancel", reason="changed my mind", issued_at=AT),
    AuditEvent(
        event_id="e-1",
        action="separation.requested",
        outcome="success",
        actor="key-1",
        tenant="acme",
        request_id="song-1_A",
        instance_id="gateway-0",
        details={"ip": "::1"},
        occurred_at=AT,
    ),
)


def files_of(kind: type[Event], folder: Path = FOLDER) -> list[Path]:
    """The event's files, the earliest first."""
    return sorted(folder.glob(f"{SCHEMA_FILES[kind]}.*.hex"), key=lambda path: int(path.suffixes[-2][1:]))


def read(path: Path) -> bytes:
    """The bytes that are written there."""
    return bytes.fromhex("".join(path.read_text().split()))


def keep(event: Event, folder: Path = FOLDER) -> Path | None:
    """Add the event's bytes, if there are none of its present schema yet; returns the new file."""
    written, kept = AvroCodec().encode(event), files_of(type(event), folder)
    if any(read(path)[:_FRAME_BYTES] == written[:_FRAME_BYTES] for path in kept):
        return None
    path = folder / f"{SCHEMA_FILES[type(event)]}.{len(kept) + 1}.hex"
    path.write_text("\n".join(textwrap.wrap(written.hex(), 104)) + "\n")
    return path


if __name__ == "__main__":
    for each in EVENTS:
        keep(each)
