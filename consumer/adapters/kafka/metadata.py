"""What brokers say of one topic, and of themselves."""

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import ClusterMetadata, TopicMetadata  # type: ignore[attr-defined]


def look_for(client: Producer | Consumer, topic: str, timeout_s: float) -> TopicMetadata:
    """What the brokers say of a topic, within so many seconds. Raises KafkaException, also where there is none."""
    found: TopicMetadata = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    return found


def names_controller(found: ClusterMetadata) -> bool:
    """Whether anybody answers what is asked of a controller, such as settings and ids.

    An embedded broker names none that there is, and a cluster none while it elects one: clients wait for it in vain.
    """
    return found.controller_id in found.brokers
