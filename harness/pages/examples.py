"""Events as they might come, for pages that show them."""

from datetime import UTC, datetime

import msgspec

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code
from consumer.core.events import (
    DeadLetter,
    Event,
    Header,
    OutputOptions,
    SeparationRequest,
    SeparationResult,
    SourceObject,
    SourceUsed,
    Stem,
)

_AT = datetime(2026, 11, 20, 9, 30, 12, 345000, tzinfo=UTC)
_REQUEST = SeparationRequest(
    request_id="track-1",
    source=SourceObject(bucket="music", key="song.mp3"),
    output=OutputOptions(format="flac"),
    requested_at=_AT,
    metadata={"album": "17"},
)


def example_request() -> SeparationRequest:
    """A request as it might come."""
    return _REQUEST


def example_result() -> SeparationResult:
    """A result as it might come."""
    return SeparationResult(
        request_id=_REQUEST.request_id,
        source=SourceUsed(
            bucket="music",
            key="song.mp3",
            etag="9b2cf535f27731c974343645a3985328",
            format="mp3",
            duration_s=212.4,
            channels=2,
            sample_rate_hz=48000,
        ),
        model=_REQUEST.model,
        weights_sha256="0f5a" * 16,
        stems=tuple(
            Stem(
                name=name,
                bucket="stems",
                key=f"stems/track-1/{name}.flac",
                size_bytes=size_bytes,
                sha256=digest * 32,
                duration_s=212.4,
                peak=peak,
                loudness_lufs=loudness_lufs,
            )
            for name, size_bytes, digest, peak, loudness_lufs in (
                ("vocals", 14_220_518, "3c", 0.81, -17.2),
                ("accompaniment", 21_903_377, "a7", 0.97, -11.9),
            )
        ),
        timings_s={"decode": 0.0002, "fetch": 0.04, "separate": 4.31, "store": 0.22},
        metadata=_REQUEST.metadata,
        completed_at=_AT,
    )


def example_dead_letter() -> DeadLetter:
    """A dead letter as it might come."""
    return DeadLetter(
        request_id=_REQUEST.request_id,
        code=Code.OBJECT_NOT_FOUND,
        message="there is no 'song.mp3' in music",
        stage="fetch",
        attempts=1,
        original_key=_REQUEST.request_id.encode(),
        original_value=AvroCodec().encode(_REQUEST),
        original_headers=(Header(key="traceparent", value=b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),),
        topic="separation.requests",
        partition=3,
        offset=1742,
        timestamp=_AT,
        failed_at=_AT,
        consumer_version="0.1.0",
    )


def as_json(event: Event) -> str:
    """As `spleeter-consumer watch` prints it, with line breaks."""
    text = msgspec.json.format(msgspec.json.encode({type(event).__name__: event}), indent=2).decode()
    return f"```json\n{text}\n```\n"
