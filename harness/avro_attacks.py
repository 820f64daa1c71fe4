"""Schemas and records that were made to end or to stop whoever reads them, each with what it is to come to.

`python -m harness.avro_attacks NAME...` has the service's codec read them, one after the other, within bounds of memory
and processor time that end it, and prints what came of each: JSON, one a line.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from consumer.adapters.avro.codec import AvroCodec, load_schema
from consumer.adapters.avro.schema_text import schema_of
from consumer.core.errors import Code, Rejected
from harness.fakes import FakeRegistry, a_request

MAX_MEMORY_BYTES, MAX_CPU_S, _PATIENCE_S = 1 << 30, 10, 600.0
DONE = "done"  # it is a request like any other
_REQUEST = load_schema("separation_request")
_BODY = AvroCodec().encode(a_request())[10:]
_MOST = 900_000  # bytes of a body, which a client sends without being told to


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """text: of the writer's schema. body: what was written by it. code: what comes of it; says: a word of why."""

    text: str
    body: bytes
    code: str
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of an attack."""

    name: str
    code: str
    message: str = ""


def number(value: int) -> bytes:
    """A long as Avro writes it: zigzag, seven bits a byte."""
    left, out = (value << 1) ^ (value >> 63), bytearray()
    left &= (1 << 64) - 1
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])


def with_extra(type_: Any, *around: Any, **more: Any) -> dict[str, Any]:
    """Our request with one more field of that type behind it, and others before that."""
    others = [{"name": f"other{place}", "type": each} for place, each in enumerate(around)]
    return {**_REQUEST, "fields": [*_REQUEST["fields"], *others, {"name": "extra", "type": type_}], **more}


def record(name: str, *types: Any, **more: Any) -> dict[str, Any]:
    fields = [{"name": f"f{place}", "type": each} for place, each in enumerate(types)]
    return {"type": "record", "name": name, "fields": fields, **more}


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def doubled(times: int, *leaf: Any) -> list[dict[str, Any]]:
    """Records that each name the one before twice, but for the first, R0, which has these fields: 2^times of it."""
    return [record("R0", *leaf), *(record(f"R{n}", f"R{n - 1}", f"R{n - 1}") for n in range(1, times + 1))]


def _schemas() -> dict[str, tuple[Any, bytes, str]]:
    """Those that are refused for what the schema is: the schema or its text, what was written by it, a word of why."""
    node = record("Node", ["null", "Node"])
    nested = _BODY + number(1) * 100_000 + number(0)
    marked = with_extra("Node", __fastavro_parsed=True, __named_schemas={"Node": node, "separation.v1.Node": node})
    symbols = [f"S{n}" for n in range(20_000)]
    deep_types: Any = "long"
    for _ in range(70):
        deep_types = array(deep_types)
    wrapped: Any = "long"
    for _ in range(90):
        wrapped = {"type": wrapped}
    zeros = _BODY + number(1 << 40) + number(0)
    return {
        "recursion by name": (with_extra(node), nested, "recursive"),
        "recursion by full name": (with_extra(record("a.b.Node", ["null", "a.b.Node"])), nested, "recursive"),
        "recursion through another": (with_extra(record("A", record("B", ["null", "A"]))), nested, "recursive"),
        "recursion through an array": (with_extra(record("A", array("A"))), nested, "recursive"),
        "recursion through a map": (with_extra(record("A", {"type": "map", "values": "A"})), nested, "recursive"),
        "recursion without an end": (with_extra(record("A", "A")), nested, "recursive"),
        "recursion of the request": (with_extra(["null", "SeparationRequest"]), nested, "recursive"),
        "recursion in fastavro's own marks": (marked, nested, "does not define"),
        "doubled 23 times": (with_extra("R23", *doubled(23, "boolean")), _BODY, "parts"),
        "doubled 23 times, of no bytes": (with_extra("R23", *doubled(23)), _BODY, "parts"),
        "doubled 60 times": (with_extra("R60", *doubled(60)), _BODY, "parts"),
        "doubled 60 times, repeated": (with_extra(array("R60"), *doubled(60)), zeros, "parts"),
        "doubled 1000 times": (with_extra("R1000", *doubled(1000, "boolean")), _BODY, "parts"),
        "an array of nulls": (with_extra(array("null")), zeros, "no bytes"),
        "a map of nulls": (with_extra({"type": "map", "values": "null"}), zeros, "no bytes"),
        "an array of records of no bytes": (with_extra(array(record("E"))), zeros, "no bytes"),
        "an array of 500 nulls each": (with_extra(array(record("E", *["null"] * 500))), zeros, "no bytes"),
        "an array of a fixed of no bytes": (
            with_extra(array({"type": "fixed", "name": "F", "size": 0})), zeros, "no bytes"
        ),
        "no bytes by name": (with_extra(array("E"), record("E", "null")), zeros, "no bytes"),
        "arrays in arrays": (with_extra(deep_types), _BODY, "deep"),
        "types in types": (with_extra(wrapped), _BODY, "deep"),
        "a union of nothing": (with_extra([]), _BODY, "nothing"),
        "a fixed of 2 GiB": (with_extra({"type": "fixed", "name": "F", "size": 1 << 31}), _BODY, "size"),
        "a fixed of less than nothing": (with_extra({"type": "fixed", "name": "F", "size": -1}), _BODY, "size"),
        "a fixed of true": (with_extra({"type": "fixed", "name": "F", "size": True}), _BODY, "size"),
        "an enum of thousands": (with_extra({"type": "enum", "name": "E", "symbols": symbols}), _BODY, "parts"),
        "an enum of nothing": (with_extra({"type": "enum", "name": "E", "symbols": []}), _BODY, "symbols"),
        "a union of thousands": (with_extra(["long"] * 20_000), _BODY, "parts"),
        "thousands of fields": (with_extra("long", *[["long"] * 4] * 2_100), _BODY, "parts"),
        "a name of 100,000 characters": (with_extra(record("A" * 100_000)), _BODY, "name"),
        "a name with a line in it": (with_extra(record("A\nB: done")), _BODY, "name"),
        "a name that is none": (with_extra(record("A")) | {"name": ["A"]}, _BODY, "name"),
        "a type that is a number": (with_extra(7), _BODY, "in place of a type"),
        "a name for two types": (with_extra(record("A", "long"), record("A", "string")), _BODY, "twice"),
        "a type that is not there": (with_extra("Nowhere"), _BODY, "does not define"),
        "a primitive type's name": (with_extra(record("long", "string")), _BODY, "name"),
        "fields that are none": (with_extra({"type": "record", "name": "A", "fields": {"a": "b"}}), _BODY, "fields"),
        "JSON 1,000 deep": ("[" * 1_000 + "]" * 1_000, _BODY, "deep"),
        "JSON 100,000 deep": ("[" * 100_000, _BODY, "deep"),
        "objects 50,000 deep": ('{"type":' * 30_000, _BODY, "deep"),
        "depth in a default": (
            json.dumps(with_extra("long")).replace('"long"}]', '"long", "default": ' + "[" * 900 + "]" * 900 + "}]"),
            _BODY, "deep",
        ),
        "a text of 300,000 characters": (with_extra("long", doc="x" * 300_000), _BODY, "longer"),
        "a number of 10,000 digits": ('{"type": "fixed", "name": "F", "size": ' + "9" * 10_000 + "}", _BODY, "JSON"),
    }  # fmt: skip


def _records() -> dict[str, tuple[Any, bytes, str]]:
    """Those whose schema is fit, but not what was written by it."""
    longs, text, size = array("long"), with_extra("string"), "another size"
    padded = record("P", "boolean", *["null"] * 500)
    return {
        "2^40 items": (with_extra(longs), _BODY + number(1 << 40) + b"\2" * 1000, "fewer"),
        "as many items as can be said": (with_extra(longs), _BODY + number((1 << 63) - 1), "fewer"),
        "-2^63 items": (with_extra(longs), _BODY + number(-(1 << 63)) + number(0), "fewer"),
        "a block's size that is not so": (with_extra(longs), _BODY + number(-2) + number(9) + b"\2\2\0", size),
        "a block's size below nothing": (with_extra(longs), _BODY + number(-2) + number(-9) + b"\2\2\0", size),
        "a megabyte of items": (with_extra(longs), _BODY + number(_MOST - 4) + b"\2" * (_MOST - 4) + b"\0", "values"),
        "500 nulls a byte": (
            with_extra(array(padded)), _BODY + number(_MOST - 4) + b"\0" * (_MOST - 4) + b"\0", "values"
        ),
        "a string of 2^62 bytes": (text, _BODY + number(1 << 62) + b"x", "too early"),
        "a string of -1 bytes": (text, _BODY + number(-1) + b"x", "too early"),
        "a number without an end": (with_extra("long"), _BODY + b"\xff" * 1000, "does not end"),
        "a branch that there is not": (with_extra(["null", "long"]), _BODY + number(2), "branch"),
        "a branch before the first": (with_extra(["null", "long"]), _BODY + number(-1), "branch"),
        "a symbol before the first": (
            with_extra({"type": "enum", "name": "E", "symbols": ["A", "B"]}), _BODY + number(-1), "symbol"
        ),
        "nothing behind the fixed": (with_extra({"type": "fixed", "name": "F", "size": 1 << 20}), _BODY, "too early"),
        "bytes behind the end": (with_extra("long"), _BODY + number(7) + b"x", "behind"),
    }  # fmt: skip


def _harmless() -> dict[str, tuple[Any, bytes]]:
    """What looks like one of these, or is only left behind: read as the request that it is."""
    marks = {"__fastavro_parsed": True, "__named_schemas": {"separation.v1.SourceObject": "null"}}
    huge: Any = "x"
    for _ in range(80):
        huge = [huge]
    bomb = {"name": "extra", "type": "long", "default": huge}
    return {
        "marks alone": ({**_REQUEST, **marks}, _BODY),
        "a default of 80 lists": ({**_REQUEST, "fields": [*_REQUEST["fields"], bomb]}, _BODY + number(7)),
        "a decimal of any precision": (
            with_extra({"type": "bytes", "logicalType": "decimal", "precision": 10**300, "scale": -1}),
            _BODY + number(1) + b"x",
        ),
        "doubled 10 times": (with_extra("R10", *doubled(10, "boolean")), _BODY + b"\1" * (2047 + 1024)),
        "20 blocks of items": (with_extra(array("long")), _BODY + (number(-2) + number(2) + b"\2\2") * 20 + b"\0"),
    }


def attacks() -> Mapping[str, Attack]:
    """All of them by name."""

    def text(schema: Any) -> str:
        return schema if isinstance(schema, str) else json.dumps(schema)

    return {
        name: Attack(text=text(schema), body=body, code=code, says=says)
        for code, group in ((Code.SCHEMA_UNKNOWN, _schemas()), (Code.AVRO_UNDECODABLE, _records()))
        for name, (schema, body, says) in group.items()
    } | {name: Attack(text=text(schema), body=body, code=DONE) for name, (schema, body) in _harmless().items()}


def outcome(name: str, attack: Attack) -> Seen:
    """What the service's codec makes of it, whose registry holds the schema's text under id 7."""
    try:
        schema = schema_of(attack.text, "schema id 7")
        AvroCodec(FakeRegistry({7: schema})).decode_request(b"\x00\x00\x00\x00\x07" + attack.body)
    except Rejected as rejected:
        return Seen(name=name, code=rejected.code, message=rejected.message)
    return Seen(name=name, code=DONE)


def seen_in_a_process(names: Iterable[str]) -> Mapping[str, Seen]:
    """What came of each in a process of its own; it begins anew behind one that it died of, which is left out."""
    left = list(names)
    found: dict[str, Seen] = {}
    while left:
        ran = subprocess.run(
            [sys.executable, "-m", "harness.avro_attacks", *left],
            stdout=subprocess.PIPE, text=True, timeout=_PATIENCE_S, check=False,
        )  # fmt: skip
        lines = [Seen(**json.loads(line)) for line in ran.stdout.splitlines()]
        found |= {seen.name: seen for seen in lines}
        left = left[len(lines) + 1 :] if ran.returncode else []
    return found


def main() -> None:
    known = attacks()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in sys.argv[1:]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + MAX_CPU_S, resource.RLIM_INFINITY)
        )
        sys.stdout.write(json.dumps(asdict(outcome(name, known[name]))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
