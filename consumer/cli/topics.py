"""`topics create`."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The service's topics.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def create(
    partitions: Annotated[
        int, typer.Option(min=1, help="Of the request and retry topics: the most replicas at work.")
    ] = 12,
    replication: Annotated[int, typer.Option(help="Replication factor; -1: the broker's default.")] = -1,
) -> None:
    """Create what is missing of the topics, and set the group's heartbeat and session."""
    from consumer.adapters.kafka.admin import KafkaAdmin
    from consumer.settings import KafkaSettings, ServiceSettings, TopicSettings

    topics, service = TopicSettings.load(), ServiceSettings.load()
    admin = KafkaAdmin(KafkaSettings.load())
    retry = [topics.retry(number) for number in range(1, len(service.retry_delays) + 1)]
    for line in admin.create_topics(topics, retry, partitions=partitions, replication=replication):
        typer.echo(line)
    typer.echo(admin.set_group_timing())
