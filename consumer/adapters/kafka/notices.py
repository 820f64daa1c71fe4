"""A plain producer for what may be lost, such as progress, by confluent-kafka."""

from confluent_kafka import KafkaException, Producer

from consumer.adapters.kafka.config import connect, producer_config
from consumer.core.model import Message
from consumer.settings import KafkaSettings


class KafkaNotices:
    """Best-effort messages outside transactions: never waits, drops what can't be sent."""

    def __init__(self, settings: KafkaSettings) -> None:
        config = producer_config(settings) | {"linger.ms": 20, "acks": "1", "message.timeout.ms": 5_000}
        self._producer = connect(Producer, config, "notices")

    def send(self, message: Message) -> None:
        try:
            self._producer.produce(message.topic, message.value, message.key)
            self._producer.poll(0)
        except (BufferError, KafkaException):
            pass  # a notice that comes late is worth nothing

    def close(self) -> None:
        self._producer.flush(1.0)
