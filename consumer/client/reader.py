"""Reads committed records of some topics, all their partitions, without joining a group."""

import time
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import partial

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect_reader
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import is_unanswered
from consumer.adapters.kafka.metadata import look_for
from consumer.client.failures import failure_of
from consumer.core.errors import BrokerUnavailable, ConsumerError
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings

_LOOK_S = 4.0
_LOOK_FOR_PARTITIONS_S = 30.0  # an operator may add some


class Begin(Enum):
    """Where reading begins in partitions that no position is given for."""

    BEGINNING = auto()
    END = auto()  # as it was when the reader was made: what is written after that is read


class TopicReader:
    """Not thread-safe. `positions` are offsets to begin at, by partition; elsewhere it begins at `begin`.

    Partitions that are added later are read from their beginning. Raises BrokerUnavailable where no broker answers
    within `request_s` seconds or a topic is missing, AccessDenied where it may not be looked at, and SettingsError for
    a property that librdkafka refuses.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topics: Sequence[str],
        *,
        begin: Begin,
        positions: Mapping[TopicPartition, int] | None = None,
        request_s: float,
    ) -> None:
        self._kafka, self._topics = kafka, topics
        self._errors = ConnectionErrors()
        self._consumer = self._connect()
        self._ends: dict[TopicPartition, int] = {}
        self._begins: dict[TopicPartition, int] = {}
        self._held: set[TopicPartition] = set()
        self._seen_ends: dict[TopicPartition, int] = {}
        self._failure: ConsumerError | None = None
        for topic in topics:
            try:
                self._ends |= self._errors.patiently(self._consumer, partial(self._ends_of, topic), request_s)
            except KafkaException as error:
                self._consumer.close()
                raise failure_of(error.args[0], self._errors, topic) from error
        self._begin_at = {**({} if begin is Begin.BEGINNING else self._ends), **(positions or {})}
        self._assign(self._begin_at)
        self._look_at = time.monotonic() + _LOOK_FOR_PARTITIONS_S

    def _connect(self) -> Consumer:
        # Of a log that was cut meanwhile what is left is read: librdkafka would go on at its end.
        # Where there is nothing to read, or nothing but a transaction's marker, only the end tells that it is reached.
        properties = {"error_cb": self._errors, "auto.offset.reset": "earliest", "enable.partition.eof": True}
        return connect_reader(self._kafka, "watch", properties=properties)

    def _assign(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign([KafkaPartition(*place, offsets.get(place, OFFSET_BEGINNING)) for place in self._ends])

    def consume(self, count: int, timeout_s: float) -> list[Message]:
        """At most so many records, as soon as there are any, and none after so many seconds without.

        Raises AccessDenied where a topic may not be read, or no longer, and BrokerUnavailable for what librdkafka calls
        fatal; records that were read before that come first.
        """
        if self._failure is not None:
            raise self._failure
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_FOR_PARTITIONS_S
            self._look_for_partitions()
        found = []
        for message in self._consumer.consume(count, timeout_s):
            topic = message.topic() or ""
            if (error := message.error()) is None:
                found.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._seen_ends[TopicPartition(topic, message.partition() or 0)] = message.offset() or 0
            elif error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                self._failure = failure_of(error, self._errors, topic or ", ".join(self._topics))
        if self._failure is not None and not found:
            raise self._failure
        return found

    def consume_soon(self, count: int, timeout_s: float) -> list[Message]:
        """As `consume`, which waits for more until its time is up: what there is, once there is anything."""
        first = self.consume(1, timeout_s)
        return [*first, *self.consume(count - 1, 0.0)] if first else first

    def unread(self) -> int:
        """How many offsets lie behind what was read, as far as the brokers have told: nobody is asked."""
        read = self.positions()
        known = {
            place: self._consumer.get_watermark_offsets(KafkaPartition(*place), cached=True) for place in self._ends
        }
        return sum(max(0, ends[1] - read.get(place, 0)) for place, ends in known.items() if ends)

    def positions(self) -> dict[TopicPartition, int]:
        """Of each partition that was read so far the offset of what comes next."""
        now = self._consumer.position([KafkaPartition(*place) for place in self._ends])
        begun = {TopicPartition(place.topic, place.partition): place.offset for place in now if place.offset >= 0}
        return {
            place: max(begun.get(place, 0), self._seen_ends.get(place, 0)) for place in begun.keys() | self._seen_ends
        }

    def is_at_first_end(self) -> bool:
        """Whether all was read that was there when this was made, but for what is held."""
        begun = self.positions()
        wanted = {place: end for place, end in self._ends.items() if end > 0 and place not in self._held}
        return all(begun.get(place, -1) >= end for place, end in wanted.items())

    @property
    def begins(self) -> Mapping[TopicPartition, int]:
        """Of each partition the offset of the first record that it held when this was made."""
        return self._begins

    def hold_all_but(self, *topics: str) -> None:
        """Read nothing of the other topics' partitions that there are, until `release`, or this, called again."""
        held = {place for place in self._ends if place.topic not in topics}
        self._consumer.pause([KafkaPartition(*place) for place in held - self._held])
        self._consumer.resume([KafkaPartition(*place) for place in self._held - held])
        self._held = held

    def release(self) -> None:
        """Read everything."""
        self._consumer.resume([KafkaPartition(*place) for place in self._held])
        self._held = set()

    @property
    def is_holding(self) -> bool:
        """Whether something is held."""
        return bool(self._held)

    def away(self, what: str) -> BrokerUnavailable:
        """What to raise where the brokers don't do what was waited for: in one line, with the reason."""
        return self._errors.away(what)

    def close(self) -> None:
        """End the connection to the brokers. Nothing may be called afterwards."""
        self._consumer.close()

    def _look_for_partitions(self) -> None:
        try:
            found = [place for topic in self._topics for place in self._partitions_of(topic)]
        except KafkaException as error:
            if is_unanswered(error.args[0]):
                self._go_on_anew()
            return  # looked at again later; what is assigned is read all the same
        if new := [place for place in found if place not in self._ends]:
            self._ends |= dict.fromkeys(new, 0)
            self._consumer.incremental_assign([KafkaPartition(*place, OFFSET_BEGINNING) for place in new])

    def _go_on_anew(self) -> None:
        """From where this was, by another client."""
        read = self.positions()
        self._consumer.close()
        self._consumer = self._connect()
        self._assign({**self._begin_at, **read})
        self._consumer.pause([KafkaPartition(*place) for place in self._held])

    def _partitions_of(self, topic: str, timeout_s: float = _LOOK_S) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in look_for(self._consumer, topic, timeout_s).partitions]

    def _ends_of(self, topic: str, timeout_s: float) -> dict[TopicPartition, int]:
        """Asked for now, not when fetching begins."""
        ends = {}
        for place in self._partitions_of(topic, timeout_s):
            begin, end = self._consumer.get_watermark_offsets(KafkaPartition(*place), timeout=timeout_s)
            self._begins[place], ends[place] = int(begin), int(end)
        return ends
