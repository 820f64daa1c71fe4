"""Times as writers may give them. What is expected follows from how each was made, and from Avro's specification."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumer.core.errors import Code, Rejected
from tests.schemas.writers import read, with_field, written

THEN = datetime(2026, 11, 29, 6, 7, 8, 123456, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)
SINCE_1970 = THEN - datetime(1970, 1, 1, tzinfo=UTC)
MICROS = SINCE_1970 // timedelta(microseconds=1)
TO_MILLIS = THEN.replace(microsecond=123000)
LONGEST, LARGEST = 2**63 - 1, 2**31 - 1


def plain(type_: str, logical: object = None) -> Any:
    return {"type": type_} if logical is None else {"type": type_, "logicalType": logical}


# How a writer gives the time -> the number that it writes, and what that is.
WAYS: dict[str, tuple[Any, int, datetime]] = {
    "plain long": ("long", MICROS // 1000, TO_MILLIS),
    "long in an object": (plain("long"), MICROS // 1000, TO_MILLIS),
    "timestamp-millis": (plain("long", "timestamp-millis"), MICROS // 1000, TO_MILLIS),
    "timestamp-micros": (plain("long", "timestamp-micros"), MICROS, THEN),
    "timestamp-nanos": (plain("long", "timestamp-nanos"), MICROS * 1000 + 789, THEN),
    "local-timestamp-millis": (plain("long", "local-timestamp-millis"), MICROS // 1000, TO_MILLIS),
    "local-timestamp-micros": (plain("long", "local-timestamp-micros"), MICROS, THEN),
    "local-timestamp-nanos": (plain("long", "local-timestamp-nanos"), MICROS * 1000, THEN),
    "date": (plain("int", "date"), SINCE_1970.days, MIDNIGHT),
    "plain int": ("int", 1_000_000, datetime(1970, 1, 1, 0, 16, 40, tzinfo=UTC)),
    "unknown logical type": (plain("long", "epoch-fortnights"), MICROS // 1000, TO_MILLIS),
    "another type's logical type": (plain("int", "timestamp-micros"), 1000, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    "no text for a logical type": (plain("long", ["timestamp-micros"]), MICROS // 1000, TO_MILLIS),
    "before 1970": (plain("long", "timestamp-micros"), -1, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    "year 1": ("long", -62_135_596_800_000, datetime(1, 1, 1, tzinfo=UTC)),
    "year 9999": ("long", 253_402_300_799_999, datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
}  # fmt: skip
IMPOSSIBLE: dict[str, tuple[Any, int]] = {
    "beyond year 9999": ("long", 253_402_300_800_000),
    "before year 1": ("long", -62_135_596_800_001),
    "microseconds without saying so": ("long", MICROS),
    "nanoseconds without saying so": ("long", MICROS * 1000),
    "largest milliseconds": (plain("long", "timestamp-millis"), LONGEST),
    "least milliseconds": (plain("long", "timestamp-millis"), -LONGEST - 1),
    "largest microseconds": (plain("long", "timestamp-micros"), LONGEST),
    "largest local microseconds": (plain("long", "local-timestamp-micros"), LONGEST),
    "largest day": (plain("int", "date"), LARGEST),
    "least day": (plain("int", "date"), -LARGEST - 1),
    "a time of day": (plain("int", "time-millis"), 1000),
    "a time of day, finer": (plain("long", "time-micros"), 1000),
}
FIELDS = pytest.mark.parametrize("field", ["requested_at", "deadline"])


def outcome(field: str, type_: Any, number: object) -> object:
    """The field as the service reads it, whose writer has that type for it."""
    schema = with_field(field, type_)
    return getattr(read(schema, written(schema, **{field: number})), field)


@FIELDS
@pytest.mark.parametrize("way", WAYS)
def test_a_time_is_read_as_its_writer_meant_it(field: str, way: str) -> None:
    """Plain numbers are milliseconds, as our own schema has it; logical types are followed, to the microsecond."""
    type_, number, meant = WAYS[way]
    assert outcome(field, type_, number) == meant


@FIELDS
@pytest.mark.parametrize("null_first", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_so_it_is_in_a_union(field: str, null_first: bool, way: str) -> None:
    """In a union with null, in either order, and whether or not our own field is one."""
    type_, number, meant = WAYS[way]
    union = ["null", type_] if null_first else [type_, "null"]
    assert outcome(field, union, number) == meant


@FIELDS
@pytest.mark.parametrize("way", IMPOSSIBLE)
def test_a_time_that_can_not_be_names_its_field(field: str, way: str) -> None:
    """A number outside of the calendar, or one that counts no time, is the message's fault."""
    type_, number = IMPOSSIBLE[way]
    with pytest.raises(Rejected, match=f"^{field}: ") as caught:
        outcome(field, type_, number)
    assert caught.value.code is Code.REQUEST_INVALID


def test_no_deadline_is_none_in_any_union() -> None:
    """Null stays null, wherever it stands in the writer's union."""
    for union in (["null", "long"], [plain("long", "timestamp-micros"), "null"], ["int", "null", "string"]):
        assert outcome("deadline", union, None) is None


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("double", 1.5), ("string", "2026-11-29"), (plain("string", "date"), "2026-11-29"), ("boolean", True),
        ({"type": "array", "items": "long"}, [1]),
    ],
)  # fmt: skip
def test_what_is_no_number_is_no_time(type_: Any, value: object) -> None:
    """Avro's rules turn neither texts nor fractions into a long; so nor do we."""
    with pytest.raises(Rejected) as caught:
        outcome("deadline", type_, value)
    assert caught.value.code is Code.SCHEMA_UNKNOWN


def test_two_units_in_one_field_are_refused() -> None:
    """Numbers of which nobody can tell what they count are not guessed at."""
    with pytest.raises(Rejected, match="deadline in two units") as caught:
        outcome("deadline", [plain("int", "date"), plain("long", "timestamp-micros")], 20_000)
    assert caught.value.code is Code.SCHEMA_UNKNOWN


def test_one_unit_in_two_types_is_one() -> None:
    """An int and a long that both count milliseconds can be told apart by nobody, and need not be."""
    for number, meant in ((5, datetime(1970, 1, 1, 0, 0, 0, 5000, tzinfo=UTC)), (MICROS // 1000, TO_MILLIS)):
        assert outcome("deadline", ["int", "null", "long"], number) == meant
