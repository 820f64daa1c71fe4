"""How a failure is told to a person: one line on standard error."""

import os
import sys

import typer

from consumer.core.errors import Fatal, Rejected


def tell(error: Exception, *, about: str = "") -> None:
    """Print the error as a line, with its code where it has one, and with what it is about."""
    reason = f"{error.code}: {error.message}" if isinstance(error, Rejected) else str(error)
    parts = ("spleeter-consumer", about, " ".join(reason.split()))
    typer.echo(": ".join(filter(None, parts)), err=True)


def tell_of_system(error: OSError) -> None:
    """Print what the system refused as a line, with the file that it is about. Nothing more goes to the output."""
    reason = error.strerror or str(error) or type(error).__name__
    tell(Fatal(f"{error.filename}: {reason}" if error.filename else reason))
    # What is still in its buffer would fail once more, and louder, at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def open_standard_streams() -> None:
    """Put nothing in the place of those that are closed: else the next file that is opened would be taken for one."""
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115 - for as long as the process lives
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
