"""A writer's schema as it may be read by: taken apart by rules of our own, before any library sees it.

Whoever may register a schema writes it, and libraries believe what stands in it: a type in itself ends the process, a
type that names the one before it twice, 60 times over, keeps it busy for ever. So everything here is counted while it
is read, a type that is named counts as if it were written out, and what is not needed to read by is left behind.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from consumer.core.errors import Code, Rejected

MAX_NODES = 10_000  # types, fields and symbols, those of a named type once for each time that it is named
MAX_DEPTH = 64  # of types in types
MAX_NAME = 512  # characters of a full name
MAX_FIXED_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LEAST_BYTES = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
# A type without a namespace gets this one: a name in a schema is a full one then, whatever it stands in. Records match
# by their names without it.
_NO_NAMESPACE = "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a value of a type looks like as bytes.

    kind: `union`, `record`, `enum`, `fixed`, `array`, `map`, or a primitive type's name. least_bytes: of a value.
    nodes, depth: of the type, written out. parts: its fields' types, its branches, or what it repeats. size: bytes of
    a fixed, symbols of an enum.
    """

    kind: str
    least_bytes: int
    nodes: int = 1
    depth: int = 1
    parts: tuple["Shape", ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A schema with nothing in it but what its values are read by, all names full ones, and its shape."""

    schema: Any
    shape: Shape


def read_schema(schema: Any) -> Read:
    """A writer's schema, from JSON. Raises Rejected(SCHEMA_UNKNOWN) with what is wrong with it, in plain words."""
    return _Reader().read(schema, _NO_NAMESPACE, 0)


def refuse(reason: str) -> NoReturn:
    """Raises Rejected(SCHEMA_UNKNOWN): the writer's schema `reason`."""
    raise Rejected(Code.SCHEMA_UNKNOWN, f"the writer's schema {reason}")


class _Reader:
    def __init__(self) -> None:
        self._named: dict[str, Read] = {}
        self._open: set[str] = set()
        self._nodes = 0
        self._kinds: Mapping[str, Callable[[dict[str, Any], str, int], Read]] = {
            "record": self._record, "error": self._record, "enum": self._enum, "fixed": self._fixed,
            "array": self._array, "map": self._map,
        }  # fmt: skip

    def read(self, schema: Any, namespace: str, depth: int) -> Read:
        """`namespace` is that of the type around it; `depth` counts the types around it."""
        self._count(1)
        if depth >= MAX_DEPTH:
            refuse(f"is nested more than {MAX_DEPTH} types deep")
        if isinstance(schema, str):
            return self._by_name(schema, namespace)
        if isinstance(schema, list):
            return self._union(schema, namespace, depth)
        if not isinstance(schema, dict) or "type" not in schema:
            refuse("has something in place of a type")
        kind = schema["type"]
        if not isinstance(kind, str):
            return self.read(kind, namespace, depth + 1)
        if kind in self._kinds:
            return self._kinds[kind](schema, namespace, depth + 1)
        return self._by_name(kind, namespace)

    def _count(self, nodes: int) -> None:
        """Of the text; named types are counted by `_combined`."""
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            refuse(f"has more than {MAX_NODES} parts")

    def _by_name(self, name: str, namespace: str) -> Read:
        if name in _LEAST_BYTES:
            return Read(schema=name, shape=Shape(kind=name, least_bytes=_LEAST_BYTES[name]))
        full = name if "." in name else f"{namespace}.{name}"
        if full not in self._named and full not in self._open:
            full = f"{_NO_NAMESPACE}.{name}"
        if full in self._open:
            refuse(f"is recursive at {_shown(full)}")
        if full not in self._named:
            refuse(f"names a type that it does not define: {_shown(name)}")
        return Read(schema=full, shape=self._named[full].shape)

    def _union(self, branches: list[Any], namespace: str, depth: int) -> Read:
        if not branches:
            refuse("has a union of nothing")
        read = [self.read(branch, namespace, depth + 1) for branch in branches]
        least = 1 + min(each.shape.least_bytes for each in read)
        return Read(schema=[each.schema for each in read], shape=_combined("union", least, read))

    def _record(self, schema: dict[str, Any], namespace: str, depth: int) -> Read:
        name, inner = self._defined(schema, namespace)
        fields = schema.get("fields")
        if not isinstance(fields, list):
            refuse(f"has no list of fields in {_shown(name)}")
        read: dict[str, Read] = {}
        for field in fields:
            if not isinstance(field, dict) or "type" not in field or not _is_name(field.get("name")):
                refuse(f"has a field without a proper name or type in {_shown(name)}")
            if field["name"] in read:
                refuse(f"has two fields {_shown(field['name'])} in {_shown(name)}")
            read[field["name"]] = self.read(field["type"], inner, depth)
        least = sum(each.shape.least_bytes for each in read.values())
        plain = [{"name": field, "type": each.schema} for field, each in read.items()]
        shape = _combined("record", least, list(read.values()))
        return self._close(name, Read(schema={"type": "record", "name": name, "fields": plain}, shape=shape))

    def _enum(self, schema: dict[str, Any], namespace: str, _depth: int) -> Read:
        name, _ = self._defined(schema, namespace)
        symbols = schema.get("symbols")
        if not isinstance(symbols, list) or not symbols or not all(map(_is_name, symbols)):
            refuse(f"has no proper list of symbols in {_shown(name)}")
        if len(set(symbols)) < len(symbols):
            refuse(f"has a symbol twice in {_shown(name)}")
        self._count(len(symbols))
        shape = Shape(kind="enum", least_bytes=1, nodes=1 + len(symbols), size=len(symbols))
        return self._close(name, Read(schema={"type": "enum", "name": name, "symbols": list(symbols)}, shape=shape))

    def _fixed(self, schema: dict[str, Any], namespace: str, _depth: int) -> Read:
        name, _ = self._defined(schema, namespace)
        size = schema.get("size")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_FIXED_BYTES:
            refuse(f"has no proper size in {_shown(name)}: 0 to {MAX_FIXED_BYTES}")
        shape = Shape(kind="fixed", least_bytes=size, size=size)
        return self._close(name, Read(schema={"type": "fixed", "name": name, "size": size}, shape=shape))

    def _array(self, schema: dict[str, Any], namespace: str, depth: int) -> Read:
        return self._repeated("array", "items", schema, namespace, depth)

    def _map(self, schema: dict[str, Any], namespace: str, depth: int) -> Read:
        return self._repeated("map", "values", schema, namespace, depth)

    def _repeated(self, kind: str, key: str, schema: dict[str, Any], namespace: str, depth: int) -> Read:
        if key not in schema:
            refuse(f"does not say of what it has {'an array' if kind == 'array' else 'a map'}")
        item = self.read(schema[key], namespace, depth)
        if not item.shape.least_bytes:
            refuse("repeats items that take no bytes")
        return Read(schema={"type": kind, key: item.schema}, shape=_combined(kind, 1, [item]))

    def _defined(self, schema: dict[str, Any], namespace: str) -> tuple[str, str]:
        """The full name of a type that is defined here, and the namespace of what is in it."""
        name, own = schema.get("name"), schema.get("namespace", namespace)
        if not isinstance(name, str) or not isinstance(own, str):
            refuse("has a type without a proper name")
        full = name if "." in name else f"{own or _NO_NAMESPACE}.{name}"
        if len(full) > MAX_NAME or not all(map(_is_name, full.split("."))) or name in _LEAST_BYTES:
            refuse(f"has a type without a proper name: {_shown(full)}")
        if full in self._named or full in self._open:
            refuse(f"defines {_shown(full)} twice")
        self._open.add(full)
        return full, full.rpartition(".")[0]

    def _close(self, name: str, read: Read) -> Read:
        self._open.remove(name)
        self._named[name] = read
        return read


def _combined(kind: str, least_bytes: int, parts: list[Read]) -> Shape:
    shapes = tuple(part.shape for part in parts)
    nodes = 1 + sum(shape.nodes for shape in shapes)
    depth = 1 + max((shape.depth for shape in shapes), default=0)
    if nodes > MAX_NODES:
        refuse(f"has more than {MAX_NODES} parts once its names are written out")
    if depth > MAX_DEPTH:
        refuse(f"is nested more than {MAX_DEPTH} types deep once its names are written out")
    return Shape(kind=kind, least_bytes=least_bytes, nodes=nodes, depth=depth, parts=shapes)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def _shown(name: str) -> str:
    """A name as it may stand in a reason, however it was chosen."""
    return name if len(name) <= 80 and name.isprintable() else repr(name[:80])
