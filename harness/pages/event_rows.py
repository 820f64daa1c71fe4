"""An event's fields as a table, from what its schema says of them."""

from collections.abc import Iterator

from consumer.adapters.avro.codec import Schema, load_schema


def event_rows(name: str) -> str:
    """The table of an event's fields, as its schema documents them; those of records inside it by `outer.inner`."""
    head = "| field | type | default | unit, range and meaning |\n|---|---|---|---|\n"
    return head + "".join(_field_rows(load_schema(name), ""))


def _field_rows(schema: Schema, prefix: str) -> Iterator[str]:
    for field in schema["fields"]:
        name, kind = f"{prefix}{field['name']}", field["type"]
        if isinstance(kind, dict) and kind["type"] == "record":
            yield from _field_rows(kind, f"{name}.")
            continue
        default = _avro_default(field, kind)
        meaning = field["doc"].replace("<", "&lt;").replace("|", "\\|")
        yield f"| `{name}` | {_avro_type(kind)} | {default} | {meaning} |\n"
        if isinstance(kind, dict) and kind["type"] == "array" and isinstance(kind["items"], dict):
            yield from _field_rows(kind["items"], f"{name}[].")


def _avro_type(kind: object) -> str:
    match kind:
        case ["null", one]:
            return f"{_avro_type(one)} or null"
        case {"logicalType": "timestamp-millis"}:
            return "time (timestamp-millis)"
        case {"type": "map", "values": values}:
            return f"map of {_avro_type(values)}"
        case {"type": "array", "items": {"name": item}}:
            return f"array of {item}"
        case _:
            return str(kind)


def _avro_default(field: Schema, kind: object) -> str:
    if "default" not in field:
        return "must be set"
    match field["default"]:
        case None:
            return "null"
        case "" | []:
            return "empty"
        case dict():
            return "empty"
        case 0 if "time" in _avro_type(kind):
            return "1970"
        case bool(value):
            return f"`{str(value).lower()}`"
        case value:
            return f"`{value}`"
