"""Events as Avro bytes, by fastavro: single-object encoding, or Confluent's with a schema registry.

Untrusted bytes are only ever read by a schema that is known beforehand, by its fingerprint or from the registry:
fastavro crashes the process on deep recursion and lets `array<null>` turn 5 bytes into 400 MB. One that is not ours is
taken apart by `shapes` first, and so are the bytes, by `body_check`. What is read by another schema than ours is
resolved by Avro's rules; times, by their units.
"""

import io
import json
import threading
from dataclasses import replace
from datetime import datetime
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Protocol, TypeVar

import fastavro
import fastavro.schema
import msgspec

from consumer.adapters.avro.body_check import check_body
from consumer.adapters.avro.times import Unit, fields_of_time, point_in_time
from consumer.adapters.avro.writers import Writer, parse_writers
from consumer.core.errors import Code, Rejected
from consumer.core.events import SCHEMA_FILES, Event, SeparationControl, SeparationRequest

SINGLE_OBJECT_MARKER = b"\xc3\x01"  # Avro specification, "Single-object encoding"
CONFLUENT_MAGIC = b"\x00"
MAX_VALUE_BYTES = 1 << 20  # Kafka's own default for a record
_MAX_SCHEMAS = 256  # of a registry's that are remembered, those that were refused included
_MAX_REASON = 300  # characters of what fastavro says of a schema, which it quotes
_AS_THEY_ARE = (datetime, bytes)  # of an event's values; fastavro writes these itself

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
        self._times = {kind: fields_of_time(raw) for kind, raw in self._raw.items()}
        self._writers = {
            kind: {
                fingerprint(schema): replace(parse_writers(schema, self._times[kind]), shape=None)
                for schema in (*load_earlier(name, schemas), self._raw[kind])
            }
            for kind, name in SCHEMA_FILES.items()
        }
        self._ours = {kind: {each.canonical for each in known.values()} for kind, known in self._writers.items()}
        self._lock = threading.Lock()
        self._registered: dict[tuple[type[Event], int], Writer | Rejected] = {}

    def encode(self, event: Event) -> bytes:
        kind = type(event)
        out = io.BytesIO()
        out.write(self._frame(kind))
        fastavro.schemaless_writer(out, self._parsed[kind], msgspec.to_builtins(event, builtin_types=_AS_THEY_ARE))
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
            return self._read(kind, value[5:], self._writer(kind, int.from_bytes(value[1:5], "big")))
        raise Rejected(Code.AVRO_UNDECODABLE, "neither Avro single-object encoding nor Confluent's wire format")

    def _writer(self, kind: type[Event], schema_id: int) -> Writer:
        if self._registry is None:
            raise Rejected(Code.SCHEMA_UNKNOWN, f"schema id {schema_id}, but no SCHEMA_REGISTRY_URL is set")
        with self._lock:
            known = self._registered.get((kind, schema_id))
        if known is None:
            known = self._asked(kind, self._registry.schema(schema_id))
            with self._lock:
                if len(self._registered) >= _MAX_SCHEMAS:
                    del self._registered[next(iter(self._registered))]
                self._registered[kind, schema_id] = known
        if isinstance(known, Rejected):
            raise Rejected(known.code, known.message)
        return known

    def _asked(self, kind: type[Event], schema: Schema) -> Writer | Rejected:
        """What a schema of the registry's comes to, for good: an id is never given to another."""
        try:
            return parse_writers(schema, self._times[kind], ours=self._ours[kind])
        except Rejected as rejected:
            return Rejected(rejected.code, rejected.message)

    def _read(self, kind: type[E], body: bytes, writer: Writer) -> E:
        if writer.shape is not None:
            check_body(writer.shape, body)
        stream = io.BytesIO(body)
        try:
            value: Any = fastavro.schemaless_reader(stream, writer.parsed, self._parsed[kind])
        except fastavro.read.SchemaResolutionError as error:
            told = str(error)[:_MAX_REASON]
            raise Rejected(Code.SCHEMA_UNKNOWN, f"the writer's schema can't be read as ours: {told}") from error
        except Exception as error:  # fastavro raises whatever its reading of garbage comes to, IndexError for one
            raise Rejected(
                Code.AVRO_UNDECODABLE, f"the bytes do not fit their schema ({type(error).__name__})"
            ) from error
        if stream.read(1):
            raise Rejected(Code.AVRO_UNDECODABLE, "there are bytes behind the end of the value")
        for name in self._times[kind]:
            if value[name] is not None:
                value[name] = point_in_time(name, value[name], writer.units.get(name, Unit.MILLISECONDS))
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise Rejected(Code.REQUEST_INVALID, str(error)) from error
