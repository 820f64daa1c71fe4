"""A plain producer for what may be lost, such as progress, by confluent-kafka."""

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.retrying import ACCESS, access_refused
from consumer.core.log_events import LogEvent
from consumer.core.model import Message
from consumer.settings import KafkaSettings


class KafkaNotices:
    """Best-effort messages outside transactions: never waits, drops what can't be sent.

    That a topic is not ours to write to is said once, until it is.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._kept = KeptClient(self._connect)
        self._refused: set[str] = set()

    def _connect(self) -> Producer:
        config = producer_config(self._settings) | {"linger.ms": 20, "acks": "1", "message.timeout.ms": 5_000}
        return connect(Producer, config, "notices")

    def send(self, message: Message) -> None:
        producer = self._kept.now()
        try:
            producer.produce(message.topic, message.value, message.key, on_delivery=self._note)
            producer.poll(0)
        except (BufferError, KafkaException):
            pass  # a notice that comes late is worth nothing

    def _note(self, error: KafkaError | None, message: KafkaMessage) -> None:
        topic = message.topic() or ""
        if error is None:
            self._refused.discard(topic)
        elif not self._kept.note(error) and error.code() in ACCESS and topic not in self._refused:
            self._refused.add(topic)
            told = f"topic {topic}: {access_refused(error.str(), error.code())}"
            structlog.get_logger().warning(LogEvent.KAFKA_ERROR, error=told, code=error.name())

    def close(self) -> None:
        self._kept.latest.flush(1.0)
