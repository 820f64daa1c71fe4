"""Requests of writers whose schemas are not ours: what is expected is Avro's specification ("Schema Resolution"), and
what Apache's own library reads."""

import copy
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import avro.errors
import avro.io
import avro.schema
import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code, Rejected
from consumer.core.events import EPOCH, SeparationRequest, SourceObject
from harness.fakes import a_request
from tests.schemas.writers import REQUEST, read, with_field, without_logical_types, written

STRING_FIELDS = ("request_id", "model", "high_frequencies", "tenant")
ENUM = {"type": "enum", "name": "Word", "symbols": ["x", "y"]}
FIXED = {"type": "fixed", "name": "Six", "size": 6}
SOURCE = next(field["type"] for field in REQUEST["fields"] if field["name"] == "source")
OUTPUT = next(field["type"] for field in REQUEST["fields"] if field["name"] == "output")


def renamed(old: str, new: str, **more: Any) -> dict[str, Any]:
    fields = [
        {**field, "name": new, **more} if field["name"] == old else field for field in copy.deepcopy(REQUEST["fields"])
    ]
    return {**REQUEST, "fields": fields}


class Row(NamedTuple):
    """The writer's schema, what it writes beside defaults, and what differs from a request of defaults: None where Avro
    has no rule by which that can be read."""

    schema: Any
    writes: dict[str, Any]
    reads: dict[str, Any] | None


def strings() -> Iterator[tuple[str, Row]]:
    """Each way to write a field that is a string to us."""
    for name in STRING_FIELDS:
        decimal = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
        uuid = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"  # as it is written, not as some library would write it
        yield f"{name} as bytes", Row(with_field(name, "bytes"), {name: b"r"}, {name: "r"})
        yield f"{name} as a decimal", Row(with_field(name, decimal), {name: b"r"}, {name: "r"})
        yield f"{name} as bytes that are no text", Row(with_field(name, "bytes"), {name: b"\xff\xfe"}, None)
        yield f"{name} as an enum", Row(with_field(name, ENUM), {name: "x"}, None)
        yield f"{name} as a fixed", Row(with_field(name, FIXED), {name: b"abcdef"}, None)
        yield f"{name} as a number", Row(with_field(name, "long"), {name: 1}, None)
        yield (
            f"{name} as a UUID",
            Row(with_field(name, {"type": "string", "logicalType": "uuid"}), {name: uuid}, {name: uuid}),
        )
        yield (
            f"{name} as a string of Java's",
            Row(with_field(name, {"type": "string", "avro.java.string": "String"}), {name: "r"}, {name: "r"}),
        )


def numbers() -> Iterator[tuple[str, Row]]:
    """Each way to write a field that is a double to us."""
    for name in ("start_s", "duration_s"):
        for type_, value in (("int", 7), ("long", 2**40), ("float", 1.5), ("double", 0.1), ("null", None)):
            yield f"{name} as {type_}", Row(with_field(name, type_), {name: value}, {name: value})
        for logical in (
            {"type": "int", "logicalType": "time-millis"},
            {"type": "long", "logicalType": "timestamp-micros"},
        ):
            yield f"{name} as {logical}", Row(with_field(name, logical), {name: 7}, {name: 7.0})
        yield f"{name} as int or null", Row(with_field(name, ["int", "null"]), {name: 7}, {name: 7.0})
        yield f"{name} as a string", Row(with_field(name, "string"), {name: "7"}, None)
        yield f"{name} as a boolean", Row(with_field(name, "boolean"), {name: True}, None)


