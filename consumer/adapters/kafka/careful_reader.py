"""Reads single records, each by a client of its own that fetches the one batch that it lies in.

The group's member fetches whatever lies behind a position, and unpacks all of it before any of it is seen: who dies of
that can't tell of what. Here one batch is unpacked, and nothing more once its first record is handed out.
"""

from confluent_kafka import Consumer, KafkaError
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect_reader
from consumer.adapters.kafka.records import record_of
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition
from consumer.settings import KafkaSettings

_PROPERTIES = {
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 10,
    # The broker sends whole batches, and one however large it is.
    "max.partition.fetch.bytes": 1,
    # The next fetch waits for so long once there is a record: until then this client is closed.
    "queued.min.messages": 1,
    "fetch.queue.backoff.ms": 1000,
}


class CarefulReader:
    """Used by one thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._consumer: Consumer | None = None
        self._place: tuple[TopicPartition, int] | None = None

    def read(
        self, partition: TopicPartition, offset: int, timeout_s: float
    ) -> Record | EndOfPartition | KafkaError | None:
        """The first record from `offset` on, the partition's end, or why there is neither; None: not yet."""
        if self._consumer is None or self._place != (partition, offset):
            self.close()
            group_id = self._settings.group_id  # whose name it may use; it is no member
            self._consumer = connect_reader(self._settings, "careful", group_id=group_id, properties=_PROPERTIES)
            self._consumer.assign([KafkaPartition(*partition, offset)])
            self._place = partition, offset
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        self.close()
        error = message.error()
        if error is None:
            return record_of(message)
        if error.code() == KafkaError._PARTITION_EOF:
            return EndOfPartition(topic_partition=partition, offset=message.offset() or 0)
        return error

    def close(self) -> None:
        """Read nothing any more."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._place = None
