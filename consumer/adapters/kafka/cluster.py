"""A cluster as it is set up: its topics, their settings and its brokers', for who looks whether they fit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
)

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.retrying import ACCESS
from consumer.settings import KafkaSettings

_REQUEST_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFacts:
    """partitions: how many there are. replicas: how many copies the partition has that has fewest."""

    partitions: int
    replicas: int


class KafkaCluster:
    """Every method raises BrokerUnavailable where no broker answers as it should."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._errors = ConnectionErrors()
        self._client = connect(AdminClient, producer_config(settings) | {"error_cb": self._errors}, "cluster")
        self._broker = ""

    def topics(self) -> Mapping[str, TopicFacts]:
        """All that we may see, internal ones among them."""
        try:
            found = self._errors.patiently(
                self._client, lambda slice_s: self._client.list_topics(timeout=slice_s), _REQUEST_S
            )
        except KafkaException as error:
            raise self._errors.away(error) from error
        self._broker = str(next(iter(found.brokers), ""))
        return {
            name: TopicFacts(
                partitions=len(topic.partitions),
                replicas=min((len(partition.replicas) for partition in topic.partitions.values()), default=0),
            )
            for name, topic in found.topics.items()
        }

    def check_right(self, topic: str) -> None:
        """Raises TopicUnavailable where we have no right to a topic, which then is not listed as if it were missing."""
        try:
            answer = self._client.list_topics(topic, timeout=_REQUEST_S).topics[topic].error
        except KafkaException as error:
            raise self._errors.away(error, topic=topic) from error
        if answer and answer.code() in ACCESS:
            raise self._errors.away(KafkaException(answer), topic=topic)

    def topic_settings(self, topics: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Of these topics, which are there; none for those whose settings we may not see."""
        return {name: self._settings_of(ResourceType.TOPIC, name) for name in topics}

    def broker_settings(self) -> Mapping[str, str]:
        """Of one of the brokers, after `topics`; none where we may not see them."""
        return self._settings_of(ResourceType.BROKER, self._broker) if self._broker else {}

    def _settings_of(self, kind: ResourceType, name: str) -> Mapping[str, str]:
        resource = ConfigResource(kind, name)
        asked = self._client.describe_configs([resource], request_timeout=_REQUEST_S)
        try:
            self._errors.wait(self._client, asked.values(), _REQUEST_S)
            return {entry.name: str(entry.value) for entry in asked[resource].result().values()}
        except KafkaException as error:
            if error.args[0].code() in ACCESS:
                return {}
            raise self._errors.away(error) from error
