"""`lag`: how far the group is behind, also where no replica runs."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from consumer.core.lag import Backlog

_COLUMNS = ("topic", "partition", "messages", "seconds")
_HELD = "held"  # only where there is any


def lag(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of objects instead of a table.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it as metrics on HTTP_HOST:HTTP_PORT, until told to stop.")
    ] = False,
    # A cluster that is new makes the topic of its groups' offsets first.
    timeout_s: Annotated[float, typer.Option(min=0.0, help="How long a cluster may take to get ready.")] = 10.0,
) -> None:
    """Print each partition's unfinished records and the age of the oldest, in seconds.

    Where a sender's transaction is open, `held` counts the offsets behind it, which nobody can read before it ends.
    """
    if serve and as_json:
        raise typer.BadParameter("metrics are served, not printed", param_hint="--json")
    if serve:
        _serve()
        return
    from consumer.app.vendors import make_lag
    from consumer.settings import KafkaSettings, SchemaSettings, ServiceSettings, TopicSettings, retry_topics

    topics = TopicSettings.load()
    retries = retry_topics(topics, ServiceSettings.load())
    reader = make_lag(KafkaSettings.load(), topics, retries, SchemaSettings.load())
    backlog = reader.read(timeout_s=timeout_s)
    if reader.trouble:
        typer.echo(f"lag: {reader.trouble}", err=True)
    typer.echo(report(backlog, now_s=time.time(), as_json=as_json))


def _serve() -> None:
    from consumer.app.lag_exporter import LagExporter, told_to_stop
    from consumer.app.vendors import make_lag
    from consumer.core.version import VERSION
    from consumer.observability import logging as logs
    from consumer.settings import (
        KafkaSettings,
        LogSettings,
        SchemaSettings,
        SeparatorSettings,
        ServiceSettings,
        TopicSettings,
        retry_topics,
    )

    log, topics, service = LogSettings.load(), TopicSettings.load(), ServiceSettings.load()
    logs.configure(log.level, log.format, instance_id=service.instance_id, version=VERSION)
    retries, schema = retry_topics(topics, service), SchemaSettings.load()
    reader = make_lag(KafkaSettings.load(), topics, retries, schema, instance_id=service.instance_id)
    separators = SeparatorSettings.load().separator_processes
    with told_to_stop() as stopped:
        exporter = LagExporter(reader, service, requests_topic=topics.requests, separators=separators)
        stopped.wait()
        exporter.close()


def report(backlog: "Backlog", *, now_s: float, as_json: bool) -> str:
    """A backlog as a table with a line a partition, or as a JSON array; `now_s` is in seconds since 1970."""
    rows: list[dict[str, object]] = [
        {
            "topic": found.partition.topic,
            "partition": found.partition.partition,
            "messages": found.messages,
            "seconds": round(found.waited_s(now_s), 3),
        }
        | ({"held": found.held} if found.held else {})
        for found in backlog.lags
    ]
    return json.dumps(rows) if as_json else _table(rows)


def _table(rows: list[dict[str, object]]) -> str:
    columns = (*_COLUMNS, _HELD) if any(_HELD in row for row in rows) else _COLUMNS
    cells = [columns, *(tuple(str(row.get(column, 0)) for column in columns) for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(columns))]
    return "\n".join(
        f"{line[0]:<{widths[0]}}" + "".join(f"  {line[i]:>{widths[i]}}" for i in range(1, len(columns)))
        for line in cells
    )
