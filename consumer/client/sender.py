"""What a client sends with, for its whole life. What became of a record is told at its own promise, in another thread.

Records go in batches, and brokers refuse a batch as a whole: for one record that is too large, or for what many small
ones add up to. So what is refused for its size goes once more, alone, and what is then said is said of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.adapters.kafka.config import connect, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.metadata import look_for
from consumer.adapters.kafka.producer_errors import CURES, Cure
from consumer.client.failures import failure_of
from consumer.client.promise import Promise
from consumer.core.errors import Code, ConsumerError, Rejected, SettingsError
from consumer.core.model import TopicPartition
from consumer.settings import KafkaSettings

_POLL_S = 0.1
_LOOK_S = 4.0  # within which brokers know a topic that was just created

Headers = Sequence[tuple[str, bytes | None]]
Position = tuple[TopicPartition, int]
_log = logging.getLogger("consumer.client")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outgoing:
    """A record, and who is told what became of it."""

    topic: str
    value: bytes
    key: bytes
    headers: Headers
    acknowledged: Promise[Position]
    failed: Callable[[ConsumerError], None]


def _nobody(_: ConsumerError) -> None:
    """Nobody else has to know."""


class Sender:
    """Thread-safe. `request_s` is how long a record may take to be acknowledged, and how long a full queue is waited
    for: a sender that is faster than the brokers is slowed down, not refused.
    """

    def __init__(self, kafka: KafkaSettings, *, request_s: float) -> None:
        self._request_s = request_s
        self._errors = ConnectionErrors()
        own = {"error_cb": self._errors, "linger.ms": 5, "delivery.timeout.ms": max(1000, int(request_s * 1000))}
        self._config = producer_config(kafka) | own
        self._kept = KeptClient(self._connect, self._put_aside)
        self._alone: Producer | None = None  # sends each record by itself; made once that is needed
        self._retired: list[Producer] = []  # which may have something to tell of yet
        self._found: set[str] = set()
        self._finding, self._settling = threading.Lock(), threading.RLock()
        self._awaited: set[Promise[Position]] = set()
        self._is_closed = threading.Event()
        # Deliveries are told of in `poll`, and only there, so that a callback never runs in a caller's thread.
        self._poller = threading.Thread(target=self._poll, name="client-producer", daemon=True)
        self._poller.start()

    def send(
        self,
        topic: str,
        value: bytes,
        key: str,
        headers: Headers = (),
        failed: Callable[[ConsumerError], None] = _nobody,
    ) -> Promise[Position]:
        """Where the record lies, once the brokers have it: its partition and its offset there.

        The promise fails with Rejected(REQUEST_INVALID) for a record that is too large, AccessDenied, TopicUnavailable
        or BrokerUnavailable, which `failed` is told too; the same are raised here where they are known at once.
        """
        if topic not in self._found:
            self._find(topic)
        acknowledged: Promise[Position] = Promise(self._settling, self._awaited)
        record = _Outgoing(
            topic=topic, value=value, key=key.encode(), headers=headers, acknowledged=acknowledged, failed=failed
        )
        until = time.monotonic() + self._request_s
        while True:
            try:
                self._send_by(self._kept.now(), record)
            except BufferError:  # full: the poller makes room as soon as the brokers take something
                if time.monotonic() > until:
                    raise self._errors.away("the client's queue stays full") from None
                self._is_closed.wait(_POLL_S / 10)
            except KafkaException as error:
                raise self._failure(topic, error.args[0]) from error
            else:
                return acknowledged

    def close(self, timeout_s: float) -> int:
        """Wait until all is acknowledged, or the time is up; returns how many records were not, which are then told."""
        until = time.monotonic() + timeout_s
        unsent = 0
        for producer in self._producers():  # the first may give the second something to send
            left = self._errors.flush(producer, max(0.0, until - time.monotonic()))
            if left:
                producer.purge()
                producer.flush(_LOOK_S)
            unsent += left
        self._is_closed.set()
        self._poller.join(timeout_s)
        return unsent

    def _poll(self) -> None:
        while not self._is_closed.is_set():
            try:
                self._kept.latest.poll(_POLL_S)
                for producer in self._others():
                    producer.poll(0)
                with self._settling:
                    self._retired = [producer for producer in self._retired if len(producer)]
            except Exception:  # noqa: BLE001 - what is behind it waits to be told of
                _log.exception("what became of a record could not be told")

    def _find(self, topic: str) -> None:
        """Look once whether the topic is there: a client that only sends would wait for it for long."""
        with self._finding:
            if topic in self._found:
                return
            producer = self._kept.now()
            try:
                ask = partial(look_for, producer, topic)
                self._errors.patiently(producer, ask, self._request_s, missing_s=_LOOK_S)
            except KafkaException as error:
                self._kept.note(error.args[0])
                raise self._failure(topic, error.args[0]) from error
            self._found.add(topic)

    def _sending_alone(self) -> Producer:
        """The one producer for that: the poller and whoever closes may want it in the same moment."""
        with self._settling:
            if self._alone is None:
                self._alone = connect(Producer, self._config | {"batch.num.messages": 1}, "client")
            return self._alone

    def _connect(self) -> Producer:
        return connect(Producer, self._config, "client")

    def _send_by(self, producer: Producer, record: _Outgoing) -> None:
        self._produce(producer, record, self._note)
        if producer is not self._kept.latest:  # exchanged meanwhile: it may not be polled any more
            with self._settling:
                if producer not in self._retired:
                    self._retired = [producer, *self._retired]

    def _put_aside(self, producer: Producer) -> None:
        with self._settling:
            self._retired = [producer, *self._others()]
            self._alone = None

    def _producers(self) -> Iterator[Producer]:
        yield self._kept.latest
        yield from self._others()

    def _others(self) -> Iterator[Producer]:
        yield from self._retired
        if self._alone is not None:
            yield self._alone

    def _produce(self, producer: Producer, record: _Outgoing, told: Callable[..., None]) -> None:
        producer.produce(
            record.topic, record.value, record.key, headers=list(record.headers), on_delivery=partial(told, record)
        )

    def _note(self, record: _Outgoing, error: KafkaError | None, message: Message) -> None:
        if error is None or CURES.get(error.code()) is not Cure.SMALLER:
            self._note_alone(record, error, message)
            return
        try:
            self._produce(self._sending_alone(), record, self._note_alone)
        except (BufferError, KafkaException, SettingsError):
            self._note_alone(record, error, message)

    def _note_alone(self, record: _Outgoing, error: KafkaError | None, message: Message) -> None:
        if error is None:
            place = TopicPartition(message.topic() or "", message.partition() or 0)
            record.acknowledged.settle((place, message.offset() or 0))
        else:
            self._kept.note(error)
            failure = self._failure(record.topic, error)
            record.failed(failure)
            record.acknowledged.settle(failure)

    def _failure(self, topic: str, error: KafkaError) -> ConsumerError:
        if CURES.get(error.code()) is Cure.SMALLER:
            return Rejected(Code.REQUEST_INVALID, f"topic {topic} takes no record of this size: {error.str()}")
        return failure_of(error, self._errors, topic)
