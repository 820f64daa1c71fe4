"""Made-up schemas, as anybody may register them: each is read by, or refused, and nothing else."""

import io
import json
from typing import Any

import avro.errors
import avro.io
import avro.schema
import fastavro
import fastavro.utils
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.adapters.avro.body_check import check_body
from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.avro.evolution import obstacles
from consumer.adapters.avro.references import inlined
from consumer.adapters.avro.schema_text import schema_of
from consumer.adapters.avro.shapes import MAX_NODES, read_schema
from consumer.adapters.avro.writers import parse_writers
from consumer.core.errors import Code, Rejected
from consumer.core.events import SeparationRequest
from harness.avro_attacks import with_extra
from harness.fakes import FakeRegistry
from tests.property.schemas import TYPES

NAMES = st.sampled_from(["A", "B", "C", "a.A", "separation.v1.B", "SeparationRequest", "", "long", "1", ".", "a..b"])
PRIMITIVES = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])
MARKS = st.sampled_from(["__fastavro_parsed", "__named_schemas", "__x", "default", "aliases", "logicalType", "doc"])
ANYTHING = st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | NAMES


def _types(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Types of these, often sound ones: what is wrong with the others lies in a place of its own."""
    fields = st.lists(st.fixed_dictionaries({"name": NAMES, "type": inner}, optional={"default": ANYTHING}), max_size=4)
    named = {"name": NAMES, "namespace": NAMES}
    sound = (
        st.fixed_dictionaries({"type": st.sampled_from(["record", "error"]), "name": NAMES, "fields": fields})
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries({"type": st.just("map"), "values": inner})
        | st.fixed_dictionaries({"type": inner})
        | st.fixed_dictionaries({"type": st.just("enum"), "symbols": st.lists(NAMES, max_size=3)}, optional=named)
        | st.fixed_dictionaries({"type": st.just("fixed"), "size": st.integers(-1, 2**40)}, optional=named)
        | st.lists(inner, max_size=4)
    )
    keys = st.sampled_from(["type", "name", "fields", "items", "values", "size", "symbols"]) | MARKS
    return sound | st.dictionaries(keys, inner | ANYTHING, max_size=4)


SCHEMAS = st.recursive(PRIMITIVES | NAMES | ANYTHING, _types, max_leaves=15)


REGISTRY = FakeRegistry()
CODEC = AvroCodec(REGISTRY)


def outcome(value: bytes) -> SeparationRequest | Code:
    try:
        return CODEC.decode_request(value)
    except Rejected as rejected:
        return rejected.code


def refusal(schema: Any) -> Rejected | None:
    """What `read_schema` raises of it; any other error fails the test."""
    try:
        read_schema(schema)
    except Rejected as rejected:
        return rejected
    return None


@pytest.mark.attack
@given(SCHEMAS, SCHEMAS, st.binary(max_size=30))
def test_whatever_somebody_registers(schema: Any, other: Any, body: bytes) -> None:
    """By itself, as a field of a request, and with what another subject defines: a code, or a request."""
    try:
        whole = inlined(schema, [other])
    except Rejected:
        whole = schema
    for each in (schema, whole, with_extra(schema)):
        schema_id = len(REGISTRY.schemas) + 1
        REGISTRY.schemas[schema_id] = each
        found = outcome(b"\0" + schema_id.to_bytes(4, "big") + body)
        assert isinstance(found, SeparationRequest) or found in (
            Code.SCHEMA_UNKNOWN, Code.AVRO_UNDECODABLE, Code.REQUEST_INVALID,
        )  # fmt: skip
        obstacles(load_schema("separation_request"), each)


@pytest.mark.attack
@given(SCHEMAS)
def test_what_is_taken_is_bounded_and_plain(schema: Any) -> None:
    """What passes holds so many parts at most, written out, and no key but those that values are read by."""
    if refused := refusal(schema):
        assert refused.code == Code.SCHEMA_UNKNOWN
        assert refused.message.isprintable()
        return
    read = read_schema(schema)
    assert read.shape.nodes <= MAX_NODES
    text = json.dumps(read.schema)
    assert not [mark for mark in ("__", "default", "aliases", "logicalType", "doc") if f'"{mark}' in text]
    assert parse_writers(schema).shape == read.shape


@given(TYPES, st.data())
def test_what_was_written_by_it_passes(schema: Any, data: st.DataObject) -> None:
    """Values that fastavro makes and writes by a sensible schema are of its shape, to the last byte."""
    parsed = parse_writers(schema)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed.parsed, fastavro.utils.generate_one(parsed.parsed))
    assert parsed.shape
    check_body(parsed.shape, out.getvalue())
    with pytest.raises(Rejected):
        check_body(parsed.shape, out.getvalue()[: data.draw(st.integers(0, out.tell() - 1))])
    with pytest.raises(Rejected):
        check_body(parsed.shape, out.getvalue() + b"\0")


@given(SCHEMAS | TYPES, st.binary(max_size=40))
def test_apaches_own_library_agrees_on_the_bytes(schema: Any, body: bytes) -> None:
    """What the walk takes for a value, Apache's library reads to the same end; where that can read the schema too."""
    try:
        read = read_schema(schema)
        theirs = avro.schema.parse(json.dumps(read.schema))
        check_body(read.shape, body)
    except (Rejected, avro.errors.AvroException):
        return
    stream = io.BytesIO(body)
    try:
        avro.io.DatumReader(theirs).read(avro.io.BinaryDecoder(stream))
    except UnicodeDecodeError:  # it makes text of it
        return
    assert stream.read() == b""


@pytest.mark.attack
@given(st.text(max_size=60) | st.text('[]{}":,\\ 0tn', max_size=200))
def test_whatever_text_is_registered(text: str) -> None:
    """It is JSON as Python reads it, or refused."""
    try:
        found = schema_of(text, "it")
    except Rejected:
        with pytest.raises((ValueError, RecursionError)):
            json.loads(text)
        return
    assert json.dumps(found) == json.dumps(json.loads(text))
