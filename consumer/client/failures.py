"""What Kafka's errors are to whoever uses the client."""

from confluent_kafka import KafkaError, KafkaException

from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.retrying import ACCESS
from consumer.client.errors import AccessDenied
from consumer.core.errors import ConsumerError


def failure_of(error: KafkaError, errors: ConnectionErrors, topic: str) -> ConsumerError:
    """AccessDenied where the topic is not ours to use, else BrokerUnavailable or its kind TopicUnavailable."""
    away = errors.away(KafkaException(error), topic=topic)
    return AccessDenied(str(away)) if error.code() in ACCESS else away