def unions() -> Iterator[tuple[str, Row]]:
    """Unions where we have none, none where we have one, and others."""
    flac = {"format": "flac", "bucket": None, "prefix": None, "bitrate": None}
    text = {"type": "map", "values": "string"}
    yield "tenant never null", Row(with_field("tenant", "string"), {"tenant": "t"}, {"tenant": "t"})
    yield "tenant always null", Row(with_field("tenant", "null"), {"tenant": None}, {})
    yield "tenant or null", Row(with_field("tenant", ["string", "null"]), {"tenant": "t"}, {"tenant": "t"})
    yield "tenant of many types", Row(with_field("tenant", ["int", "null", "string"]), {"tenant": "t"}, {"tenant": "t"})
    yield "tenant a number of them", Row(with_field("tenant", ["int", "null", "string"]), {"tenant": 1}, None)
    yield "null where none may be", Row(with_field("model", ["null", "string"]), {"model": None}, None)
    yield (
        "a union where we have none",
        Row(with_field("model", ["null", "string"]), {"model": "4stems"}, {"model": "4stems"}),
    )
    yield "an inner record in a union", Row(with_field("output", ["null", OUTPUT]), {"output": flac}, {"output": flac})
    yield (
        "metadata in a union",
        Row(with_field("metadata", ["null", text]), {"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
    )
    for type_, value in (("bytes", b"b"), (["null", "string"], "b"), ("string", "b")):
        schema = with_field("metadata", {"type": "map", "values": type_})
        yield f"metadata of {type_}", Row(schema, {"metadata": {"a": value}}, {"metadata": {"a": "b"}})
    yield (
        "metadata of numbers",
        Row(with_field("metadata", {"type": "map", "values": "int"}), {"metadata": {"a": 1}}, None),
    )


def names() -> Iterator[tuple[str, Row]]:
    """Names, namespaces, aliases, and fields that one side alone has.

    Records match by their unqualified names; a field's aliases count in the reader's schema."""
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    around = [
        {"name": "a", "type": {"type": "array", "items": "long"}},
        *REQUEST["fields"],
        {"name": "z", "type": ["null", decimal]},
    ]
    region = {**SOURCE, "fields": [*SOURCE["fields"][:2], {"name": "region", "type": "string"}]}
    yield "our own", Row(REQUEST, {}, {})
    yield "another namespace", Row({**REQUEST, "namespace": "com.example"}, {}, {})
    yield "no namespace", Row({name: REQUEST[name] for name in REQUEST if name != "namespace"}, {}, {})
    yield "a full name", Row({**REQUEST, "name": "com.example.SeparationRequest"}, {}, {})
    yield "an inner namespace", Row(with_field("source", {**SOURCE, "namespace": "com.example"}), {}, {})
    yield "an inner record of another name", Row(with_field("source", {**SOURCE, "name": "Where"}), {}, None)
    yield "further fields", Row({**REQUEST, "fields": around}, {"a": [1, 2], "z": None}, {})
    yield "fields in another order", Row({**REQUEST, "fields": REQUEST["fields"][::-1]}, {}, {})
    yield "only what must be", Row({**REQUEST, "fields": REQUEST["fields"][:2]}, {}, {})
    yield "no request_id", Row({**REQUEST, "fields": REQUEST["fields"][1:]}, {}, None)
    yield "no source", Row({**REQUEST, "fields": [REQUEST["fields"][0], *REQUEST["fields"][2:]]}, {}, None)
    yield "an alias of the writer's", Row(renamed("tenant", "customer", aliases=["tenant"]), {"customer": "t"}, {})
    yield "an alias for what must be", Row(renamed("request_id", "id", aliases=["request_id"]), {"id": "r"}, None)
    yield (
        "another inner record",
        Row(with_field("source", region), {"source": {"bucket": "b", "key": "k", "region": "eu"}}, {}),
    )
    yield (
        "an impossible decimal",
        Row(with_field("model", {"type": "bytes", "logicalType": "decimal"}), {"model": b"2stems"}, {}),
    )
    yield (
        "another default",
        Row(with_field("model", "string", default="5stems"), {"model": "4stems"}, {"model": "4stems"}),
    )


ROWS = dict([*strings(), *numbers(), *unions(), *names()])
# Where Apache's library for Python has less than the specification: bytes are no strings to it, a record of another
# namespace is another one, and of a union it takes nothing where its own type is none.
LACKING = {
    "a union where we have none", "a full name", "an impossible decimal", "metadata of bytes",
    "metadata of ['null', 'string']", "another namespace", "no namespace", "an inner namespace",
    "an inner record in a union", "metadata in a union",
    *(f"{name} as {way}" for name in STRING_FIELDS for way in ("bytes", "a decimal")),
}  # fmt: skip


def expected(row: Row) -> dict[str, Any] | None:
    """The request as a dictionary, times as Avro's numbers."""
    default = SeparationRequest(request_id="r", source=SourceObject(bucket="b", key="k"))
    return None if row.reads is None else {**asdict(default), "requested_at": 0, **row.reads}


def apaches(schema: Any, body: bytes) -> dict[str, Any] | None:
    """What Apache's library reads by our schema; None where it finds that it can't."""
    try:
        writer, reader = (avro.schema.parse(json.dumps(each)) for each in (schema, without_logical_types(REQUEST)))
        value = avro.io.DatumReader(writer, reader).read(avro.io.BinaryDecoder(io.BytesIO(body)))
    except (avro.errors.AvroException, UnicodeDecodeError):
        return None
    assert isinstance(value, dict)
    return value


def outcome(row: Row) -> dict[str, Any] | None:
    """As `expected`, of what the service reads."""
    body = written(row.schema, **row.writes)
    try:
        request = read(row.schema, body)
    except Rejected as rejected:
        if rejected.code in (Code.SCHEMA_UNKNOWN, Code.AVRO_UNDECODABLE):
            return None
        raise
    return {**asdict(request), "requested_at": (request.requested_at - EPOCH).total_seconds() * 1000}


@pytest.mark.parametrize("name", ROWS)
def test_each_writer_is_read_by_avros_rules(name: str) -> None:
    """Promotions, unions, defaults, names and what is left out; what no rule makes ours is a rejection."""
    row = ROWS[name]
    assert outcome(row) == expected(row)


@pytest.mark.parametrize("name", [name for name in ROWS if name not in LACKING])
def test_apaches_own_library_reads_the_same(name: str) -> None:
    """What is expected here is what another implementation comes to."""
    row = ROWS[name]
    assert apaches(without_logical_types(row.schema), written(row.schema, **row.writes)) == expected(row)


def test_what_a_schema_says_of_itself_is_not_believed() -> None:
    """Marks by which fastavro knows schemas that it has parsed are no more than text in a writer's schema."""
    marked = {**REQUEST, "__fastavro_parsed": True, "__named_schemas": {"separation.v1.SourceObject": "null"}}
    body = AvroCodec().encode(a_request())[10:]
    assert read(marked, body) == a_request()
