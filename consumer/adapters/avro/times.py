"""What the numbers in a field of time count: what the writer's schema says, milliseconds where it says nothing.

Avro's rules of resolution look at the types under logical types alone, and would take microseconds for milliseconds.
The writer's own word is followed instead: what was meant is certain then.
"""

from collections.abc import Iterator, Set
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from consumer.core.errors import Code, Rejected
from consumer.core.events import EPOCH


class Unit(Enum):
    """What is counted from 1970-01-01T00:00:00Z on; a local timestamp is taken for UTC, and a date for its midnight."""

    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    NANOSECONDS = "nanoseconds"
    DAYS = "days"
    OF_A_DAY = "a time of day"
    """Nothing: a time of day is no point in time."""


# By type and logical type, as Avro's specification has them. A logical type that is not in it, or on another type than
# its own, counts as none.
_LOGICAL = {
    ("long", f"{local}timestamp-{short}"): unit
    for local in ("", "local-")
    for short, unit in (("millis", Unit.MILLISECONDS), ("micros", Unit.MICROSECONDS), ("nanos", Unit.NANOSECONDS))
} | {
    ("int", "date"): Unit.DAYS,
    ("int", "time-millis"): Unit.OF_A_DAY,
    ("long", "time-micros"): Unit.OF_A_DAY,
}


def fields_of_time(schema: Any) -> frozenset[str]:
    """The names of the fields of one of our own schemas that hold times."""
    return frozenset(
        field["name"]
        for field in schema["fields"]
        if any(isinstance(branch, dict) and "logicalType" in branch for branch in _branches(field["type"]))
    )


def units_of(schema: Any, names: Set[str]) -> dict[str, Unit]:
    """What the numbers in the fields of these names count, in a writer's schema that `read_schema` takes, as it came;
    those it does not have are left out. Raises Rejected(SCHEMA_UNKNOWN) where one field counts in two units.
    """
    found: dict[str, Unit] = {}
    for record in _branches(schema):
        for field in record["fields"] if isinstance(record, dict) and record["type"] in ("record", "error") else ():
            for unit in map(_unit, _branches(field["type"]) if field["name"] in names else ()):
                if unit and found.setdefault(field["name"], unit) is not unit:
                    raise Rejected(Code.SCHEMA_UNKNOWN, f"the writer's schema counts {field['name']} in two units")
    return found


def _branches(schema: Any) -> Iterator[Any]:
    """The types that a value may have: those of a union, or the one there is."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _branches(branch)
    elif isinstance(schema, dict) and isinstance(schema.get("type"), dict | list):
        yield from _branches(schema["type"])
    else:
        yield schema


def _unit(schema: Any) -> Unit | None:
    plain, logical = (schema.get("type"), schema.get("logicalType")) if isinstance(schema, dict) else (schema, None)
    return _LOGICAL.get((plain, str(logical)), Unit.MILLISECONDS) if plain in ("int", "long") else None


def point_in_time(name: str, count: int, unit: Unit) -> datetime:
    """In UTC, to the microsecond below. Raises Rejected(REQUEST_INVALID) with the field's name if there is none."""
    try:
        match unit:
            case Unit.MILLISECONDS:
                return EPOCH + timedelta(milliseconds=count)
            case Unit.MICROSECONDS:
                return EPOCH + timedelta(microseconds=count)
            case Unit.NANOSECONDS:
                return EPOCH + timedelta(microseconds=count // 1000)
            case Unit.DAYS:
                return EPOCH + timedelta(days=count)
            case Unit.OF_A_DAY:
                raise Rejected(Code.REQUEST_INVALID, f"{name}: a time of day is no point in time")
    except OverflowError as error:
        reason = f"{name}: {count} {unit.value} from 1970 on lie outside of the years 1 to 9999"
        raise Rejected(Code.REQUEST_INVALID, reason) from error
