"""Schemas that name types of other schemas. Bytes are written by one schema that holds all of them; they must be read
alike however its types are spread over subjects."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.avro.references import inlined
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import Code, RegistryUnavailable, Rejected
from consumer.core.events import SeparationRequest
from harness.fakes import a_request, serve

WHOLE = load_schema("separation_request")
[SOURCE, OUTPUT] = [
    field["type"] for field in WHOLE["fields"] if isinstance(field["type"], dict) and field["type"]["type"] == "record"
]
REQUEST = a_request(tenant="t")
BODY = AvroCodec().encode(REQUEST)[10:]
Reference = tuple[str, int]


def naming(types: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """The schema of a request with names where these types were."""
    schema = copy.deepcopy(WHOLE)
    for field in schema["fields"]:
        if isinstance(field["type"], dict) and field["type"].get("name") in types:
            field["type"] = types[field["type"]["name"]]
    return {**schema, **more}


def answer(schema: Any, *references: Reference) -> tuple[int, bytes]:
    listed = [{"name": subject, "subject": subject, "version": version} for subject, version in references]
    return 200, json.dumps({"schema": json.dumps(schema), "references": listed}).encode()


def read(pages: Mapping[str, tuple[int, bytes]]) -> SeparationRequest:
    with serve(pages) as (url, _):
        return AvroCodec(ConfluentRegistry(url, {"separation_request": "s"})).decode_request(b"\0\0\0\0\x07" + BODY)


FULL = {"SourceObject": "separation.v1.SourceObject", "OutputOptions": "separation.v1.OutputOptions"}
SHORT = {"SourceObject": "SourceObject", "OutputOptions": "OutputOptions"}
OF_V1 = {"namespace": "separation.v1"}
SPREAD: dict[str, dict[str, tuple[int, bytes]]] = {
    "two subjects": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1), ("output", 3)),
        "/subjects/source/versions/1": answer({**SOURCE, **OF_V1}),
        "/subjects/output/versions/3": answer({**OUTPUT, **OF_V1}),
    },
    "short names": {
        "/schemas/ids/7": answer(naming(SHORT), ("source", 1), ("output", 1)),
        "/subjects/source/versions/1": answer({**SOURCE, "name": "separation.v1.SourceObject"}),
        "/subjects/output/versions/1": answer({**OUTPUT, **OF_V1}),
    },
    "no namespace": {
        "/schemas/ids/7": answer(naming(SHORT, namespace=""), ("source", 1), ("output", 1)),
        "/subjects/source/versions/1": answer(SOURCE),
        "/subjects/output/versions/1": answer(OUTPUT),
    },
    "no namespace, named from within one": {
        "/schemas/ids/7": answer(naming(SHORT), ("source", 1), ("output", 1)),
        "/subjects/source/versions/1": answer(SOURCE),
        "/subjects/output/versions/1": answer(OUTPUT),
    },
    "a reference that refers further": {
        "/schemas/ids/7": answer(naming(FULL), ("output", 1)),
        "/subjects/output/versions/1": answer({**OUTPUT, **OF_V1}, ("source", 2)),
        "/subjects/source/versions/2": answer({**SOURCE, **OF_V1}),
    },
    "a type that two subjects define": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1), ("output", 1)),
        "/subjects/source/versions/1": answer({**SOURCE, **OF_V1}),
        "/subjects/output/versions/1": answer([{**SOURCE, **OF_V1}, {**OUTPUT, **OF_V1}], ("source", 1)),
    },
    "a subject with a name that has to be quoted": {
        "/schemas/ids/7": answer(naming(FULL), ("a/b c", 1)),
        "/subjects/a%2Fb%20c/versions/1": answer([{**SOURCE, **OF_V1}, {**OUTPUT, **OF_V1}]),
    },
    "subjects that refer to each other": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1)),
        "/subjects/source/versions/1": answer({**SOURCE, **OF_V1}, ("output", 1)),
        "/subjects/output/versions/1": answer({**OUTPUT, **OF_V1}, ("source", 1)),
    },
    "references of which none is used": {
        "/schemas/ids/7": answer(WHOLE, ("source", 1)),
        "/subjects/source/versions/1": answer({**SOURCE, **OF_V1}),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SPREAD)
def test_a_schema_in_pieces_is_read_as_the_whole_one(name: str) -> None:
    """Wherever its types are defined, and by whichever names they are called."""
    assert read(SPREAD[name]) == REQUEST


ABSENT = (404, json.dumps({"error_code": 40402, "message": "Version not found"}).encode())
NO_RECORD = {"type": "record", "name": "x"}
UNUSABLE: dict[str, dict[str, tuple[int, bytes]]] = {
    "a reference that is gone": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1)), "/subjects/source/versions/1": ABSENT,
    },
    "a reference that defines something else": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1)),
        "/subjects/source/versions/1": answer({"type": "enum", "name": "E", "symbols": ["a"]}),
    },
    "a reference that is no schema": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1)), "/subjects/source/versions/1": answer(NO_RECORD),
    },
    "a reference without end": {
        "/schemas/ids/7": answer(naming(FULL), ("n", 1)),
        **{f"/subjects/n/versions/{number}": answer({**SOURCE, "name": f"n{number}"}, ("n", number + 1))
           for number in range(1, 80)},
    },
    "a type that holds itself": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1), ("output", 1)),
        "/subjects/source/versions/1": answer({
            **SOURCE, **OF_V1, "fields": [*SOURCE["fields"], {"name": "o", "type": "OutputOptions"}],
        }),
        "/subjects/output/versions/1": answer({
            **OUTPUT, **OF_V1, "fields": [*OUTPUT["fields"], {"name": "s", "type": ["null", "SourceObject"]}],
        }),
    },
    "a reference in another language": {
        "/schemas/ids/7": answer(naming(FULL), ("source", 1)),
        "/subjects/source/versions/1": (200, b'{"schema": "message A {}", "schemaType": "PROTOBUF"}'),
    },
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_can_not_be_made_whole_is_the_messages_fault(name: str) -> None:
    """In a bounded number of questions, and whatever the registry holds."""
    with pytest.raises(Rejected) as caught:
        read(UNUSABLE[name])
    assert caught.value.code is Code.SCHEMA_UNKNOWN


@pytest.mark.parametrize("listed", ["x", [1], [{"subject": "s"}], [{"subject": "s", "version": "new"}], {"a": 1}])
def test_references_that_are_none_are_no_answer(listed: object) -> None:
    """A registry says subject and version; what says something else is no registry."""
    body = json.dumps({"schema": json.dumps(WHOLE), "references": listed}).encode()
    with pytest.raises(RegistryUnavailable, match="no proper answer"):
        read({"/schemas/ids/7": (200, body)})


def test_a_nested_definition_may_be_named_before_it_is_reached() -> None:
    """A type that is defined within another of the referenced schemas is named alone, and then with that one."""
    inner = {"type": "fixed", "name": "a.Inner", "size": 2}
    outer = {"type": "record", "name": "a.Outer", "fields": [{"name": "i", "type": inner}]}
    schema = {
        "type": "record", "name": "R", "namespace": "a",
        "fields": [
            {"name": "x", "type": "Inner"}, {"name": "y", "type": ["null", "a.Outer"]},
            {"name": "z", "type": {"type": "map", "values": {"type": "array", "items": "Inner"}}},
        ],
    }  # fmt: skip
    assert inlined(schema, [outer]) == {
        "type": "record", "name": "a.R",
        "fields": [
            {"name": "x", "type": inner},
            {"name": "y", "type": ["null", {**outer, "fields": [{"name": "i", "type": "a.Inner"}]}]},
            {"name": "z", "type": {"type": "map", "values": {"type": "array", "items": "a.Inner"}}},
        ],
    }  # fmt: skip


def test_a_schema_deeper_than_any_is_no_crash() -> None:
    """Nesting beyond what can be walked is refused as no schema."""
    deep: Any = "string"
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Rejected):
        inlined(deep, [])
