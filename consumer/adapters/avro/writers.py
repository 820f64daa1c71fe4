"""Writers' schemas, made fit to be read by: nothing dangerous is left in them, and plain types alone."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import fastavro
import fastavro.schema

from consumer.adapters.avro.shapes import Shape, read_schema
from consumer.adapters.avro.times import Unit, units_of
from consumer.core.errors import Code, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """parsed: the schema as fastavro reads by it, without logical types. units: what its fields of time count.

    shape: by which the bytes are checked before fastavro sees them; None for a schema of our own. canonical: the
    parsed schema's canonical form, in which all schemas are the same that are read alike.
    """

    parsed: Any
    units: Mapping[str, Unit]
    shape: Shape | None
    canonical: str


def parse_writers(schema: Any, times: Set[str] = frozenset(), *, ours: Set[str] = frozenset()) -> Writer:
    """A writer's schema, parsed. `times` are the names of our fields that hold times, `ours` the canonical forms of
    schemas of our own, current and earlier.

    What is not needed to read by is left behind: logical types, since what a number stands for is decided by the field,
    and a wrong one is to be ignored; a writer's defaults and aliases; and whatever a library takes for its own mark,
    such as fastavro "__fastavro_parsed" and "__named_schemas".

    Raises Rejected(SCHEMA_UNKNOWN) if it is none, or could be used against its reader.
    """
    read = read_schema(schema)
    units = units_of(schema, times)
    try:
        parsed = fastavro.parse_schema(read.schema, named_schemas={})
        canonical = fastavro.schema.to_parsing_canonical_form(parsed)
    except Exception as error:  # our reader takes nothing that fastavro does not, as far as we know
        raise Rejected(
            Code.SCHEMA_UNKNOWN, f"the writer's schema is none that can be read ({type(error).__name__})"
        ) from error
    shape = None if canonical in ours else read.shape
    return Writer(parsed=parsed, units=units, shape=shape, canonical=canonical)
