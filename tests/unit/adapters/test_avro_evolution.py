import copy
from typing import Any

import pytest

from consumer.adapters.avro.codec import load_schema
from consumer.adapters.avro.evolution import obstacles
from consumer.core.events import SCHEMA_FILES


def changed(name: str, **fields: Any) -> Any:
    """Our schema with fields that are changed, added, or, if None, removed."""
    schema = copy.deepcopy(load_schema(name))
    kept = [field for field in schema["fields"] if field["name"] not in fields]
    schema["fields"] = [*kept, *({"name": n, **f} for n, f in fields.items() if f is not None)]
    return schema


@pytest.mark.parametrize("name", SCHEMA_FILES.values())
def test_our_schemas_read_themselves_and_those_with_less(name: str) -> None:
    """What was written with all fields, or with only those that have no default, can be read."""
    ours = load_schema(name)
    oldest = {**ours, "fields": [field for field in ours["fields"] if "default" not in field]}
    assert obstacles(ours, ours) == obstacles(ours, oldest) == []


def test_a_field_without_default_keeps_us_from_reading() -> None:
    """So does another type; one with a default, or one field less, does not."""
    ours = load_schema("separation_request")
    name = "separation_request"
    assert obstacles(changed(name, more={"type": "string", "default": ""}), ours) == []
    assert obstacles(changed(name, metadata=None), ours) == []
    assert obstacles(changed(name, more={"type": "string"}), ours) == ["more at /fields/12"]
    [told] = obstacles(changed(name, model={"type": "long", "default": 0}), ours)
    assert "reader type: long not compatible with writer type: string" in told


@pytest.mark.parametrize("writer", [{}, {"type": "record"}, {"type": "thing"}, "thing"])
def test_what_is_no_schema_is_told_of(writer: Any) -> None:
    """Instead of a traceback."""
    assert obstacles(load_schema("separation_request"), writer)
