"""Whether what was written with one schema can be read with another, by Apache's own Avro library."""

import json

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from consumer.adapters.avro.codec import Schema


def obstacles(reader: Schema, writer: Schema) -> list[str]:
    """What keeps the reader from reading what the writer wrote, a few words each; empty where nothing does."""
    try:
        ours, theirs = (avro.schema.parse(json.dumps(schema)) for schema in (reader, writer))
    except avro.errors.AvroException as error:
        return [f"not an Avro schema ({error})"]
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    found = checker.get_compatibility(ours, theirs)
    if found.compatibility is SchemaCompatibilityType.compatible:
        return []
    places = ", ".join(sorted(found.locations))
    return [f"{words} at {places}" for words in sorted(found.messages)]
