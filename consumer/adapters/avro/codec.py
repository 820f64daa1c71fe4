"""Events as Avro bytes, by fastavro: single-object encoding, or Confluent's with a schema registry.

Untrusted bytes are only ever read by a schema that is known beforehand, by its fingerprint or from the registry:
fastavro crashes the process on deep recursion and lets `array<null>` turn 5 bytes into 400 MB, so a writer's schema
with either is refused.
"""

import dataclasses
import io
import json
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Protocol, TypeVar

import fastavro
import fastavro.schema
import msgspec

from consumer.core.errors import Code, Rejected
from consumer.core.events import SCHEMA_FILES, Event, SeparationControl, SeparationRequest

SINGLE_OBJECT_MARKER = b"\xc3\x01"  # Avro specification, "Single-object encoding"
CONFLUENT_MAGIC = b"\x00"
MAX_VALUE_BYTES = 1 << 20  # Kafka's own default for a record

Schema = dict[str, Any]
E = TypeVar("E", bound=Event)


class Registry(Protocol):
    """A schema registry."""

    def schema(self, schema_id: int) -> Schema:
        """Raises Rejected(SCHEMA_UNKNOWN) or RegistryUnavailable."""
        ...

    def id_of(self, name: str, schema: Schema) -> int:
        """The id under which the schema of that event is registered. Raises RegistryUnavailable."""
        ...


def packaged_schemas() -> Traversable:
    """The folder of the schemas that this version writes with, as it is installed."""
    return resources.files("consumer") / "schemas"


def load_schema(name: str) -> Schema:
    """The schema in schemas/<name>.avsc, as it was written."""
    schema: Schema = json.loads((packaged_schemas() / f"{name}.avsc").read_text("utf-8"))
    return schema


def load_earlier(name: str, folder: Traversable) -> list[Schema]:
    """What <folder>/<name>.avsc was before, from earlier/<name>.*.avsc in it: records of it still lie in topics."""
    earlier = folder / "earlier"
    found = earlier.iterdir() if earlier.is_dir() else ()
    return [json.loads(file.read_text("utf-8")) for file in found if file.name.startswith(f"{name}.")]


def fingerprint(schema: Schema) -> bytes:
    """CRC-64-AVRO of the schema's canonical form, 8 bytes, little-endian, as single-object encoding wants it."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


class AvroCodec:
    """See ports.Codec. With a registry, what is written is in Confluent's format; both formats are read.

    `schemas` is the folder whose earlier/ holds what the schemas were before; by default the installed one.
    """

    def __init__(self, registry: Registry | None = None, *, schemas: Traversable | None = None) -> None:
        self._registry = registry
        schemas = schemas or packaged_schemas()
        self._raw = {kind: load_schema(name) for kind, name in SCHEMA_FILES.items()}
        self._parsed = {kind: fastavro.parse_schema(raw) for kind, raw in self._raw.items()}
        self._fingerprints = {kind: fingerprint(raw) for kind, raw in self._raw.items()}
        self._writers = {
            kind: {fingerprint(earlier): parse_writers(earlier) for earlier in load_earlier(name, schemas)}
            | {self._fingerprints[kind]: self._parsed[kind]}
            for kind, name in SCHEMA_FILES.items()
        }
        self._registered: dict[int, Any] = {}

    def encode(self, event: Event) -> bytes:
        kind = type(event)
        out = io.BytesIO()
        out.write(self._frame(kind))
        fastavro.schemaless_writer(out, self._parsed[kind], dataclasses.asdict(event))
        return out.getvalue()

    def _frame(self, kind: type[Event]) -> bytes:
        if self._registry is None:
            return SINGLE_OBJECT_MARKER + self._fingerprints[kind]
        schema_id = self._registry.id_of(SCHEMA_FILES[kind], self._raw[kind])
        return CONFLUENT_MAGIC + schema_id.to_bytes(4, "big")

    def decode_request(self, value: bytes | None) -> SeparationRequest:
        return self.decode(SeparationRequest, value)

    def decode_control(self, value: bytes | None) -> SeparationControl:
        return self.decode(SeparationControl, value)

    def decode(self, kind: type[E], value: bytes | None) -> E:
        """Raises Rejected(AVRO_UNDECODABLE, SCHEMA_UNKNOWN, REQUEST_INVALID) or RegistryUnavailable."""
        if not value:
            raise Rejected(Code.AVRO_UNDECODABLE, "the record has no value")
        if len(value) > MAX_VALUE_BYTES:
            raise Rejected(Code.AVRO_UNDECODABLE, f"the record is larger than {MAX_VALUE_BYTES} bytes")
        if value.startswith(SINGLE_OBJECT_MARKER) and len(value) >= 10:
            writer = self._writers[kind].get(value[2:10])
            if writer is None:
                raise Rejected(Code.SCHEMA_UNKNOWN, f"unknown schema fingerprint {value[2:10].hex()}")
            return self._read(kind, value[10:], writer)
        if value.startswith(CONFLUENT_MAGIC) and len(value) >= 5:
            return self._read(kind, value[5:], self._writer(int.from_bytes(value[1:5], "big")))
        raise Rejected(Code.AVRO_UNDECODABLE, "neither Avro single-object encoding nor Confluent's wire format")

    def _writer(self, schema_id: int) -> Any:
        if self._registry is None:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id}, but no SCHEMA_REGISTRY_URL is set")
        if schema_id not in self._registered:
            self._registered[schema_id] = parse_writers(self._registry.schema(schema_id))
        return self._registered[schema_id]

    def _read(self, kind: type[E], body: bytes, writer: Any) -> E:
        stream = io.BytesIO(body)
        try:
            value = fastavro.schemaless_reader(stream, writer, self._parsed[kind])
        except fastavro.read.SchemaResolutionError as error:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"the writer's schema can't be read as ours: {error}") from error
        except Exception as error:  # fastavro raises whatever its reading of garbage comes to, IndexError for one
            raise Rejected(
                Code.AVRO_UNDECODABLE, f"the bytes do not fit their schema ({type(error).__name__})"
            ) from error
        if stream.read(1):
            raise Rejected(Code.AVRO_UNDECODABLE, "there are bytes behind the end of the value")
        try:
            # Not strict: of a field that the writer left out fastavro gives the default as it stands in the schema, and
            # that of a time is a number (0).
            return msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as error:
            raise Rejected(Code.REQUEST_INVALID, str(error)) from error


def parse_writers(schema: Schema) -> Any:
    """A writer's schema, parsed. Raises Rejected(SCHEMA_UNKNOWN) if it is none, or could be used against its reader."""
    named: dict[str, Any] = {}
    try:
        parsed = fastavro.parse_schema(schema, named_schemas=named)
        _refuse_dangerous(parsed, named, frozenset())
    except Rejected:
        raise
    except Exception as error:  # whatever comes of walking through something that is no schema
        raise Rejected(
            Code.SCHEMA_UNKNOWN, f"the writer's schema is none that can be read ({type(error).__name__})"
        ) from error
    return parsed


def _refuse_dangerous(schema: Any, named: Schema, inside: frozenset[str]) -> None:
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


def _is_zero_width(schema: Any, named: Schema) -> bool:
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
