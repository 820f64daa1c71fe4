import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.adapters.avro.codec import MAX_VALUE_BYTES, AvroCodec, load_schema
from consumer.adapters.avro.writers import parse_writers
from consumer.core.errors import Code, Rejected
from consumer.core.events import Event, SeparationRequest
from harness.fakes import FakeRegistry, a_request
from tests.property.events import EVENTS, WORDS, values

REQUEST = load_schema("separation_request")
SINGLE_OBJECT = AvroCodec()
CONFLUENT = AvroCodec(FakeRegistry({1: REQUEST}))
BOTH = pytest.mark.parametrize("codec", [SINGLE_OBJECT, CONFLUENT], ids=["single_object", "confluent"])
FRAMES = {"single_object": SINGLE_OBJECT.encode(a_request())[:10], "confluent": b"\x00\x00\x00\x00\x01"}
UNREADABLE = {Code.AVRO_UNDECODABLE, Code.SCHEMA_UNKNOWN}


def outcome(codec: AvroCodec, value: bytes) -> SeparationRequest | Code:
    """What comes of some bytes; any exception but Rejected fails the test."""
    try:
        return codec.decode_request(value)
    except Rejected as rejected:
        return rejected.code


@BOTH
@given(event=EVENTS)
def test_what_is_written_is_read(codec: AvroCodec, event: Event) -> None:
    """Decoding the encoding of any event gives that event, in both wire formats."""
    assert codec.decode(type(event), codec.encode(event)) == event


@given(event=values(SeparationRequest))
def test_both_formats_are_read_whichever_is_written(event: SeparationRequest) -> None:
    """A codec with a registry also reads single-object encoding; one without it says that it knows no ids."""
    assert CONFLUENT.decode_request(SINGLE_OBJECT.encode(event)) == event
    assert outcome(SINGLE_OBJECT, CONFLUENT.encode(event)) == Code.SCHEMA_UNKNOWN


@BOTH
@given(value=st.binary(max_size=200))
@example(b"")
@example(b"\x00")
@example(b"\xc3\x01")
@example(FRAMES["single_object"])
@example(FRAMES["confluent"])
@example(b'{"request_id": "r"}')
def test_strange_bytes_are_rejected(codec: AvroCodec, value: bytes) -> None:
    """Bytes that nobody encoded end as a rejection that says that they can't be read."""
    assert outcome(codec, value) in UNREADABLE


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@given(body=st.binary(max_size=200))
@example(b"\xff" * 11)  # a varint that does not end
@example(b"\x80" * 200)
@example(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")  # a string's length: the least long there is
@example(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01")  # and the largest
def test_strange_bodies_never_break_the_decoder(frame: bytes, body: bytes) -> None:
    """Whatever stands behind a valid frame is a request or a rejection, and never another error."""
    assert isinstance(outcome(CONFLUENT, frame + body), SeparationRequest | Code)


@BOTH
@given(event=values(SeparationRequest), data=st.data())
def test_every_truncation_is_rejected(codec: AvroCodec, event: SeparationRequest, data: st.DataObject) -> None:
    """No proper beginning of an encoded request is one."""
    value = codec.encode(event)
    assert outcome(codec, value[: data.draw(st.integers(0, len(value) - 1))]) in UNREADABLE


@BOTH
@given(event=values(SeparationRequest), behind=st.binary(min_size=1, max_size=20))
def test_trailing_bytes_are_rejected(codec: AvroCodec, event: SeparationRequest, behind: bytes) -> None:
    """Bytes behind the value's end mean that it was not what its frame says."""
    assert outcome(codec, codec.encode(event) + behind) == Code.AVRO_UNDECODABLE


@BOTH
@given(event=values(SeparationRequest), data=st.data())
def test_mutations_never_break_the_decoder(codec: AvroCodec, event: SeparationRequest, data: st.DataObject) -> None:
    """An encoded request with some bytes replaced is a request or a rejection, and never another error."""
    value = bytearray(codec.encode(event))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(outcome(codec, bytes(value)), SeparationRequest | Code)


def test_a_record_that_is_too_large_is_not_looked_at() -> None:
    """What is larger than a record may be is rejected before it is decoded."""
    assert outcome(SINGLE_OBJECT, SINGLE_OBJECT.encode(a_request(tenant="x" * MAX_VALUE_BYTES))) == (
        Code.AVRO_UNDECODABLE
    )


EMPTY = {"type": "record", "name": "Empty", "fields": []}


def record_of(type_: Any, **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "A", "fields": [{"name": "x", "type": type_}], **more}


@pytest.mark.parametrize(
    "schema",
    [
        record_of(["null", "A"]),
        record_of(["null", "A"], name="ns.A"),
        record_of(["null", "ns.A"], namespace="ns"),
        record_of(record_of(["null", "ns.B"], name="B"), namespace="ns"),
        record_of({"type": "array", "items": "A"}),
        record_of({"type": "map", "values": "A"}),
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "null"}},
        {"type": "array", "items": EMPTY},
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
        {"type": "map", "values": {"type": "array", "items": record_of("null")}},
        record_of(
            EMPTY, fields=[{"name": "e", "type": EMPTY}, {"name": "l", "type": {"type": "array", "items": "Empty"}}]
        ),
    ],
    ids=json.dumps,
)
def test_dangerous_schemas_are_refused(schema: Any) -> None:
    """A writer's schema that is recursive, or repeats items that take no bytes, is never read by."""
    with pytest.raises(Rejected) as caught:
        parse_writers(schema)
    assert caught.value.code == Code.SCHEMA_UNKNOWN
    assert "recursive" in caught.value.message or "no bytes" in caught.value.message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | WORDS | st.sampled_from(["record", "array", "map", "null", "A"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "name", "fields", "items", "values", "default"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.binary(max_size=20),
)
def test_whatever_a_registry_returns_is_survived(schema: Any, body: bytes) -> None:
    """A registry's answer that is no schema, or none of a request, ends as a rejection."""
    assert isinstance(outcome(AvroCodec(FakeRegistry({1: schema})), FRAMES["confluent"] + body), Code)


@given(values(SeparationRequest))
def test_a_later_writer_is_understood(event: SeparationRequest) -> None:
    """A request whose writer's schema has a further field with a default is read as if it had not."""
    later = {**REQUEST, "fields": [*REQUEST["fields"], {"name": "mood", "type": "string", "default": "calm"}]}
    body = SINGLE_OBJECT.encode(event)[10:] + b"\x0acheer"
    assert AvroCodec(FakeRegistry({1: later})).decode_request(FRAMES["confluent"] + body) == event
