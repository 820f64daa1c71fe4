"""Whether what was written with one schema can be read with another, by Apache's own Avro library."""

import json

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from consumer.adapters.avro.codec import Schema
from consumer.adapters.avro.shapes import read_schema
from consumer.core.errors import Rejected


def obstacles(reader: Schema, writer: Schema) -> list[str]:
    """What keeps the reader from reading what the writer wrote, a short phrase each; empty where nothing does."""
    try:
        read_schema(writer)
    except Rejected as rejected:  # whoever may register a schema wrote it: a library might never come back from it
        return [rejected.message]
    try:
        read_by, written_by = (avro.schema.parse(json.dumps(schema)) for schema in (reader, writer))
    except avro.errors.AvroException as error:
        return [f"not an Avro schema ({error})"]
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    found = checker.get_compatibility(read_by, written_by)
    if found.compatibility is SchemaCompatibilityType.compatible:
        return []
    places = ", ".join(sorted(found.locations))
    return [f"{reason} at {places}" for reason in sorted(found.messages)]
