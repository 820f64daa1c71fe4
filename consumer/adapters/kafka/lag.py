"""Reads how far the whole group is behind, by clients of its own that are no members of it.

Each unfinished record is read once, committed ones only, as the group itself reads them: so transaction markers, and
records of transactions that were aborted, are never mistaken for work. In a thread of its own; nothing here ever waits
for the poll loop, or makes it wait.
"""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace

import structlog
from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
)
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect_reader
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.group_offsets import GroupOffsets, Offsets
from consumer.adapters.kafka.retrying import ACCESS
from consumer.adapters.kafka.unreadable import is_of_a_batch
from consumer.core.errors import BrokerUnavailable
from consumer.core.lag import READ_AHEAD, Backlog, PartitionLag, PendingRecord, ReadAhead, UnfinishedLog
from consumer.core.log_events import LogEvent
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings

INTERVAL_S = 0.5
FRESH_S = 10.0  # older figures are not reported: none is better than a wrong one
_PATIENCE_S = 10.0  # with brokers that are slow to answer
_CATCH_UP_S = 10.0
_ENDS_S = 1.0
_BATCH = 500

# What a request's bytes say: its model, and its seconds of audio (None: it does not say; 0: it will be refused).
RequestEstimator = Callable[[bytes | None], tuple[str, float | None]]


