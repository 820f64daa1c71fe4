"""Types that somebody may sensibly write with, and sane evolutions of our schema of a request, as strategies."""

import copy
from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import strategies as st

from consumer.adapters.avro.codec import load_schema

_REQUEST = load_schema("separation_request")
_NAMES = st.integers(0, 10**12).map(lambda number: f"T{number}")
_NAMESPACES = st.sampled_from(["", "com.example", "separation.v1"])
_WORDS = {
    "doc": st.text(max_size=20), "aliases": st.lists(_NAMES, max_size=2), "namespace": _NAMESPACES,
    "avro.java.string": st.just("String"), "javaClass": st.just("java.lang.String"),
}  # fmt: skip
_LOGICAL = st.sampled_from(
    [
        {"type": "long", "logicalType": "timestamp-micros"}, {"type": "int", "logicalType": "date"},
        {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        {"type": "string", "logicalType": "uuid"}, {"type": "string", "avro.java.string": "String"},
    ]
)  # fmt: skip
_PRIMITIVES = st.sampled_from(["boolean", "int", "long", "float", "double", "bytes", "string"])
_NAMED = st.fixed_dictionaries(
    {"type": st.just("enum"), "name": _NAMES, "symbols": st.just(["A", "B", "C"])}, optional=_WORDS
) | st.fixed_dictionaries({"type": st.just("fixed"), "name": _NAMES, "size": st.integers(1, 8)}, optional=_WORDS)


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(_NAMES, inner, min_size=1, max_size=4)
    records = st.builds(
        lambda head, parts: head | {"type": "record", "fields": [{"name": n, "type": t} for n, t in parts.items()]},
        st.fixed_dictionaries({"name": _NAMES}, optional=_WORDS),
        fields,
    )
    return (
        records
        | st.builds(lambda item: {"type": "array", "items": item}, inner)
        | st.builds(lambda item: {"type": "map", "values": item}, inner)
        | st.builds(lambda item: item if isinstance(item, list) else ["null", item], inner)
    )


def _distinct(part: Any, numbers: Iterator[int]) -> Any:
    """The same types, each that has a name with one of its own."""
    if isinstance(part, list):
        return [_distinct(each, numbers) for each in part]
    if not isinstance(part, dict):
        return part
    inner = {key: _distinct(part[key], numbers) for key in ("type", "items", "values", "fields") if key in part}
    is_named = part.get("type") in ("record", "enum", "fixed")
    return {**part, **inner, **({"name": f"{part['name']}_{next(numbers)}"} if is_named else {})}


_ANY_TYPES = st.recursive(_PRIMITIVES | _LOGICAL | _NAMED, _around, max_leaves=8)
TYPES = _ANY_TYPES.map(lambda schema: _distinct(schema, count()))
"""Types of all kinds, each name once."""


@st.composite
def evolutions(draw: st.DrawFn) -> dict[str, Any]:
    """Our schema of a request as another may have it: fields more or fewer, in another order, with other words."""
    schema = copy.deepcopy(_REQUEST)
    optional = [field["name"] for field in schema["fields"] if "default" in field]
    gone = draw(st.sets(st.sampled_from(optional)))
    kept = [field for field in schema["fields"] if field["name"] not in gone]
    numbers = count()
    for name, added in draw(st.dictionaries(_NAMES, _ANY_TYPES, max_size=4)).items():
        kept.append(
            {
                "name": name,
                "type": _distinct(added, numbers),
                **draw(st.fixed_dictionaries({}, optional={"doc": st.text()})),
            }
        )
    for field in kept:
        if field["type"] == "string" and draw(st.booleans()):
            field["type"] = {"type": "string", "avro.java.string": "String"}
        if field["name"] in ("start_s", "duration_s") and draw(st.booleans()):
            field |= {"type": ["null", "float"]}  # a double by promotion
        if draw(st.booleans()):
            field["aliases"] = ["formerly"]
    words = draw(st.fixed_dictionaries({}, optional={"doc": st.text(), "aliases": st.just(["Ask"])}))
    return {**schema, **words, "namespace": draw(_NAMESPACES), "fields": draw(st.permutations(kept))}
