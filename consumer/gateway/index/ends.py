"""Where topics begin and end now, as the brokers tell."""

import threading
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect_reader
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.metadata import look_for
from consumer.client.failures import failure_of
from consumer.core.model import TopicPartition
from consumer.gateway.index.positions import Positions
from consumer.settings import KafkaSettings

_ASK_S = 5.0


class TopicEnds:
    """Thread-safe. Raises BrokerUnavailable where no broker answers."""

    def __init__(self, kafka: KafkaSettings, *topics: str) -> None:
        self._kafka, self._topics, self._errors = kafka, topics, ConnectionErrors()
        self._kept = KeptClient(self._connect)
        self._lock = threading.Lock()

    def __call__(self) -> Positions:
        """Of each partition the offset behind the last record that may be read."""
        return {place: end for place, (_, end) in self._watermarks().items()}

    def begins(self) -> Positions:
        """Of each partition the offset of the first record that it holds."""
        return {place: begin for place, (begin, _) in self._watermarks().items()}

    def close(self) -> None:
        """Nothing may be called afterwards."""
        with self._lock:
            self._kept.latest.close()

    def _connect(self) -> Consumer:
        return connect_reader(self._kafka, "ends", properties={"error_cb": self._errors})

    def _watermarks(self) -> dict[TopicPartition, tuple[int, int]]:
        with self._lock:
            return {place: both for topic in self._topics for place, both in self._watermarks_of(topic)}

    def _watermarks_of(self, topic: str) -> Iterator[tuple[TopicPartition, tuple[int, int]]]:
        consumer = self._kept.now()
        try:
            for number in look_for(consumer, topic, _ASK_S).partitions:
                yield (
                    TopicPartition(topic, number),
                    consumer.get_watermark_offsets(KafkaPartition(topic, number), timeout=_ASK_S),
                )
        except KafkaException as error:
            self._kept.note(error.args[0])
            raise failure_of(error.args[0], self._errors, topic) from error
