"""The `spleeter` command as it is, on a current typer, which no longer re-exports two names that it imports."""

import typing

import typer.models

typer.models.List = typing.List  # type: ignore[attr-defined]  # noqa: UP006
typer.models.Optional = typing.Optional  # type: ignore[attr-defined]

from spleeter.__main__ import entrypoint  # noqa: E402

entrypoint()
