"""`lag`: how far the group is behind, also where no replica runs."""

import json
import time
from typing import Annotated

import typer

_PATIENCE_S = 10.0  # a cluster that is new makes the topic of its groups' offsets first


def lag(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array of objects instead of a table.")] = False,
) -> None:
    """Print each partition's unfinished records and the age of the oldest, in seconds."""
    from consumer.app.parts import make_lag, retry_topics
    from consumer.settings import KafkaSettings, SchemaSettings, ServiceSettings, TopicSettings

    topics = TopicSettings.load()
    retries = retry_topics(topics, ServiceSettings.load())
    backlog = make_lag(KafkaSettings.load(), topics, retries, SchemaSettings.load()).read(patience_s=_PATIENCE_S)
    now_s = time.time()
    rows: list[dict[str, object]] = [
        {
            "topic": found.partition.topic,
            "partition": found.partition.partition,
            "messages": found.messages,
            "seconds": round(found.waited_s(now_s), 3),
        }
        for found in backlog.lags
    ]
    typer.echo(json.dumps(rows) if as_json else _table(rows))


def _table(rows: list[dict[str, object]]) -> str:
    heads = ("topic", "partition", "messages", "seconds")
    cells = [heads, *(tuple(str(row[head]) for head in heads) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    return "\n".join(
        f"{line[0]:<{widths[0]}}" + "".join(f"  {line[i]:>{widths[i]}}" for i in range(1, len(heads))) for line in cells
    )
