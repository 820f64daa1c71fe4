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
    """Create what is missing of the topics, and set the group's heartbeat and session.

    What is there stays as it is: where it keeps records for another time than RETENTION_* say, a line tells.
    """
    from consumer.adapters.kafka.admin import KafkaAdmin
    from consumer.adapters.kafka.retention import retention_differences
    from consumer.settings import KafkaSettings, RetentionSettings, ServiceSettings, TopicSettings, retry_topics

    kafka, topics, retention = KafkaSettings.load(), TopicSettings.load(), RetentionSettings.load()
    admin, retry = KafkaAdmin(kafka), retry_topics(topics, ServiceSettings.load())
    for line in admin.create_topics(topics, retry, retention, partitions=partitions, replication=replication):
        typer.echo(line)
    for name, difference in retention_differences(kafka, retention.of_topics(topics, retry)).items():
        typer.echo(f"{name}: {difference}")
    typer.echo(admin.set_group_timing())
