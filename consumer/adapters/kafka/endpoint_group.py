"""A member of a small consumer group that keeps notes beside its offsets, by confluent-kafka.

A group that is new begins at the ends of its topics: whoever is told of outcomes from today on is not told of all
before. From then on nothing is passed over, also in partitions that are added later.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect, connect_reader, consumer_config, hands_over_one_by_one
from consumer.adapters.kafka.connection import Connection
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.retrying import broker_away, has_no_positions
from consumer.core.errors import BrokerUnavailable
from consumer.core.model import TopicPartition
from consumer.core.ports import EndOfPartition, Position
from consumer.settings import KafkaSettings

_REQUEST_S = 10.0
_CLOSE_S = 10.0
_FORSAKEN_S = 60.0  # little is at work, and what is told twice receivers can tell
# There may be a hundred of these in a process: each holds little, and tells statistics seldom.
_PROPERTIES = {
    "queued.max.messages.kbytes": 1024,
    "max.partition.fetch.bytes": 262_144,
    "fetch.wait.max.ms": 500,
    "statistics.interval.ms": 5_000,  # what tells whether there is a connection
}


class GroupListener(Protocol):
    """What is called, from inside `poll` or `close`, when partitions come and go."""

    def assigned(self, positions: Mapping[TopicPartition, Position | None]) -> None:
        """These are ours from now on; None where nothing is committed, or where it could not be asked."""
        ...

    def released(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position]:
        """These go to another: what is to be committed of them."""
        ...


class EndpointGroup:
    """Used by one thread. Raises BrokerUnavailable where the group's positions can't be asked or set at the start.

    begins: what was committed of each partition when this was made, of all that there are. trouble: why it can't read,
    "" where nothing is known to keep it.
    """

    def __init__(self, settings: KafkaSettings, group_id: str, topics: Sequence[str], listener: GroupListener) -> None:
        settings = settings.model_copy(update={"group_id": group_id})
        self._listener, self._error = listener, ""
        self._errors, self._connection = ConnectionErrors(), Connection(forsaken_s=_FORSAKEN_S)
        self._has_notes = True
        self._refused: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self.begins = _placed(settings, group_id, topics)
        self._config = {
            **consumer_config(settings, None),
            **_PROPERTIES,
            "error_cb": self._errors,
            "stats_cb": self._connection,
            "on_commit": self._on_commit,
        }
        self._consumer = connect(Consumer, self._config, "webhooks")
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    @property
    def trouble(self) -> str:
        return self._error or self._errors.reason or self._connection.trouble

    def poll(self, timeout_s: float) -> Message | EndOfPartition | None:
        """The next record, or the end of a partition. Raises BrokerUnavailable where this member is of no more use."""
        if self._connection.is_forsaken:
            raise BrokerUnavailable(self._errors.explain(self._connection.trouble))
        message = self._consumer.poll(timeout_s)
        if message is None:
            return None
        error = message.error()
        if error is None:
            self._error = ""
            return message
        if error.code() == KafkaError._PARTITION_EOF:
            self._error = ""
            place = TopicPartition(message.topic() or "", message.partition() or 0)
            return EndOfPartition(topic_partition=place, offset=message.offset() or 0)
        self._error = error.str()
        if error.code() == KafkaError._FATAL or error.fatal() or has_no_positions(error):
            raise BrokerUnavailable(self._errors.explain(error.str()))
        return None

    def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Ask for it, and wait for nothing; what fails is among `take_refused` later."""
        try:
            self._consumer.commit(offsets=self._offsets(positions), asynchronous=True)
        except KafkaException:
            self._refused.update(positions)

    def commit_now(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Commit, or leave it: whoever reads on from there delivers again, which receivers can tell."""
        if positions:
            with suppress(KafkaException):
                self._consumer.commit(offsets=self._offsets(positions), asynchronous=False)

    def take_refused(self) -> set[TopicPartition]:
        """Partitions whose commits failed since this was asked."""
        refused, self._refused = self._refused, set()
        return refused

    def pause(self, partition: TopicPartition) -> None:
        """Read no more of it for now."""
        if partition not in self._paused:
            self._consumer.pause([KafkaPartition(*partition)])
            self._paused.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        """Read on, where it was paused: to resume another one may rewind it."""
        if partition in self._paused:
            with suppress(KafkaException):
                self._consumer.resume([KafkaPartition(*partition)])
            self._paused.discard(partition)

    def close(self) -> None:
        """Leave the group. Known to hang (confluent-kafka-python #1667), so it is not waited for longer than 10 s."""
        closing = threading.Thread(target=self._consumer.close, daemon=True)
        closing.start()
        closing.join(_CLOSE_S)

    def _offsets(self, positions: Mapping[TopicPartition, Position]) -> list[KafkaPartition]:
        return [
            KafkaPartition(*place, position.offset, metadata=position.offset_metadata if self._has_notes else "")
            for place, position in positions.items()
        ]

    def _on_commit(self, error: KafkaError | None, partitions: list[KafkaPartition]) -> None:
        for each in partitions:
            failure = each.error or error
            if failure is None:
                continue
            self._refused.add(TopicPartition(each.topic, each.partition))
            if failure.code() == KafkaError.OFFSET_METADATA_TOO_LARGE:  # as brokers may be set: offsets alone, then
                self._has_notes = False

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        if hands_over_one_by_one(self._config):
            consumer.incremental_assign(partitions)
        else:
            consumer.assign(partitions)
        for each in partitions:  # a pause outlives the assignment
            self.resume(TopicPartition(each.topic, each.partition))
        positions: dict[TopicPartition, Position | None] = dict.fromkeys(
            TopicPartition(each.topic, each.partition) for each in partitions
        )
        with suppress(KafkaException):
            positions |= _positions(consumer.committed(partitions, timeout=_REQUEST_S))
        self._listener.assigned(positions)

    def _on_revoke(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        places = [TopicPartition(each.topic, each.partition) for each in partitions]
        self.commit_now(self._listener.released(places))

    def _on_lost(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        self._listener.released([TopicPartition(each.topic, each.partition) for each in partitions])


def _placed(settings: KafkaSettings, group_id: str, topics: Sequence[str]) -> Mapping[TopicPartition, Position | None]:
    """What the group has committed of each partition, after the ends were committed where that was nothing at all."""
    errors = ConnectionErrors()
    reader = connect_reader(settings, "webhooks", group_id=group_id, properties={"error_cb": errors})
    try:
        places = [place for topic in topics for place in _partitions(reader, errors, topic)]
        found = errors.patiently(reader, lambda slice_s: reader.committed(places, timeout=slice_s), _REQUEST_S)
        if any(each.offset != OFFSET_INVALID for each in found):
            return _positions(found)
        ends = [
            KafkaPartition(
                place.topic, place.partition, errors.patiently(reader, partial(_end, reader, place), _REQUEST_S)
            )
            for place in places
        ]
        reader.commit(offsets=ends, asynchronous=False)
        return _positions(ends)
    except KafkaException as error:
        raise broker_away(error, errors.explain(error)) from error
    finally:
        reader.close()


def _partitions(reader: Consumer, errors: ConnectionErrors, topic: str) -> list[KafkaPartition]:
    def ask(slice_s: float) -> list[KafkaPartition]:
        found = reader.list_topics(topic, timeout=slice_s).topics[topic]
        if found.error:
            raise KafkaException(found.error)
        return [KafkaPartition(topic, number) for number in found.partitions]

    try:
        return errors.patiently(reader, ask, _REQUEST_S, missing_s=2.0)
    except KafkaException as error:
        raise errors.away(error, topic=topic) from error


def _end(reader: Consumer, place: KafkaPartition, slice_s: float) -> int:
    found = reader.get_watermark_offsets(place, timeout=slice_s)
    if found is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))
    return int(found[1])


def _positions(found: Sequence[KafkaPartition]) -> dict[TopicPartition, Position | None]:
    return {
        TopicPartition(each.topic, each.partition): None
        if each.offset == OFFSET_INVALID
        else Position(offset=each.offset, offset_metadata=each.metadata or "")
        for each in found
    }
