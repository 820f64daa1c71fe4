"""`schemas check` and `schemas register`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.core.errors import Fatal, SettingsError

if TYPE_CHECKING:
    from consumer.adapters.avro.codec import Schema
    from consumer.adapters.registry import ConfluentRegistry

app = typer.Typer(no_args_is_help=True, help="The events' schemas.")


@app.command()
def check(
    against: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A folder of .avsc files instead of the registry."),
    ] = None,
) -> None:
    """Check that these schemas can read all that was written with those in the registry, or in a folder."""
    from consumer.adapters.avro.codec import load_schema
    from consumer.adapters.avro.evolution import obstacles
    from consumer.core.events import SCHEMA_FILES

    registry = None if against else _registry()
    broken = 0
    for name in SCHEMA_FILES.values():
        earlier = _in_folder(against, name) if against else _in_registry(registry, name)
        current = load_schema(name)
        found = [f"{what}: {why}" for what, schema in earlier.items() for why in obstacles(current, schema)]
        broken += bool(found)
        typer.echo(f"{name}: {'; '.join(found) or (f'reads {_listed(earlier)}' if earlier else 'is new there')}")
    if broken:
        raise Fatal(f"{broken} schemas can't read what was written before")


@app.command()
def register() -> None:
    """Register each schema under its subject; one line each, with its id. What is there already stays as it is."""
    from consumer.adapters.avro.codec import load_schema
    from consumer.core.events import SCHEMA_FILES

    registry = _registry()
    for name in SCHEMA_FILES.values():
        schema_id = registry.register(name, load_schema(name))
        typer.echo(f"{registry.subject(name)}: {name} has id {schema_id}")


def _registry() -> "ConfluentRegistry":
    from consumer.adapters.factories import make_registry
    from consumer.settings import SchemaSettings, TopicSettings

    registry = make_registry(SchemaSettings.load(), TopicSettings.load())
    if registry is None:
        raise SettingsError("SCHEMA_REGISTRY_URL must be set")
    return registry


def _in_registry(registry: "ConfluentRegistry | None", name: str) -> "Mapping[str, Schema]":
    assert registry
    return {f"version {number}": schema for number, schema in registry.versions(name).items()}


def _in_folder(folder: Path, name: str) -> "Mapping[str, Schema]":
    path = folder / f"{name}.avsc"
    if not path.exists():
        return {}
    try:
        return {path.name: json.loads(path.read_text("utf-8"))}
    except (OSError, ValueError) as error:
        raise Fatal(f"{path} is not JSON that can be read ({error})") from error


def _listed(earlier: "Mapping[str, Schema]") -> str:
    return ", ".join(earlier)
