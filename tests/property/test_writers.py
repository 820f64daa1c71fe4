"""Writers whose schemas grew apart from ours in a sane way are read, as Avro's specification has it."""

import io
from dataclasses import fields
from typing import Any

import fastavro
import fastavro.utils
from hypothesis import given
from hypothesis import strategies as st

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.avro.shapes import read_schema
from consumer.core.events import SeparationRequest, SourceObject
from harness.fakes import FakeRegistry
from tests.property.schemas import TYPES, evolutions

REGISTRY = FakeRegistry()
CODEC = AvroCodec(REGISTRY)
KEPT = {"request_id": "r1", "source": {"bucket": "b", "key": "k", "version_id": None, "etag": "e"}}
GIVEN: dict[str, Any] = {
    "model": "4stems", "tenant": "t", "start_s": 0.5, "metadata": {"a": "b"}, "high_frequencies": "average",
    "track": 2,
}  # fmt: skip
DEFAULTS = SeparationRequest(request_id="r1", source=SourceObject(bucket="b", key="k", etag="e"))


@given(evolutions())
def test_a_sane_evolution_of_our_schema_is_read(schema: dict[str, Any]) -> None:
    """More fields of any type, fewer, others first, other words and namespaces, promotions: what we know is read."""
    parsed = fastavro.parse_schema(schema)
    value = {**fastavro.utils.generate_one(parsed), **KEPT}
    has = {field["name"] for field in schema["fields"]}
    ours = {field.name for field in fields(SeparationRequest)}
    value |= {name: GIVEN.get(name, getattr(DEFAULTS, name)) for name in (has & ours) - KEPT.keys() - {"output"}}
    if "output" in has:
        value["output"] = {"bucket": None, "prefix": "p/", "format": "flac", "bitrate": None}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed, value)
    schema_id = len(REGISTRY.schemas) + 1
    REGISTRY.schemas[schema_id] = schema
    read = CODEC.decode_request(b"\0" + schema_id.to_bytes(4, "big") + out.getvalue())
    assert (read.request_id, read.source) == ("r1", DEFAULTS.source)
    for name in ours - {"request_id", "source", "output"}:
        assert getattr(read, name) == (
            GIVEN.get(name, getattr(DEFAULTS, name)) if name in has else getattr(DEFAULTS, name)
        )
    assert (read.output.format, read.output.prefix) == (("flac", "p/") if "output" in has else ("wav", None))


@given(TYPES, st.integers(0, 3))
def test_sensible_types_pass_however_often_they_are_named(schema: Any, times: int) -> None:
    """A type is refused for none of its words, and a name for it counts as the type written out."""
    once = read_schema(schema).shape
    record = {"type": "record", "name": "x.Around", "fields": [{"name": "f", "type": schema}]}
    if isinstance(schema, dict) and "name" in schema:
        full = read_schema(record).schema["fields"][0]["type"]["name"]
        record["fields"] += [{"name": f"g{n}", "type": full} for n in range(times)]  # type: ignore[operator]
        assert read_schema(record).shape.nodes == 1 + once.nodes * (times + 1)
    assert read_schema(record).shape.parts[0] == once
