"""The member of a Kafka group that reads, by confluent-kafka."""

import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
)
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.careful_reader import CarefulReader
from consumer.adapters.kafka.config import connect, connect_reader, consumer_config, hands_over_one_by_one
from consumer.adapters.kafka.connection import Connection
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.records import record_of
from consumer.adapters.kafka.retrying import access_refused, has_no_positions
from consumer.adapters.kafka.topic_ids import TopicIds
from consumer.adapters.kafka.unreadable import RUNBOOK, UnreadableBatches, is_of_a_batch
from consumer.core.errors import BrokerUnavailable, Fatal
from consumer.core.log_events import LogEvent
from consumer.core.model import Record, TopicPartition
from consumer.core.ports import EndOfPartition, Membership, Position, RebalanceListener, Traffic
from consumer.settings import KafkaSettings

_REQUEST_S = 5.0
_WAKE_S = 0.2
_METADATA_MAGIC = b"CGMDv2:"  # librdkafka's serialized group metadata; the generation or epoch follows
# A static member that was killed is remembered for the session's length; until then nobody may take its place.
_INSTANCE_WAIT_S = 60.0
_FORSAKEN_S = 300.0
_REST_S = 1.0  # before it joins anew after an error
# That a password is refused is no such thing: it may be exchanged at this moment.
_FATAL_ACCESS = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED})
# Brokers before 4.0, and later ones where it is turned off: the request by which a member of such a group lives.
_NO_PROTOCOL = re.compile(r"ConsumerGroupHeartbeat\b.*not supported|not supported\b.*ConsumerGroupHeartbeat")


