"""The commands by their names, each with its module, which is imported when the command is looked at: not before."""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# In the order in which `--help` lists them: module, and the function or the Typer in it.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("run", "run"),
    "api": ("api", "api"),
    "webhooks": ("webhooks", "webhooks"),
    "separate": ("separate", "separate"),
    "request": ("requests", "request"),
    "cancel": ("requests", "cancel"),
    "watch": ("requests", "watch"),
    "forget": ("forget", "forget"),
    "lag": ("lag", "lag"),
    "doctor": ("doctor", "doctor"),
    "dlq": ("dlq", "app"),
    "topics": ("topics", "app"),
    "buckets": ("buckets", "app"),
    "models": ("models", "app"),
    "schemas": ("schemas", "app"),
    "keys": ("keys", "app"),
}


class LazyGroup(TyperGroup):
    """A group of COMMANDS: one that is called does not wait for what the others import."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base's signature
        """Their names; the base would load all."""
        return list(self.commands)


class _Commands(MutableMapping[str, Any]):
    """Name to command; each is made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = dict.fromkeys(COMMANDS)

    def __getitem__(self, name: str) -> Any:
        if self._made[name] is None:
            self._made[name] = _make(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def _make(name: str) -> Any:
    module, attribute = COMMANDS[name]
    found = getattr(import_module(f"{__package__}.{module}"), attribute)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name)
    else:
        alone.command(name)(found)
    return typer.main.get_group(alone).commands[name]
