"""How a failure is told to a person: one line on standard error."""

import typer

from consumer.core.errors import Rejected


def tell(error: Exception, *, about: str = "") -> None:
    """Print the error as a line, with its code where it has one, and with what it is about."""
    reason = f"{error.code}: {error.message}" if isinstance(error, Rejected) else str(error)
    parts = ("spleeter-consumer", about, " ".join(reason.split()))
    typer.echo(": ".join(filter(None, parts)), err=True)
