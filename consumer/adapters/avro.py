"""Events as Avro bytes, by fastavro: single-object encoding, or Confluent's with a schema registry.

Untrusted bytes are only ever read by a schema that is known beforehand, by its fingerprint or from the registry:
fastavro crashes the process on deep recursion and lets `array<null>` turn 5 bytes into 400 MB, so a writer's schema
with either is refused.
"""

import dataclasses
import io
import json
from importlib import resources
from typing import Any, Protocol, TypeVar

import fastavro
import fastavro.schema
import msgspec

from consumer.errors import Code, Rejected
from consumer.events import SCHEMA_FILES, Event, SeparationRequest

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


def load_schema(name: str) -> Schema:
    """The schema in schemas/<name>.avsc, as it was written."""
    schema: Schema = json.loads((resources.files("consumer") / "schemas" / f"{name}.avsc").read_text("utf-8"))
    return schema


def fingerprint(schema: Schema) -> bytes:
    """CRC-64-AVRO of the schema's canonical form, 8 bytes, little-endian, as single-object encoding wants it."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


class AvroCodec:
    """See ports.Codec. With a registry, what is written is in Confluent's format; both formats are read."""

    def __init__(self, registry: Registry | None = None) -> None:
        self._registry = registry
        self._raw = {kind: load_schema(name) for kind, name in SCHEMA_FILES.items()}
        self._parsed = {kind: fastavro.parse_schema(raw) for kind, raw in self._raw.items()}
        self._fingerprints = {kind: fingerprint(raw) for kind, raw in self._raw.items()}
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

    def decode(self, kind: type[E], value: bytes | None) -> E:
        """Raises Rejected(AVRO_UNDECODABLE, SCHEMA_UNKNOWN, REQUEST_INVALID) or RegistryUnavailable."""
        if not value:
            raise Rejected(Code.AVRO_UNDECODABLE, "the record has no value")
        if len(value) > MAX_VALUE_BYTES:
            raise Rejected(Code.AVRO_UNDECODABLE, f"the record is larger than {MAX_VALUE_BYTES} bytes")
        if value.startswith(SINGLE_OBJECT_MARKER) and len(value) >= 10:
            if value[2:10] != self._fingerprints[kind]:
                raise Rejected(Code.SCHEMA_UNKNOWN, f"unknown schema fingerprint {value[2:10].hex()}")
            return self._read(kind, value[10:], self._parsed[kind])
        if value.startswith(CONFLUENT_MAGIC) and len(value) >= 5:
            return self._read(kind, value[5:], self._writer(int.from_bytes(value[1:5], "big")))
        raise Rejected(Code.AVRO_UNDECODABLE, "neither Avro single-object encoding nor Confluent's wire format")

    def _writer(self, schema_id: int) -> Any:
        if self._registry is None:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id}, but no SCHEMA_REGISTRY_URL is set")
        if schema_id not in self._registered:
            schema = self._registry.schema(schema_id)
            refuse_dangerous(schema)
            self._registered[schema_id] = fastavro.parse_schema(schema)
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
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise Rejected(Code.REQUEST_INVALID, str(error)) from error


def refuse_dangerous(schema: Schema) -> None:
    """Raises Rejected(SCHEMA_UNKNOWN) for a writer's schema that could be used against its reader."""
    _walk(schema, frozenset())


def _walk(schema: Any, inside: frozenset[str]) -> None:
    match schema:
        case list():
            for branch in schema:
                _walk(branch, inside)
        case str() if schema in inside:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"the writer's schema is recursive at {schema}")
        case {"type": "record" | "error", "name": name, "fields": fields}:
            space = schema.get("namespace")
            names = {name, f"{space}.{name}"} if space else {name}
            for field in fields:
                _walk(field["type"], inside | names)
        case {"type": "array", "items": items} | {"type": "map", "values": items}:
            if _is_zero_width(items):
                raise Rejected(Code.SCHEMA_UNKNOWN, "the writer's schema repeats items that take no bytes")
            _walk(items, inside)
        case {"type": inner} if isinstance(inner, dict | list):
            _walk(inner, inside)
        case _:
            pass


def _is_zero_width(schema: Any) -> bool:
    match schema:
        case "null" | {"type": "null"}:
            return True
        case {"type": "record", "fields": fields}:
            return all(_is_zero_width(field["type"]) for field in fields)
        case {"type": "fixed", "size": size}:
            return bool(size == 0)
        case _:
            return False
