"""Writers' schemas, made fit to be read by: nothing dangerous is left in them, and plain types alone."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import fastavro

from consumer.adapters.avro.times import Unit, units_of
from consumer.core.errors import Code, Rejected

# What of a schema says how its values are read. Logical types do not: what they stand for is decided by the field, and
# a wrong one is to be ignored. Nor do a writer's defaults and aliases. And fastavro takes "__fastavro_parsed" in a
# schema's text for its own.
_READ_BY = ("type", "name", "namespace", "fields", "items", "values", "symbols", "size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """parsed: the schema as fastavro reads by it, without logical types. units: what its fields of time count."""

    parsed: Any
    units: Mapping[str, Unit]


def parse_writers(schema: Any, times: Set[str] = frozenset()) -> Writer:
    """A writer's schema, parsed; `times` are the names of our fields that hold times.

    Raises Rejected(SCHEMA_UNKNOWN) if it is none, or could be used against its reader.
    """
    named: dict[str, Any] = {}
    try:
        units = units_of(schema, times)
        parsed = fastavro.parse_schema(bare(schema), named_schemas=named)
        _refuse_dangerous(parsed, named, frozenset())
    except Rejected:
        raise
    except Exception as error:  # whatever comes of walking through something that is no schema
        raise Rejected(
            Code.SCHEMA_UNKNOWN, f"the writer's schema is none that can be read ({type(error).__name__})"
        ) from error
    return Writer(parsed=parsed, units=units)


def bare(schema: Any) -> Any:
    """The schema with nothing in it but what its values are read by."""
    match schema:
        case list():
            return [bare(branch) for branch in schema]
        case {"type": _}:
            kept = {name: schema[name] for name in _READ_BY if name in schema}
            for name in {"type", "items", "values"} & kept.keys():
                kept[name] = bare(kept[name])
            if "fields" in kept:
                kept["fields"] = [{"name": field["name"], "type": bare(field["type"])} for field in kept["fields"]]
            return kept
        case _:
            return schema


def _refuse_dangerous(schema: Any, named: Mapping[str, Any], inside: frozenset[str]) -> None:
    """`schema` is parsed: all names in it are full ones, and `named` holds what they stand for."""
    match schema:
        case list():
            for branch in schema:
                _refuse_dangerous(branch, named, inside)
        case str() if schema in inside:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"the writer's schema is recursive at {schema}")
        case {"type": "record" | "error", "name": name, "fields": fields}:
            for field in fields:
                _refuse_dangerous(field["type"], named, inside | {name})
        case {"type": "array", "items": items} | {"type": "map", "values": items}:
            _refuse_dangerous(items, named, inside)
            if _is_zero_width(items, named):
                raise Rejected(Code.SCHEMA_UNKNOWN, "the writer's schema repeats items that take no bytes")
        case {"type": inner} if isinstance(inner, dict | list):
            _refuse_dangerous(inner, named, inside)
        case _:
            pass


def _is_zero_width(schema: Any, named: Mapping[str, Any]) -> bool:
    """Whether a value takes no bytes. `schema` is not recursive: a name in it stands for what was read before."""
    match schema:
        case "null" | {"type": "null"}:
            return True
        case str() if schema in named:
            return _is_zero_width(named[schema], named)
        case {"type": "record" | "error", "fields": fields}:
            return all(_is_zero_width(field["type"], named) for field in fields)
        case {"type": "fixed", "size": size}:
            return bool(size == 0)
        case _:
            return False
