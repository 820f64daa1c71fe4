"""Made-up records in both wire formats: each is an event, or a rejection with one of two codes, and nothing else."""

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.adapters.avro.codec import AvroCodec, load_earlier, load_schema, packaged_schemas
from consumer.core.errors import Code, Rejected
from consumer.core.events import SCHEMA_FILES, Event, SeparationRequest
from harness.fakes import FakeRegistry, a_request
from tests.property.events import EVENTS

REQUEST = load_schema("separation_request")
LATER = {
    **REQUEST,
    "fields": [
        *REQUEST["fields"],
        {"name": "more", "type": {"type": "array", "items": {"type": "map", "values": ["null", "bytes"]}}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
    ],
}
OURS = [
    schema for name in SCHEMA_FILES.values() for schema in (load_schema(name), *load_earlier(name, packaged_schemas()))
]
KNOWN = dict(enumerate([*OURS, LATER]))
PLAIN, CODEC = AvroCodec(), AvroCodec(FakeRegistry(KNOWN))
FRAMES = [PLAIN.encode(a_request())[:10], *(b"\0" + number.to_bytes(4, "big") for number in KNOWN)]
# Lengths and counts that mean something, among bytes that need not.
PIECES = st.sampled_from(
    [b"\0", b"\1", b"\2", b"\x80" * 9 + b"\1", b"\xff" * 9 + b"\1", b"\xff" * 10, b"\x80\x80\x80\x80\x20", b"a" * 64]
)
BODIES = st.lists(PIECES | st.binary(max_size=12), max_size=24).map(b"".join)


def outcome(kind: type[Event], value: bytes) -> Event | Code:
    """Any exception but Rejected fails the test."""
    try:
        return CODEC.decode(kind, value)
    except Rejected as rejected:
        return rejected.code


@pytest.mark.attack
@given(st.sampled_from(list(SCHEMA_FILES)), st.sampled_from([b"", b"\xc3\x01", b"\0", *FRAMES]), BODIES)
def test_whatever_a_record_holds(kind: type[Event], frame: bytes, body: bytes) -> None:
    """Frames of both formats, by schemas that are ours, were, or are somebody's, before bytes of any kind."""
    assert isinstance(outcome(kind, frame + body), kind | Code)


@pytest.mark.attack
@given(EVENTS, st.data())
def test_events_that_were_tampered_with(event: Event, data: st.DataObject) -> None:
    """Bytes of a sound event replaced, left out, doubled, and read as any other kind."""
    value = bytearray(PLAIN.encode(event))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(PIECES | st.binary(max_size=4))
    kind = data.draw(st.sampled_from(list(SCHEMA_FILES)))
    assert isinstance(outcome(kind, bytes(value)), kind | Code)


@given(st.binary(max_size=40), st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.binary(max_size=5))))
def test_a_strangers_further_fields_are_passed_over(tail: bytes, more: list[dict[str, bytes | None]]) -> None:
    """What fastavro wrote by a later schema is read as ours, whatever is in the fields that we don't know."""
    body = io.BytesIO()
    written: Any = fastavro.schemaless_reader(io.BytesIO(PLAIN.encode(a_request())[10:]), REQUEST, REQUEST)
    fields = {"more": more, "kind": "B", "hash": (tail + b"1234")[:4]}
    fastavro.schemaless_writer(body, fastavro.parse_schema(LATER), {**written, **fields})
    value = b"\0" + len(OURS).to_bytes(4, "big") + body.getvalue()
    assert outcome(SeparationRequest, value) == a_request()
