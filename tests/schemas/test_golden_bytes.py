"""What each event looks like on the wire. A change of these bytes is a change that readers in the field will meet."""

import textwrap
from datetime import UTC, datetime

import pytest

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
            ),
            Stem(name="drums"),
        ),
        timings_s={"fetch": 0.125},
        attempt=2,
        deduplicated=True,
        metadata={"user": "ü"},
        completed_at=LATER,
        warnings=("the cover picture is left out: it can't be read",),
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

GOLDEN: dict[type[Event], str] = {
    SeparationRequest: """
        c30191d403f99f8b722810736f6e672d315f410a6d757369631c696e2f6772c3b6c39f652e6d703302047637020c396232636635
        18347374656d732d31366b487a020a7374656d7302086f75742f066d703302083139326b02000000000000f83f02000000000040
        3e400e61766572616765020861636d65029ce2a4899c6ec6e0d9cbe96302087573657204c3bc00
    """,
    SeparationResult: """
        c301bbbecaff2ec8673210736f6e672d315f410a6d7573696310696e2f612e6d703302047637020c396232636635066d70330000
        000000403e400480ee0518347374656d732d31366b487a0861623132040c766f63616c730a7374656d732e6f75742f736f6e672d
        315f412f766f63616c732e6d703380c8afa02508636433340000000000403e40000000000000f43f020000000000002dc0060a64
        72756d730000000000000000000000000000000000000000000000020a6665746368000000000000c03f00040102087573657204
        c3bc009ce2a4899c6e025e74686520636f7665722070696374757265206973206c656674206f75743a2069742063616e27742062
        65207265616400
    """,
    DeadLetter: """
        c3014ffdfcc462d1e6a70210736f6e672d315f41204f424a4543545f4e4f545f464f554e441a7468657265206973206e6f6e650a
        6665746368080210736f6e672d315f410206c30100040a74726163650202ff0a747261636500002673657061726174696f6e2e72
        657175657374731680c8afa02502c6e0d9cbe9639ce2a4899c6e0a312e322e33
    """,
    SeparationProgress: """
        c3014c7a6dd01227ae4210736f6e672d315f4110736570617261746506022004127265706c6963612d30c6e0d9cbe963
    """,
    SeparationControl: """
        c3014da31a78b5294f0a10736f6e672d315f410c63616e63656c021e6368616e676564206d79206d696e64c6e0d9cbe963
    """,
    AuditEvent: """
        c301e27bb4f32264601d06652d312873657061726174696f6e2e7265717565737465640e737563636573730a6b65792d31020861
        636d650210736f6e672d315f4112676174657761792d3002046970063a3a3100c6e0d9cbe963
    """,
}


def test_there_is_a_golden_event_for_each_schema() -> None:
    """Each schema has its fully populated event here: no field of it has its default."""
    assert {type(event) for event in EVENTS} == set(SCHEMA_FILES)
    for event in EVENTS:
        blank = type(event)(**{name: getattr(event, name) for name in ("request_id", "source")[: _required(event)]})
        for name in list(event.__dataclass_fields__)[_required(event) :]:
            assert getattr(event, name) != getattr(blank, name) or name == "action", name


def _required(event: Event) -> int:
    return 2 if isinstance(event, SeparationRequest) else 0


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_golden_bytes(event: Event) -> None:
    """The event is written as exactly these bytes, and these bytes are read as exactly the event."""
    golden = bytes.fromhex("".join(GOLDEN[type(event)].split()))
    written = AvroCodec().encode(event)
    assert written == golden, "\n".join(textwrap.wrap(written.hex(), 104))
    assert AvroCodec().decode(type(event), golden) == event