class KafkaLagReader:
    """`start` it, and ask for `backlog` as often as you like; or `read` once."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Collection[str],
        estimate: RequestEstimator,
        *,
        read_ahead: ReadAhead = READ_AHEAD,
    ) -> None:
        self._settings, self._topics, self._estimate = settings, topics, estimate
        self._read_ahead = read_ahead
        self._errors = ConnectionErrors()  # of both clients
        self._consumer = self._connect()
        self._offsets = GroupOffsets(settings, topics, self._errors)
        self._logs: dict[TopicPartition, UnfinishedLog] = {}
        self._reading: set[TopicPartition] = set()
        self._unreadable: dict[TopicPartition, float] = {}  # since when, in seconds since the epoch
        self._stable: dict[TopicPartition, tuple[int, float]] = {}  # a last stable offset, and since when it is that
        self._floors: dict[TopicPartition, tuple[int, float]] = {}
        self._backlog: Backlog | None = None
        self.trouble = ""
        self._stopped = threading.Event()
        self._log = structlog.get_logger()

    def _connect(self) -> Consumer:
        """In the group's name, and never a member of it: nothing is subscribed or committed."""
        properties = {
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 4096,
            "error_cb": self._errors,
        }
        return connect_reader(self._settings, "lag", group_id=self._settings.group_id, properties=properties)

    def start(self) -> None:
        """Read from now on, in a thread of its own."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Read no more. Returns at once."""
        self._stopped.set()

    def backlog(self) -> Backlog | None:
        """The latest figures; None while they can't be had, or are not read yet."""
        found = self._backlog
        return found if found and time.monotonic() - found.taken_at < FRESH_S else None

    def read(self, *, timeout_s: float = 0.0) -> Backlog:
        """The figures now; a cluster that is only getting ready is asked again. Raises BrokerUnavailable."""
        try:
            return self._errors.patiently(self, self._read, timeout_s + _PATIENCE_S)
        except KafkaException as error:
            raise self._errors.away(error) from error

    def read_once(self, *, timeout_s: float = 0.0) -> Backlog:
        """As `read`, by a reader that has just been made: where partitions end is told by the first fetch alone, and
        without that nobody sees what a sender's transaction holds where nothing lies before it.
        """
        self.read(timeout_s=timeout_s)
        deadline = time.monotonic() + _ENDS_S
        while time.monotonic() < deadline and any(self._high(partition) < 0 for partition in self._reading):
            self._listen(0.05)
        return self.read(timeout_s=timeout_s)

    def read_offsets(self) -> Backlog:
        """The same by offsets alone, without a look at any record. Raises BrokerUnavailable."""
        try:
            return self._errors.patiently(self, self._read_offsets, _PATIENCE_S)
        except KafkaException as error:
            raise self._errors.away(error) from error

    def _read_offsets(self, request_s: float) -> Backlog:
        offsets = self._offsets.of(self._consumer, request_s)
        lags = [
            UnfinishedLog(found.floor).lag(partition, found.end, stands_since_s=self._since_s(partition, found.floor))
            for partition, found in sorted(offsets.items())
        ]
        return Backlog(lags=lags, taken_at=time.monotonic())

    def _since_s(self, partition: TopicPartition, floor: int) -> float:
        """Since when the same record is the first unfinished one, as far as we have seen."""
        known, since_s = self._floors.get(partition, (-1, 0.0))
        if known != floor:
            since_s = time.time()
            self._floors[partition] = floor, since_s
        return since_s

    def poll(self, timeout: float) -> None:
        """Hear what connections failed with: see connection_errors.Client."""
        self._listen(0.0)
        self._offsets.poll(timeout)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._backlog = self.read()
                self.trouble = ""
                self._listen(INTERVAL_S)
            except BrokerUnavailable as away:
                if str(away) != self.trouble:
                    self._log.warning(LogEvent.LAG_UNKNOWN, reason=str(away))
                self._backlog, self.trouble = None, str(away)
                self._renew()
                self._stopped.wait(INTERVAL_S)
            except Exception as error:  # noqa: BLE001 - figures that are missing must not end the replica
                self._log.error(LogEvent.LAG_BROKEN, exc_info=error)
                self._backlog = None
                self._stopped.wait(FRESH_S)

    def _renew(self) -> None:
        """By other clients: one that met a partition without a leader may never read it again (librdkafka #5430), and
        one that was told of no brokers may never connect again (see kept_client).
        """
        self._consumer.close()
        self._consumer = self._connect()
        self._offsets = GroupOffsets(self._settings, self._topics, self._errors)
        self._logs.clear()
        self._reading.clear()
        self._unreadable.clear()

    def _read(self, request_s: float) -> Backlog:
        offsets = self._offsets.of(self._consumer, request_s)
        for gone in self._logs.keys() - offsets.keys():
            self._forget(gone)
        for partition, found in offsets.items():
            self._follow(partition, found)
        deadline = time.monotonic() + _CATCH_UP_S
        while behind := [p for p, o in offsets.items() if not self._has_read(p, o)]:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"{behind[0].topic} [{behind[0].partition}] can't be read")
            self._listen(0.05)
        lags = [self._lag(partition, found) for partition, found in sorted(offsets.items())]
        return Backlog(lags=lags, taken_at=time.monotonic())

    def _lag(self, partition: TopicPartition, offsets: Offsets) -> PartitionLag:
        since_s = self._unreadable.get(partition)
        lag = self._logs[partition].lag(partition, offsets.end, stands_since_s=since_s)
        high = self._high(partition)
        stable, stands_since_s = self._stable.get(partition, (-1, 0.0))
        if high <= offsets.end:
            self._stable.pop(partition, None)
            return lag
        if stable != offsets.end:
            stands_since_s = time.time()
            self._stable[partition] = (offsets.end, stands_since_s)
        return replace(lag, held=high - offsets.end, held_since_s=stands_since_s, held_at=offsets.end)

    def _high(self, partition: TopicPartition) -> int:
        """Where the log ends, open transactions included, as of the latest fetch: without a question of its own."""
        try:
            return int(self._consumer.get_watermark_offsets(KafkaPartition(*partition), cached=True)[1])
        except KafkaException:  # nothing was fetched of it yet
            return -1

    def _follow(self, partition: TopicPartition, offsets: Offsets) -> None:
        """Bring a partition's log to where the group stands, and have the rest read."""
        log = self._logs.get(partition)
        went_back = log is not None and (offsets.floor < log.start or offsets.end < log.read_to)
        is_left_behind = log is not None and partition not in self._reading and offsets.floor > log.read_to
        if log is None or went_back or is_left_behind:
            self._forget(partition)
            log = self._logs[partition] = UnfinishedLog(offsets.floor, self._read_ahead)
        log.settle(offsets.floor)
        if partition not in self._reading and log.is_roomy:
            self._consumer.incremental_assign([KafkaPartition(*partition, log.read_to)])
            self._reading.add(partition)

    def _forget(self, partition: TopicPartition) -> None:
        self._logs.pop(partition, None)
        self._unreadable.pop(partition, None)
        self._stop_reading(partition)

    def _stop_reading(self, partition: TopicPartition) -> None:
        # Not by a pause: a position can't be set for a partition that is paused.
        if partition in self._reading:
            self._reading.discard(partition)
            self._consumer.incremental_unassign([KafkaPartition(*partition)])

    def _has_read(self, partition: TopicPartition, offsets: Offsets) -> bool:
        log = self._logs[partition]
        return log.read_to >= offsets.end or partition not in self._reading or partition in self._unreadable

    def _listen(self, timeout_s: float) -> None:
        for message in self._consumer.consume(_BATCH, timeout_s):
            partition = TopicPartition(message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is not None and error.code() in ACCESS:  # which no waiting mends; of the group no topic is told
                raise self._errors.away(KafkaException(error), topic=partition.topic)
            log = self._logs.get(partition)
            if log is None or partition not in self._reading:
                continue
            if error is not None and is_of_a_batch(error, message.offset()):
                # The others' figures stay; what lies here is counted by its offsets.
                self._unreadable.setdefault(partition, time.time())
                continue
            if error is None:
                log.add(self._pending(message))
                self._unreadable.pop(partition, None)
            elif error.code() == KafkaError._PARTITION_EOF:
                log.reach(message.offset() or 0)
                self._unreadable.pop(partition, None)
            if log.is_full:
                self._stop_reading(partition)

    def _pending(self, message: KafkaMessage) -> PendingRecord:
        kind, millis = message.timestamp()
        value = message.value()
        model, audio_s = self._estimate(value if isinstance(value, bytes) else None)
        return PendingRecord(
            offset=message.offset() or 0,
            at_s=time.time() if kind == TIMESTAMP_NOT_AVAILABLE else millis / 1000,
            model=model,
            audio_s=audio_s,
            size_bytes=len(value or b""),
        )
