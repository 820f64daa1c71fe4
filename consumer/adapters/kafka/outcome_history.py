"""What a group has done, as its outcomes tell it: for partitions whose committed offset the brokers have forgotten.

An offset is forgotten `offsets.retention.minutes` after its group has ended. To begin at the log's beginning then would
give what is done a second outcome, so the outcomes themselves are read: outcomes of a partition are published in its
order, so the last one tells where the group stands. Read are those since the oldest record that may be done already.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]

from consumer.adapters.kafka.cluster import KafkaCluster
from consumer.adapters.kafka.config import connect_reader
from consumer.adapters.kafka.metadata import names_controller
from consumer.adapters.kafka.place_header import Place, place_of, read_place
from consumer.adapters.kafka.records import record_of
from consumer.adapters.kafka.retrying import broker_away, reason_of
from consumer.core.errors import BrokerUnavailable
from consumer.core.log_events import LogEvent
from consumer.core.model import Record, TopicPartition
from consumer.settings import KafkaSettings

_REQUEST_S = 5.0
_SILENCE_S = 30.0
_WAIT_S = 1.0
# By so much the clocks of senders and replicas may differ, and more where a topic takes records that are further ahead.
_SKEW_S = 3600.0
_ANY_S = 1e12  # all outcomes that there are
_AHEAD = ("message.timestamp.after.max.ms", "message.timestamp.difference.max.ms")  # the latter before Kafka 3.6
_FRESH_S = 30.0
_MOST_CANDIDATES = 1000  # of a log that was made anew, so many outcomes of its predecessor are passed over


class OutcomeHistory:
    """Reads in a thread of its own; `position` is asked by the one that polls. `topics` are those of outcomes."""

    def __init__(self, settings: KafkaSettings, topics: Collection[str]) -> None:
        self._settings, self._topics = settings, frozenset(topics)
        self._changed = threading.Condition()
        self._asked: dict[TopicPartition, Record] = {}
        self._known: dict[TopicPartition, tuple[float, int | None]] = {}  # when it was found, and what
        self._is_reading = False
        self._trouble = ""
        self._log = structlog.get_logger()

    def position(self, first: Record) -> int | None:
        """Before which offset of its partition all is done, by the outcomes that are there; None: nothing is.

        `first` is the oldest record of the partition. Raises BrokerUnavailable as long as that is not known yet.
        """
        partition = first.topic_partition
        with self._changed:
            found = self._found(partition)
            if found is None:
                self._asked[partition] = first
                if not self._is_reading:
                    self._is_reading = True
                    threading.Thread(target=self._run, daemon=True, name="outcome history").start()
                self._changed.wait_for(lambda: self._found(partition) is not None or self._trouble, _WAIT_S)
                found = self._found(partition)
            if found is not None:
                return found[1]
            trouble, self._trouble = self._trouble, ""
        raise BrokerUnavailable(trouble or "no offset is committed; outcomes are read to learn what is done")

    def _found(self, partition: TopicPartition) -> tuple[float, int | None] | None:
        found = self._known.get(partition)
        return found if found and time.monotonic() - found[0] < _FRESH_S else None

    def _run(self) -> None:
        while True:
            with self._changed:
                asked = dict(self._asked)
                if not asked:
                    self._is_reading = False
                    return
            try:
                positions = self._read(asked)
            except (KafkaException, BrokerUnavailable) as error:
                with self._changed:
                    self._trouble, self._is_reading = reason_of(error), False
                    self._changed.notify_all()
                return
            with self._changed:
                for partition, position in positions.items():
                    self._known[partition] = time.monotonic(), position
                    self._asked.pop(partition, None)
                self._changed.notify_all()

    def _read(self, asked: dict[TopicPartition, Record]) -> dict[TopicPartition, int | None]:
        with closing(self._reader()) as reader:
            found: defaultdict[TopicPartition, set[Place]] = defaultdict(set)
            cluster = reader.list_topics(timeout=_REQUEST_S)
            since_ms = _since_ms(asked.values(), self._skew_s(cluster, asked))
            for place in self._places(reader, cluster, since_ms):
                if place.partition in asked:
                    found[place.partition].add(place)
            positions = {partition: self._position(reader, found[partition]) for partition in asked}
        for partition, position in positions.items():
            if position is not None:
                where = {"topic": partition.topic, "partition": partition.partition, "position": position}
                self._log.warning(LogEvent.POSITION_RECALLED, **where)
        return positions

    def _skew_s(self, cluster: ClusterMetadata, partitions: Iterable[TopicPartition]) -> float:
        """By how much a record's time may be later than that of its outcome, as far as the brokers tell."""
        if not names_controller(cluster):
            return _ANY_S
        try:
            found = KafkaCluster(self._settings).topic_settings({partition.topic for partition in partitions})
        except BrokerUnavailable:  # not every broker knows the question
            return _ANY_S
        return max([_SKEW_S, *(_most_ahead_s(settings) for settings in found.values())])

    def _reader(self) -> Consumer:
        properties = {
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 4096,
        }
        # In the group's name, which it may use, though it is no member: to another one it may have no right.
        group_id = self._settings.group_id
        return connect_reader(self._settings, "history", group_id=group_id, properties=properties)

    def _places(self, reader: Consumer, cluster: ClusterMetadata, since_ms: int) -> Iterator[Place]:
        """Of all outcomes since then that are there now."""
        topics = cluster.topics
        asked = [KafkaPartition(t, p, since_ms) for t in self._topics & topics.keys() for p in topics[t].partitions]
        # Of a partition without any so late the end is told.
        begins = reader.offsets_for_times(asked, timeout=_REQUEST_S) if asked else []
        if failed := next((p.error for p in begins if p.error), None):
            raise KafkaException(failed)
        left = {(p.topic, p.partition) for p in begins}
        reader.assign(begins)
        while left:
            message = reader.poll(_SILENCE_S)
            if message is None:
                raise BrokerUnavailable("outcomes can't be read: timed out")
            error = message.error()
            if error is None:
                if place := read_place(self._settings.group_id, record_of(message).headers):
                    yield place
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard((message.topic(), message.partition()))
            else:
                raise broker_away(KafkaException(error), topic=str(message.topic()))

    def _position(self, reader: Consumer, places: Collection[Place]) -> int | None:
        """Behind the last of these records that is still what it was: another log of that name has other ones."""
        for place in sorted(places, key=lambda place: place.offset, reverse=True)[:_MOST_CANDIDATES]:
            if self._is_still(reader, place):
                return place.offset + 1
        return None

    def _is_still(self, reader: Consumer, place: Place) -> bool:
        """Also where it is gone, and what comes behind it is there."""
        reader.assign([KafkaPartition(*place.partition, place.offset)])
        message = reader.poll(_SILENCE_S)
        if message is None:
            raise BrokerUnavailable("requests can't be read: timed out")
        error, offset = message.error(), message.offset() or 0
        if error is None and offset == place.offset:
            return place_of(record_of(message)).timestamp_ms == place.timestamp_ms
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        return offset > place.offset


def _most_ahead_s(settings: Mapping[str, str]) -> float:
    """By how much senders' clocks may be ahead, by a topic's settings; 0 where these can't be seen."""
    return next((int(settings[name]) / 1000 for name in _AHEAD if name in settings), 0.0)


def _since_ms(records: Iterable[Record], skew_s: float) -> int:
    """Before it none of these can have had an outcome; 0 where one of them says nothing."""
    times: Sequence[float] = [record.timestamp.timestamp() if record.timestamp else 0.0 for record in records]
    return max(0, round((min(times, default=0.0) - skew_s) * 1000))
