"""The members of the consumer group, asked of its coordinator.

For a process of its own alone: the question may end the process while a connection to the coordinator breaks
(librdkafka #4605, #5397).
"""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.core.group import Group, GroupMember
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings

_NO_GROUP = frozenset({KafkaError.GROUP_ID_NOT_FOUND})
UNKNOWN = "unknown"


class KafkaGroup:
    """Raises BrokerUnavailable where the coordinator does not answer as it should."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._name, self._errors = settings.group_id, ConnectionErrors()
        self._client = connect(AdminClient, producer_config(settings) | {"error_cb": self._errors}, "group")

    def read(self, *, timeout_s: float) -> Group:
        """As it is now."""
        try:
            return self._errors.patiently(self._client, self._read, timeout_s)
        except KafkaException as error:
            raise self._errors.away(error) from error

    def _read(self, request_s: float) -> Group:
        answers = self._client.describe_consumer_groups([self._name], request_timeout=max(1.0, request_s))
        try:
            found = answers[self._name].result()
        except KafkaException as error:
            if error.args[0].code() in _NO_GROUP:
                return Group(state=UNKNOWN)
            raise
        members = tuple(
            GroupMember(
                member_id=member.member_id,
                instance_id=member.group_instance_id or None,
                client_id=member.client_id,
                host=member.host.lstrip("/"),
                partitions=tuple(
                    sorted(TopicPartition(each.topic, each.partition) for each in member.assignment.topic_partitions)
                ),
            )
            for member in found.members
        )
        return Group(state=UNKNOWN if found.state.name == "DEAD" else found.state.name.lower(), members=members)
