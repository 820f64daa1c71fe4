"""Where topics end now, as the brokers tell."""

import threading

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect_reader
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.metadata import look_for
from consumer.client.failures import failure_of
from consumer.core.model import TopicPartition
from consumer.gateway.index.positions import Positions
from consumer.settings import KafkaSettings

_ASK_S = 5.0


class TopicEnds:
    """Thread-safe. Raises BrokerUnavailable where no broker answers."""

    def __init__(self, kafka: KafkaSettings, *topics: str) -> None:
        self._topics, self._errors = topics, ConnectionErrors()
        self._consumer: Consumer = connect_reader(kafka, "ends", properties={"error_cb": self._errors})
        self._lock = threading.Lock()

    def __call__(self) -> Positions:
        """Of each partition the offset behind the last record that may be read."""
        with self._lock:
            return {place: end for topic in self._topics for place, end in self._ends_of(topic).items()}

    def close(self) -> None:
        """Nothing may be called afterwards."""
        with self._lock:
            self._consumer.close()

    def _ends_of(self, topic: str) -> Positions:
        try:
            numbers = look_for(self._consumer, topic, _ASK_S).partitions
            places = [TopicPartition(topic, number) for number in numbers]
            return {place: self._end(place) for place in places}
        except KafkaException as error:
            raise failure_of(error.args[0], self._errors, topic) from error

    def _end(self, place: TopicPartition) -> int:
        return int(self._consumer.get_watermark_offsets(KafkaPartition(*place), timeout=_ASK_S)[1])
