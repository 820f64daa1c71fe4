"""The commands. What a command needs is imported when it is called: `request` must not wait for what `run` loads."""

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from consumer.cli import (
    api,
    buckets,
    dlq,
    doctor,
    forget,
    keys,
    lag,
    models,
    requests,
    run,
    schemas,
    separate,
    topics,
    webhooks,
)
from consumer.cli.errors import open_standard_streams, tell, tell_of_system
from consumer.core.errors import ConsumerError
from consumer.core.extras import not_installed

app = typer.Typer(
    name="spleeter-consumer",
    help="Separates music into stems with Spleeter, as a Kafka consumer group.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(run.run)
app.command()(api.api)
app.command()(webhooks.webhooks)
app.command()(separate.separate)
app.command()(requests.request)
app.command()(requests.cancel)
app.command()(requests.watch)
app.command()(forget.forget)
app.command()(lag.lag)
app.add_typer(dlq.app, name="dlq")
app.add_typer(topics.app, name="topics")
app.add_typer(buckets.app, name="buckets")
app.add_typer(models.app, name="models")
app.add_typer(schemas.app, name="schemas")
app.add_typer(keys.app, name="keys")
app.command()(doctor.doctor)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature
    if wanted:
        typer.echo(version("spleeter-consumer"))
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Exit code 0 on success, 2 on wrong usage, 1 otherwise, with one line on standard error."""
    open_standard_streams()
    # Without a handler Python prints what librdkafka complains of; `run` sets up logging of its own.
    logging.getLogger("librdkafka").addHandler(logging.NullHandler())
    try:
        app()
    except ConsumerError as error:
        tell(error)
    except ModuleNotFoundError as error:
        tell(not_installed(error.name or str(error)))
    except OSError as error:
        tell_of_system(error)
    sys.exit(1)  # what goes well ends otherwise
