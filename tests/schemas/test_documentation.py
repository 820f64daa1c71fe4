"""The events' documentation: the same in the classes and in the schemas, with the catalog's lists in the latter."""

from typing import Any

import pytest

from consumer.adapters.avro.codec import load_schema
from consumer.core.events import SCHEMA_FILES, Event
from harness.schemas import FOLDER, LISTS, documented, in_a_schema, with_words
from tests.schemas.test_schemas import records


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


@pytest.mark.parametrize("name", SCHEMA_FILES.values())
def test_the_command_writes_the_words_and_nothing_else(name: str) -> None:
    """`python -m harness.schemas` leaves a schema as it is where the words are right, and mends those that are not."""
    schema = (FOLDER / f"{name}.avsc").read_text()
    assert with_words(schema) == schema
    for record in records(load_schema(name)):
        assert with_words(schema.replace(record["doc"], "Other words.")) == schema
