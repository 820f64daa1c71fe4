"""The commands. What a command needs is imported when it is called: `request` must not wait for what `run` loads."""

import sys
from typing import Annotated

import typer

from consumer.cli.commands import LazyGroup
from consumer.cli.errors import open_standard_streams, tell, tell_of_system
from consumer.core.errors import ConsumerError
from consumer.core.extras import not_installed

app = typer.Typer(
    cls=LazyGroup,
    name="spleeter-consumer",
    help="Separates music into stems with Spleeter, as a Kafka consumer group.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        from consumer.core.version import VERSION

        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    import logging  # which `--help` need not wait for

    # Without a handler Python prints what librdkafka complains of; `run` sets up logging of its own.
    logging.getLogger("librdkafka").addHandler(logging.NullHandler())


def main() -> None:
    """Exit code 0 on success, 2 on wrong usage, 1 otherwise, with one line on standard error."""
    open_standard_streams()
    try:
        app()
    except ConsumerError as error:
        tell(error)
    except ModuleNotFoundError as error:
        tell(not_installed(error.name or str(error)))
    except OSError as error:
        tell_of_system(error)
    sys.exit(1)  # what goes well ends otherwise
