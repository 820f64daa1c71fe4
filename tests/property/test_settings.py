import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.settings.variables import parse_duration_s

UNITS_S = {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
NUMBERS = st.decimals(0, 10**6, places=3).map(lambda number: f"{number:f}") | st.integers(0, 10**6).map(str)
BLANKS = st.sampled_from(["", " ", "  "])


@given(number=NUMBERS, unit=st.sampled_from(list(UNITS_S)), blanks=st.tuples(BLANKS, BLANKS, BLANKS))
def test_a_number_with_a_unit_is_a_duration(number: str, unit: str, blanks: tuple[str, str, str]) -> None:
    """Any number with any unit is so many seconds, blanks or not; a bare number is seconds."""
    before, between, behind = blanks
    found = parse_duration_s(f"{before}{number}{between}{unit}{behind}")
    assert found == pytest.approx(float(number) * UNITS_S[unit])


@given(st.text(max_size=8))
@example("-1s")
@example("1e3")
@example("inf")
@example("nan")
@example("1.")
@example("1 week")
@example("")
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    """What is no duration is a ValueError that repeats it, and never a number that nobody meant."""
    if said := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", text):
        assert parse_duration_s(text) == pytest.approx(float(said[1]) * UNITS_S[said[2] or ""])
    else:
        with pytest.raises(ValueError, match="not a duration") as caught:
            parse_duration_s(text)
        assert "\n" not in str(caught.value)
