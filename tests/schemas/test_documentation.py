"""The events' documentation: the same in the classes and in the schemas, with the catalog's lists in the latter."""

import ast
import inspect
from collections.abc import Mapping
from typing import Any

import pytest

from consumer.adapters.avro.codec import load_schema
from consumer.core import events
from consumer.core.catalog import FORMATS, MODELS
from consumer.core.events import SCHEMA_FILES, Event
from tests.schemas.test_schemas import records

# A schema is read by those who have no catalog: what is a name in a class is the list itself there.
LISTS = {"one of FORMATS": f"one of {', '.join(FORMATS)}", "one of MODELS": f"one of {', '.join(MODELS)}"}


def documented() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Each class of `events`: its docstring, and its fields' docstrings, the lines that stand below them."""
    found = {}
    for node in ast.parse(inspect.getsource(events)).body:
        if isinstance(node, ast.ClassDef):
            fields = {
                above.target.id: str(below.value.value)
                for above, below in zip(node.body, node.body[1:], strict=False)
                if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name)
                and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            }  # fmt: skip
            found[node.name] = (ast.get_docstring(node) or "", fields)
    return found


def in_a_schema(text: str) -> str:
    """What a schema says instead of a docstring: on one line, with the lists."""
    text = " ".join(text.split())
    for name, listed in LISTS.items():
        text = text.replace(name, listed)
    return text


def all_records() -> list[dict[str, Any]]:
    return [record for name in SCHEMA_FILES.values() for record in records(load_schema(name))]


@pytest.mark.parametrize("record", all_records(), ids=lambda record: record["name"])
def test_a_class_and_its_schema_say_the_same(record: dict[str, Any]) -> None:
    """Each record and each field of it is documented, and in the same words on both sides."""
    about, fields = documented()[record["name"]]
    assert record["doc"] == in_a_schema(about)
    assert {each["name"]: each["doc"] for each in record["fields"]} == {
        name: in_a_schema(text) for name, text in fields.items()
    }


def test_every_event_is_compared() -> None:
    """No class of `events` is left out, and the catalog's lists are really told to readers of schemas."""
    assert {record["name"] for record in all_records()} == documented().keys() - {Event.__name__}
    told = " ".join(each["doc"] for record in all_records() for each in record["fields"])
    for listed in LISTS.values():
        assert listed in told
