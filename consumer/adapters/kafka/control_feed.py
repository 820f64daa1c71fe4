"""The control topic, read whole by every replica: without a group, by confluent-kafka."""

import time
from datetime import UTC, datetime

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import NO_GROUPS_ERROR, connect_reader
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import is_unanswered
from consumer.adapters.kafka.records import record_of
from consumer.core.errors import BrokerUnavailable
from consumer.core.model import Record
from consumer.settings import KafkaSettings

_REQUEST_S = 5.0


class KafkaControlFeed:
    """See ports.ControlFeed. Of older records, the last `max_age_s` seconds and `max_records` a partition are read.

    Every `look_for_topic_s` seconds it looks whether the topic is there, and once it is, every
    `look_for_partitions_s` seconds whether it has got more partitions.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        max_age_s: float,
        max_records: int,
        look_for_topic_s: float = 5.0,
        look_for_partitions_s: float = 60.0,
    ) -> None:
        self._settings, self._errors = settings, ConnectionErrors()
        self._consumer = self._connect()
        self._look_for_topic_s, self._look_for_partitions_s = look_for_topic_s, look_for_partitions_s
        self._topic, self._max_age_s, self._max_records = topic, max_age_s, max_records
        self._known: set[int] = set()
        self._behind: set[int] = set()
        self._look_at = float("-inf")
        self._has_looked = False

    def _connect(self) -> Consumer:
        properties = {
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "error_cb": self._errors,
            "queued.max.messages.kbytes": 4096,
        }
        return connect_reader(self._settings, "control", properties=properties)

    @property
    def is_caught_up(self) -> bool:
        return self._has_looked and not self._behind

    def poll(self, timeout_s: float) -> Record | None:
        try:
            if time.monotonic() >= self._look_at:
                self._look()
            message = self._consumer.poll(timeout_s)
        except KafkaException as error:
            if not self._known:
                self._consumer.poll(0.0)  # hands out what connections failed with, and there is no record yet
            if is_unanswered(error.args[0]):
                self._begin_anew()
            raise BrokerUnavailable(self._errors.explain(error)) from error
        if message is None:
            return None
        failure = message.error()
        if failure is None:
            return record_of(message)
        if failure.code() == KafkaError._PARTITION_EOF:
            self._behind.discard(message.partition() or 0)
            return None
        if failure.code() == NO_GROUPS_ERROR:
            return None
        raise BrokerUnavailable(self._errors.explain(failure.str()))

    def _begin_anew(self) -> None:
        """By another client, from where a feed begins: what was read is read again."""
        self._consumer.close()
        self._consumer = self._connect()
        self._known.clear()
        self._behind.clear()
        self._has_looked = False

    def _look(self) -> None:
        """Take up the partitions that are new to us: all of them at first, or once the topic is created."""
        found = self._consumer.list_topics(self._topic, timeout=_REQUEST_S).topics[self._topic]
        if found.error and found.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(found.error)
        begun = [self._beginning(number) for number in found.partitions if number not in self._known]
        if begun:
            self._consumer.incremental_assign(begun)
            self._known.update(partition.partition for partition in begun)
            self._behind.update(partition.partition for partition in begun)
        self._has_looked = True
        self._look_at = time.monotonic() + (self._look_for_partitions_s if self._known else self._look_for_topic_s)

    def _beginning(self, number: int) -> KafkaPartition:
        since_ms = round((datetime.now(UTC).timestamp() - self._max_age_s) * 1000)
        asked = KafkaPartition(self._topic, number, since_ms)
        [found] = self._consumer.offsets_for_times([asked], timeout=_REQUEST_S)
        _, end = self._consumer.get_watermark_offsets(KafkaPartition(self._topic, number), timeout=_REQUEST_S)
        first = found.offset if found.offset >= 0 else end
        return KafkaPartition(self._topic, number, max(first, end - self._max_records))
