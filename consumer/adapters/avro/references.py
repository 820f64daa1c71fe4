"""A schema that names types of other schemas, made whole: with their definitions in it."""

from collections.abc import Iterable, Mapping
from typing import Any

from consumer.adapters.avro.codec import Schema
from consumer.core.errors import Code, Rejected

_PRIMITIVE = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAMED = frozenset({"record", "error", "enum", "fixed"})
# What has no namespace gets this one: inside of another namespace it could not be named otherwise. Records match by
# their names without it.
_NONE = "_"


def inlined(schema: Any, others: Iterable[Any]) -> Any:
    """`schema`, where the first use of each named type that `others` define is its definition.

    Raises Rejected(SCHEMA_UNKNOWN) where one of them is no schema.
    """
    try:
        definitions: dict[str, Schema] = {}
        for other in others:
            _collect(other, _NONE, definitions)
        return _Inliner(definitions).whole(schema, _NONE)
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        reason = f"the writer's schema or one that it refers to is none ({type(error).__name__})"
        raise Rejected(Code.SCHEMA_UNKNOWN, reason) from error


def _collect(schema: Any, namespace: str, found: dict[str, Schema]) -> None:
    """Each named type that is defined in a schema, with its full name as its name."""
    if isinstance(schema, list):
        for branch in schema:
            _collect(branch, namespace, found)
    elif isinstance(schema, dict):
        if isinstance(schema["type"], str) and schema["type"] in _NAMED:
            name = _full_name(schema["name"], schema.get("namespace", namespace))
            found.setdefault(name, {**schema, "name": name})
            namespace = _namespace_of(name)
        for inner in _inner(schema):
            _collect(inner, namespace, found)


def _inner(schema: Schema) -> list[Any]:
    """The types that a type is made of."""
    fields = [field["type"] for field in schema.get("fields", ())]
    return [*fields, *(schema[key] for key in ("type", "items", "values") if isinstance(schema.get(key), dict | list))]


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name else f"{namespace or _NONE}.{name}"


def _namespace_of(full_name: str) -> str:
    return full_name.rpartition(".")[0]


class _Inliner:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._there: set[str] = set()

    def whole(self, schema: Any, namespace: str) -> Any:
        """All names in what is returned are full ones."""
        if isinstance(schema, str):
            return schema if schema in _PRIMITIVE else self._named(schema, namespace)
        if isinstance(schema, list):
            return [self.whole(branch, namespace) for branch in schema]
        kind = schema["type"]
        if isinstance(kind, str) and kind in _NAMED:
            return self._defined(schema, namespace)
        if kind in ("array", "map"):
            key = "items" if kind == "array" else "values"
            return {**schema, key: self.whole(schema[key], namespace)}
        return {**schema, "type": self.whole(kind, namespace)}

    def _named(self, name: str, namespace: str) -> Any:
        # A name is one of its own namespace; where there is none such, one without a namespace.
        for full in (_full_name(name, namespace), _full_name(name, _NONE)):
            if full in self._there:
                return full
            if full in self._definitions:
                return self._defined(self._definitions[full], _NONE)
        return name

    def _defined(self, schema: Schema, namespace: str) -> Any:
        name = _full_name(schema["name"], schema.get("namespace", namespace))
        if name in self._there:
            return name  # the same definition, in another of the schemas
        self._there.add(name)
        whole = {key: value for key, value in schema.items() if key != "namespace"} | {"name": name}
        if "fields" in schema:
            inner = _namespace_of(name)
            whole["fields"] = [{**field, "type": self.whole(field["type"], inner)} for field in schema["fields"]]
        return whole
