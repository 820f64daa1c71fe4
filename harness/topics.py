"""A test's own topics, made as `topics create` makes them, but in the test's own process.

A process for each test would take five times as long, most of it to begin. The command has tests of its own.
"""

from collections.abc import Mapping

from consumer.adapters.kafka.admin import KafkaAdmin
from consumer.settings import KafkaSettings, RetentionSettings, ServiceSettings, TopicSettings, retry_topics


def create_topics(environment: Mapping[str, str], *, partitions: int) -> None:
    """What a command with this environment would create, on brokers that let anybody in. Raises Fatal."""
    kafka = KafkaSettings.model_validate(_given(KafkaSettings, environment))
    topics = TopicSettings.model_validate(_given(TopicSettings, environment))
    service = ServiceSettings.model_validate(_given(ServiceSettings, environment))
    admin = KafkaAdmin(kafka)
    admin.create_topics(
        topics,
        retry_topics(topics, service),
        RetentionSettings.model_validate({}),
        partitions=partitions,
        replication=-1,
    )
    admin.set_group_timing()


def _given(
    group: type[KafkaSettings | TopicSettings | ServiceSettings], environment: Mapping[str, str]
) -> dict[str, str]:
    """The fields of a group of settings that an environment sets."""
    variables = {field: group.variable(field) for field in group.model_fields}
    return {field: environment[variable] for field, variable in variables.items() if variable in environment}
