"""Arbitrary events, as strategies derived from their classes."""

import types
import typing
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from consumer.core.events import SCHEMA_FILES, Event

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.floats(allow_nan=False)
TIMES = st.integers(-(10**12), 10**14).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
_INTS = {"size_bytes": 63, "offset": 63, "clipped_samples": 63}  # longs; all others are ints
_PLAIN = {str: WORDS, bytes: st.binary(max_size=12), bool: st.booleans(), float: NUMBERS, datetime: TIMES}


def values(hint: Any, name: str = "") -> st.SearchStrategy[Any]:
    """Any value of a field's type."""
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return st.none() | values(arguments[0], name)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{field.name: values(hints[field.name], field.name) for field in fields(hint)})
    if typing.get_origin(hint) is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if typing.get_origin(hint) is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if hint is int:
        bound = 1 << _INTS.get(name, 31)
        return st.integers(-bound, bound - 1)
    return _PLAIN[hint]


EVENTS: st.SearchStrategy[Event] = st.sampled_from(list(SCHEMA_FILES)).flatmap(values)
