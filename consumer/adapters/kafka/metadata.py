"""What brokers say of one topic."""

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]


def look_for(client: Producer | Consumer, topic: str, timeout_s: float) -> TopicMetadata:
    """What the brokers say of a topic, within so many seconds. Raises KafkaException, also where there is none."""
    found: TopicMetadata = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    return found
