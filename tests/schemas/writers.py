"""Writers with schemas of their own, for the tests: requests as Apache's Avro library writes them."""

import copy
import io
import json
from typing import Any

import avro.io
import avro.schema

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.core.events import SeparationRequest
from harness.fakes import FakeRegistry

REQUEST = load_schema("separation_request")
VALUES: dict[str, Any] = {"request_id": "r", "source": {"bucket": "b", "key": "k"}}


def with_field(name: str, type_: Any, **more: Any) -> dict[str, Any]:
    """Our schema of a request as a writer has it who gives one field another type."""
    schema = copy.deepcopy(REQUEST)
    for field in schema["fields"]:
        if field["name"] == name:
            field.pop("default", None)
            field |= {"type": type_, **more}
    return schema


def without_logical_types(schema: Any) -> Any:
    """The same bytes come of it."""
    if isinstance(schema, list):
        return [without_logical_types(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: without_logical_types(value) for name, value in schema.items() if name != "logicalType"}


def written(schema: Any, **fields: Any) -> bytes:
    """The body of a request, each field that is not given having its default. Times and decimals are plain numbers."""
    names = {field["name"]: field.get("default") for field in schema["fields"]}
    value = names | {name: value for name, value in (VALUES | fields).items() if name in names}
    out = io.BytesIO()
    parsed = avro.schema.parse(json.dumps(without_logical_types(schema)))
    avro.io.DatumWriter(parsed).write(value, avro.io.BinaryEncoder(out))
    return out.getvalue()


def read(schema: Any, body: bytes) -> SeparationRequest:
    """What the service reads, whose registry has the writer's schema under id 7."""
    return AvroCodec(FakeRegistry({7: schema})).decode_request(b"\x00\x00\x00\x00\x07" + body)