class KafkaSource:
    """See ports.Source. A static member of its group, as `instance_id`, if `is_static_member`.

    recall: says where the group stood where nothing is committed, as ports.Source.recalled; by default nowhere.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        instance_id: str,
        is_static_member: bool,
        recall: Callable[[Record], int | None] = lambda _: None,
    ) -> None:
        self._config = consumer_config(settings, instance_id if is_static_member else None)
        self._errors, self._connection = ConnectionErrors(), Connection(forsaken_s=_FORSAKEN_S)
        self._config |= {"stats_cb": self._connection, "error_cb": self._errors}
        self._instance_id, self._recall = instance_id, recall
        self._log = structlog.get_logger()
        self._consumer = connect(Consumer, self._config, "consumer")
        # Asked for what is committed, from any thread: a member that is being polled keeps others waiting for long.
        self._settings = settings
        self._commit_reader = KeptClient(self._connect_commit_reader)
        self._careful_reader = CarefulReader(settings)
        self._topic_ids = TopicIds(settings)
        self._unreadable = UnreadableBatches()
        self._topics: Sequence[str] = ()
        self._paused: set[TopicPartition] = set()
        self._listener: RebalanceListener | None = None
        self._membership: Membership = None
        self._blocked_since: float | None = None
        self._error = ""

    def _connect_commit_reader(self) -> Consumer:
        return connect_reader(self._settings, "commit_reader", group_id=self._settings.group_id)

    def subscribe(self, topics: Sequence[str], listener: RebalanceListener) -> None:
        self._topics, self._listener = topics, listener
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    # What is revoked or lost the client takes away itself, as the group's protocol wants it. What is assigned is
    # assigned here, since it can only be paused then.

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        assert self._listener
        if hands_over_one_by_one(self._config):
            consumer.incremental_assign(partitions)
        else:
            consumer.assign(partitions)
        self._blocked_since, self._error = None, ""
        self._unreadable.forget(map(_topic_partition, partitions))
        self._listener.assigned([_topic_partition(p) for p in partitions])

    def _on_revoke(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        assert self._listener
        self._unreadable.forget(map(_topic_partition, partitions))
        self._listener.revoked([_topic_partition(p) for p in partitions])

    def _on_lost(self, _: Consumer, partitions: list[KafkaPartition]) -> None:
        assert self._listener
        self._unreadable.forget(map(_topic_partition, partitions))
        self._listener.lost([_topic_partition(p) for p in partitions])

    @property
    def last_error(self) -> str:
        """What keeps us from reading, "" if nothing does."""
        if trouble := self._connection.trouble:
            return self._errors.explain(trouble)
        return self._error or self._unreadable.trouble

    @property
    def traffic(self) -> Traffic:
        """As of the latest statistics."""
        return self._connection.traffic

    def poll(self, timeout_s: float) -> Record | EndOfPartition | None:
        if self._connection.is_forsaken:
            self._connection.try_anew()
            self._begin_anew()
        self._try_unreadable()
        message = self._consumer.poll(timeout_s)
        self._membership = self._consumer.consumer_group_metadata()
        if message is None:
            return None
        error = message.error()
        partition = TopicPartition(message.topic() or "", message.partition() or 0)
        if error is None:
            return record_of(message) if self._unreadable.lets_pass(partition) else None
        if error.code() == KafkaError._PARTITION_EOF:
            self._error = ""
            passes = self._unreadable.lets_pass(partition)
            return EndOfPartition(topic_partition=partition, offset=message.offset() or 0) if passes else None
        self._tell(partition, message.offset(), error)
        return None

    def read_one(self, partition: TopicPartition, offset: int, timeout_s: float) -> Record | EndOfPartition | None:
        found = self._careful_reader.read(partition, offset, timeout_s)
        if isinstance(found, KafkaError):
            self._tell(partition, offset, found)
            raise BrokerUnavailable(found.str())
        if found is not None:
            self._unreadable.forget([partition])
        return found

    def _tell(self, partition: TopicPartition, offset: int | None, error: KafkaError) -> None:
        if is_of_a_batch(error, offset):
            self._tell_unreadable(partition, offset or 0, error)
        else:
            self._complain(error)

    def _try_unreadable(self) -> None:
        for partition, offset in self._unreadable.due():
            with suppress(KafkaException):  # such as one that is paused: tried again later
                self._consumer.seek(KafkaPartition(*partition, offset))
                self._unreadable.begin_again(partition)

    def _tell_unreadable(self, partition: TopicPartition, offset: int, error: KafkaError) -> None:
        """Of one that stays so once: the client meets it twice a second."""
        if self._unreadable.meet(partition, offset, error.str()):
            place = {"topic": partition.topic, "partition": partition.partition, "offset": offset}
            self._log.error(LogEvent.BATCH_UNREADABLE, **place, error=error.str(), code=error.name(), see=RUNBOOK)

    def _complain(self, error: KafkaError) -> None:
        self._error = error.str()
        if _NO_PROTOCOL.search(error.str()):
            raise Fatal(
                "KAFKA_GROUP_PROTOCOL: these brokers don't offer the group protocol `consumer` (KIP-848);"
                f" `classic` is for them ({error.str()})"
            )
        if error.code() in _FATAL_ACCESS:
            raise Fatal(access_refused(error.str(), error.code()))
        if error.code() == KafkaError._FATAL or error.fatal():
            self._replace(error)
            return
        self._log.warning(LogEvent.KAFKA_ERROR, error=error.str(), code=error.name())
        if has_no_positions(error):
            self._begin_anew(rest_s=_REST_S)

    def _replace(self, error: KafkaError) -> None:
        """A consumer with a fatal error is dead. A fresh one may join once the broker has forgotten its predecessor."""
        self._blocked_since = self._blocked_since or time.monotonic()
        if "instance ID" not in error.str() or time.monotonic() - self._blocked_since > _INSTANCE_WAIT_S:
            raise Fatal(f"Kafka ended our membership as INSTANCE_ID = {self._instance_id}: {error.str()}")
        self._log.warning(LogEvent.INSTANCE_ID_IN_USE, instance_id=self._instance_id, error=error.str())
        self._begin_anew(rest_s=_REST_S)

    def _begin_anew(self, *, rest_s: float = 0.0) -> None:
        """By another client: what is held is given back first."""
        self._consumer.close()
        time.sleep(rest_s)
        self._consumer = connect(Consumer, self._config, "consumer")
        assert self._listener
        self.subscribe(self._topics, self._listener)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._consumer.pause([KafkaPartition(*p) for p in partitions])
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        all_were_paused = {_topic_partition(p) for p in self._consumer.assignment()} <= self._paused
        self._consumer.resume([KafkaPartition(*p) for p in partitions])
        self._paused.difference_update(partitions)
        if not all_were_paused:
            return
        # Asleep as it is then, the client would see that within a second. A question wakes it.
        with suppress(KafkaException):
            self._consumer.offsets_for_times([KafkaPartition(*p, 0) for p in partitions], timeout=_WAKE_S)

    def rewind(self, partition: TopicPartition, offset: int | None) -> bool:
        if partition not in [_topic_partition(p) for p in self._consumer.assignment()]:
            return False
        self._unreadable.forget([partition])
        try:
            self._consumer.seek(KafkaPartition(*partition, OFFSET_BEGINNING if offset is None else offset))
        except KafkaException as error:
            raise BrokerUnavailable(self._errors.explain(error)) from error
        return True

    def committed(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, Position | None]:
        try:
            found = self._commit_reader.now().committed([KafkaPartition(*p) for p in partitions], timeout=_REQUEST_S)
        except KafkaException as error:
            self._commit_reader.note(error.args[0])
            raise BrokerUnavailable(self._errors.explain(error)) from error
        except RuntimeError as closed:  # we have left, and whoever publishes still wants to know
            raise BrokerUnavailable(str(closed)) from closed
        for each in found:
            if each.error:
                raise BrokerUnavailable(each.error.str())
        return {_topic_partition(p): _position(p) for p in found}

    def recalled(self, first: Record) -> int | None:
        return self._recall(first)

    def beginning(self, partition: TopicPartition) -> int:
        return self._span(partition)[0]

    def end(self, partition: TopicPartition) -> int:
        return self._span(partition)[1]

    def _span(self, partition: TopicPartition) -> tuple[int, int]:
        try:
            found = self._consumer.get_watermark_offsets(KafkaPartition(*partition), timeout=_REQUEST_S)
        except KafkaException as error:
            raise BrokerUnavailable(self._errors.explain(error)) from error
        if found is None:
            raise BrokerUnavailable("timed out")
        return int(found[0]), int(found[1])

    def log_id(self, topic: str) -> str:
        return self._topic_ids.now(topic) if self._topic_ids.are_given() else ""

    def log_ids(self) -> Mapping[str, str] | None:
        return self._topic_ids.last_heard(self._topics)

    def membership(self) -> Membership:
        # As of the latest poll, and so never ahead of what the callbacks saw. The client itself must not be asked
        # here: while a callback runs it keeps other threads waiting, and they may hold what that callback waits for.
        return self._membership

    def is_member(self) -> bool:
        # Where there are more members than partitions, KIP-848 calls nobody back for the ones without; that they have
        # joined shows in their epoch alone, which the client hands out in this form only.
        serialized = bytes(self._consumer.consumer_group_metadata() or b"")
        epoch = serialized.removeprefix(_METADATA_MAGIC)[:4]
        return serialized.startswith(_METADATA_MAGIC) and int.from_bytes(epoch, sys.byteorder, signed=True) > 0

    def close(self) -> None:
        # Known to hang (confluent-kafka-python #1667): it must not keep the process from ending.
        self._careful_reader.close()
        for client in (self._consumer, self._commit_reader.latest):
            closing = threading.Thread(target=client.close, daemon=True)
            closing.start()
            closing.join(10.0)


def _position(found: KafkaPartition) -> Position | None:
    if found.offset == OFFSET_INVALID:
        return None
    return Position(offset=found.offset, offset_metadata=found.metadata or "")


def _topic_partition(partition: KafkaPartition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.partition)
