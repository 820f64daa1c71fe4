import io
import json
import types
import typing
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import fastavro
import pytest

from consumer.adapters.avro.codec import SINGLE_OBJECT_MARKER, AvroCodec, fingerprint, load_earlier, load_schema
from consumer.core.errors import Code, Rejected
from consumer.core.events import SCHEMA_FILES, Event, SeparationRequest, SourceObject
from harness.fakes import FakeRegistry

EVENTS = pytest.mark.parametrize("kind", SCHEMA_FILES, ids=lambda kind: kind.__name__)
TIME = {"type": "long", "logicalType": "timestamp-millis"}
AVRO_TYPES = {str: "string", bytes: "bytes", bool: "boolean", float: "double", datetime: TIME}
# The only fields that a writer has to fill.
REQUIRED = {
    "SeparationRequest": ("request_id", "source"),
    "SourceObject": ("bucket", "key"),
}


def records(schema: Any) -> list[dict[str, Any]]:
    """Every record schema in a schema, itself included."""
    if isinstance(schema, list):
        return [found for branch in schema for found in records(branch)]
    if not isinstance(schema, dict):
        return []
    inner = schema.get("fields", []) + [schema[k] for k in ("items", "values", "type") if k in schema]
    own = [schema] if schema.get("type") == "record" else []
    return own + [found for each in inner for found in records(each)]


def matches(avro: Any, python: Any) -> bool:
    """Whether an Avro type is how we write a Python type."""
    if isinstance(python, types.UnionType):
        inner, none = typing.get_args(python)
        return none is types.NoneType and isinstance(avro, list) and avro[0] == "null" and matches(avro[1], inner)
    if isinstance(python, type) and is_dataclass(python):
        return isinstance(avro, dict) and avro["type"] == "record" and avro["name"] == python.__name__
    if typing.get_origin(python) is tuple:
        return avro["type"] == "array" and matches(avro["items"], typing.get_args(python)[0])
    if typing.get_origin(python) is dict:
        key, value = typing.get_args(python)
        return key is str and avro["type"] == "map" and matches(avro["values"], value)
    return avro in ("int", "long") if python is int else avro == AVRO_TYPES[python]


def default_of(field: Field[Any]) -> Any:
    """A dataclass field's default as Avro's JSON would say it."""
    if field.default_factory is not MISSING:
        return field.default_factory()
    default = field.default
    if isinstance(default, datetime):
        return (default - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    if is_dataclass(default) and not isinstance(default, type):
        return asdict(default)
    return list(default) if default == () else default


def dataclasses_of(kind: type) -> dict[str, type]:
    """An event's class and those inside it, by name."""
    found = {kind.__name__: kind}
    for hint in typing.get_type_hints(kind).values():
        for part in (hint, *typing.get_args(hint)):
            if isinstance(part, type) and is_dataclass(part):
                found |= dataclasses_of(part)
    return found


def test_each_file_describes_one_event() -> None:
    """Each schema file belongs to one event class, and each event class to one file."""
    folder = resources.files("consumer") / "schemas"
    files = {path.name.removesuffix(".avsc") for path in folder.iterdir() if path.is_file()}
    assert files == set(SCHEMA_FILES.values())
    assert {kind.__name__ for kind in SCHEMA_FILES} == {kind.__name__ for kind in Event.__subclasses__()}


@EVENTS
def test_a_schema_and_its_dataclass_say_the_same(kind: type[Event]) -> None:
    """Names, order, types and nullability of the fields are the same in the schema and in the class."""
    classes = dataclasses_of(kind)
    described = records(load_schema(SCHEMA_FILES[kind]))
    assert described[0]["name"] == kind.__name__
    assert {schema["name"] for schema in described} == set(classes)
    for schema in described:
        hints = typing.get_type_hints(classes[schema["name"]])
        assert [field["name"] for field in schema["fields"]] == list(hints)
        wrong = {
            f["name"]: (f["type"], hints[f["name"]])
            for f in schema["fields"]
            if not matches(f["type"], hints[f["name"]])
        }
        assert not wrong


@EVENTS
def test_defaults_are_the_same_on_both_sides(kind: type[Event]) -> None:
    """A field has the same default in the schema and in the class, and only a request's first few have none."""
    classes = dataclasses_of(kind)
    for schema in records(load_schema(SCHEMA_FILES[kind])):
        ours = {field.name: field for field in fields(classes[schema["name"]])}
        required = tuple(field["name"] for field in schema["fields"] if "default" not in field)
        assert required == REQUIRED.get(schema["name"], ())
        for field in schema["fields"]:
            if "default" in field:
                assert field["default"] == default_of(ours[field["name"]]), field["name"]
            else:
                assert ours[field["name"]].default is MISSING, field["name"]


@EVENTS
def test_everything_is_documented(kind: type[Event]) -> None:
    """Each record and each of its fields says what it means, and the event lies in namespace separation.v1."""
    schema = load_schema(SCHEMA_FILES[kind])
    assert schema["namespace"] == "separation.v1"
    for record in records(schema):
        assert record["doc"].endswith(".")
        assert not [field["name"] for field in record["fields"] if not field.get("doc", "").endswith((".", "..."))]


@EVENTS
def test_what_an_old_writer_left_out_gets_its_default(kind: type[Event]) -> None:
    """An event whose writer knew only the fields without a default is read as one with all defaults."""
    schema = load_schema(SCHEMA_FILES[kind])
    oldest = {**schema, "fields": [field for field in schema["fields"] if "default" not in field]}
    source = SourceObject(bucket="b", key="k")
    required: dict[str, Any] = {"request_id": "r", "source": source} if oldest["fields"] else {}
    written = {name: asdict(value) if value is source else value for name, value in required.items()}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(oldest), written)
    read = AvroCodec(FakeRegistry({7: oldest})).decode(kind, b"\x00\x00\x00\x00\x07" + body.getvalue())
    assert read == kind(**required)


@EVENTS
def test_records_of_an_earlier_schema_are_still_read(kind: type[Event], tmp_path: Path) -> None:
    """What lies in topics since before a field was added is read without a registry too, with the field's default."""
    schema = load_schema(SCHEMA_FILES[kind])
    earlier = {**schema, "fields": schema["fields"][:-2]}  # which none of schemas/earlier is
    event = kind(request_id="r", source=SourceObject(bucket="b", key="k")) if kind is SeparationRequest else kind()
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(earlier), asdict(event))
    value = SINGLE_OBJECT_MARKER + fingerprint(earlier) + body.getvalue()
    with pytest.raises(Rejected) as unknown:
        AvroCodec(schemas=tmp_path).decode(kind, value)
    assert unknown.value.code is Code.SCHEMA_UNKNOWN
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / f"{SCHEMA_FILES[kind]}.1.avsc").write_text(json.dumps(earlier))
    assert AvroCodec(schemas=tmp_path).decode(kind, value) == event


def test_earlier_schemas_are_found_by_their_events_name(tmp_path: Path) -> None:
    """Files of schemas/earlier belong to the event that their name begins with; without the folder there are none."""
    assert load_earlier("separation_result", tmp_path) == []
    (tmp_path / "earlier").mkdir()
    for name in ("separation_result.1", "separation_result.2", "separation_request.1"):
        (tmp_path / "earlier" / f"{name}.avsc").write_text(f'{{"name": "{name}"}}')
    found = {schema["name"] for schema in load_earlier("separation_result", tmp_path)}
    assert found == {"separation_result.1", "separation_result.2"}
