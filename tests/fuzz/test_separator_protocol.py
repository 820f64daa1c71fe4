"""Lines from a separator that was taken over: a reply within its bounds, or none, whatever stands in them."""

import contextlib
import io
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.separator.protocol import (
    MAX_REPLY_BYTES,
    Confined,
    Failed,
    Finished,
    Loaded,
    Needs,
    NotAReply,
    Progress,
    Reply,
    decode_reply,
)
from consumer.separator.replies import ReplyReader

TYPES = ("Alive", "Confined", "Failed", "Finished", "Loaded", "Needs", "Progress", "Stopped", "Separate", "x")
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([2**53, 2**63, 10**40])
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=1100)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner))
NAMES = st.sampled_from(
    ["job", "done", "total", "audio_s", "code", "message", "model", "seconds", "holds", "separation"]
)
GOOD: dict[str, Any] = {
    "type": "Finished",
    "job": 1,
    "separation": {
        "audio": {"format": "wav", "duration_s": 1.0, "channels": 2, "sample_rate_hz": 44100, "track": 0},
        "stems": [
            {
                "name": "vocals",
                "duration_s": 1.0,
                "peak": 0.5,
                "clipped_samples": 0,
                "loudness_lufs": -9.0,
                "overview": [],
            }
        ],
        "weights_sha256": "0" * 64,
        "warnings": [],
        "timings_s": {"separate": 1.0},
    },
}


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in ((*way, key), *places(inner, (*way, key)))]


def with_value(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    if not way:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[way[0]] = with_value(copy[way[0]], way[1:], new)
    return copy


def assert_bounded(reply: Reply) -> None:
    """Held against bounds that are written down here once more."""
    text = msgspec.to_builtins(reply)
    for way in [(), *places(text)]:
        value = text
        for step in way:
            value = value[step]
        if isinstance(value, int | float):
            assert math.isfinite(value)
            assert -1000 <= value <= 2**53
        elif isinstance(value, str):
            assert len(value) <= 1000
        elif isinstance(value, list | dict):
            assert len(value) <= 4096
    match reply:
        case Finished():
            audio = reply.separation.audio
            assert 1 <= audio.channels <= 64
            assert 1 <= audio.sample_rate_hz <= 768_000
            assert all("/" not in stem.name and "\0" not in stem.name for stem in reply.separation.stems)
        case Failed():
            assert reply.code not in ("CANCELLED", "MALWARE_FOUND", "RETRIES_EXHAUSTED", "DEADLINE_EXCEEDED")
        case Needs():
            assert reply.audio_s >= 0
        case Progress():
            assert reply.done >= 0
        case Confined() | Loaded():
            pass


def look_at(line: bytes) -> None:
    with contextlib.suppress(NotAReply):
        assert_bounded(decode_reply(line))


@given(st.binary(max_size=300))
def test_bytes(data: bytes) -> None:
    """Whatever bytes come, there is a reply or there is none; nothing else is raised."""
    look_at(data)
    look_at(data + b"\n")


@given(st.sampled_from(TYPES), st.dictionaries(NAMES, VALUES, max_size=5))
def test_messages(kind: str, fields: dict[str, Any]) -> None:
    """Messages of the protocol with any fields of any type."""
    look_at(msgspec.json.encode({"type": kind, **fields}) + b"\n")


@given(st.sampled_from(places(GOOD)), VALUES)
def test_reports(way: tuple[Any, ...], value: Any) -> None:
    """A report with another value in one place."""
    look_at(msgspec.json.encode(with_value(GOOD, way, value)) + b"\n")


@given(st.data())
def test_flipped_bits(data: st.DataObject) -> None:
    """A report with a byte that is another one, or cut off."""
    line = bytearray(msgspec.json.encode(GOOD) + b"\n")
    line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    look_at(bytes(line[: data.draw(st.integers(0, len(line)))]))


@given(st.lists(st.binary(max_size=50) | st.just(b'{"type":"Alive"}\n'), max_size=20), st.integers(0, 3))
def test_streams(parts: list[bytes], job: int) -> None:
    """What a reader takes from any stream are replies to the job at hand, and then it ends or says that it is none."""
    reader = ReplyReader(io.BytesIO(b"".join(parts)), ("2stems",))
    reader.expect(job)
    with contextlib.suppress(NotAReply):
        for reply in reader:
            assert getattr(reply, "job", None) in (None, job)


@given(st.integers(1, 3))
def test_one_line_is_never_longer(times: int) -> None:
    """A reader holds one line at a time, and none above its bound."""
    stream = io.BytesIO(b'{"type":"Alive"' + b" " * (times * MAX_REPLY_BYTES))
    reader = ReplyReader(stream, ())
    with pytest.raises(NotAReply):
        list(reader)
    assert stream.tell() <= MAX_REPLY_BYTES
