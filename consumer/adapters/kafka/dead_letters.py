"""The dead-letter topic, as an operator reads it, and the way back for the records in it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.config import NO_GROUPS_ERROR, connect, connect_reader, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.kept_client import KeptClient
from consumer.adapters.kafka.records import record_of
from consumer.core.errors import Rejected
from consumer.core.events import EPOCH, DeadLetter, SeparationRequest
from consumer.core.model import Message
from consumer.settings import KafkaSettings

_SILENCE_S = 30.0
_LOOKED_AT = 5000
_DELIVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterEntry:
    """One record of the dead-letter topic.

    `partition` and `offset` are its own place there, `at` its timestamp, None where it has none. `dead_letter` is what
    it holds, None where its bytes are no dead letter.
    """

    partition: int
    offset: int
    at: datetime | None
    dead_letter: DeadLetter | None

    @property
    def place(self) -> str:
        """PARTITION:OFFSET, as the commands name it."""
        return f"{self.partition}:{self.offset}"


class KafkaDeadLetters:
    """The records of the dead-letter topic.

    Every method raises BrokerUnavailable where no broker answers as it should, each question within `request_s`
    seconds, and SettingsError for a KAFKA_<PROPERTY> that librdkafka refuses.
    """

    def __init__(self, settings: KafkaSettings, topic: str, codec: AvroCodec, *, request_s: float = 10.0) -> None:
        self._settings, self._topic, self._codec, self._request_s = settings, topic, codec, request_s
        self._kept: KeptClient[Producer] | None = None
        self._errors = ConnectionErrors()  # of the producer

    def latest(self, count: int, code: str | None = None) -> list[DeadLetterEntry]:
        """The latest, the latest first; where `code` is given, those with it of the last thousands."""
        looked_at = count if code is None else _LOOKED_AT
        entries = [
            entry
            for entry in self._read_spans(lambda begin, end: (max(begin, end - 2 * looked_at), end))  # beside markers
            if code is None or (entry.dead_letter is not None and entry.dead_letter.code == code)
        ]
        return sorted(entries, key=lambda entry: entry.at or EPOCH, reverse=True)[:count]

    def read_one(self, partition: int, offset: int) -> DeadLetterEntry | None:
        """The one that lies there, None where none does."""
        found = self._read_spans(
            lambda begin, end: (offset, offset + 1) if begin <= offset < end else (end, end), only=partition
        )
        return next((entry for entry in found if entry.offset == offset), None)

    def read(self) -> Iterator[DeadLetterEntry]:
        """All that are there now, partition by partition in their order; committed ones only. No group is joined."""
        return self._read_spans(lambda begin, end: (begin, end))

    def request_in(self, letter: DeadLetter) -> SeparationRequest:
        """A letter's record as the request that it is. Raises Rejected, which may be why it lies here."""
        return self._codec.decode_request(letter.original_value)

    def _read_spans(
        self, span_of: Callable[[int, int], tuple[int, int]], only: int | None = None
    ) -> Iterator[DeadLetterEntry]:
        """Of each partition, or of one alone, the offsets that `span_of` says, given where it begins and ends."""
        errors = ConnectionErrors()
        properties = {"enable.partition.eof": True, "error_cb": errors}
        consumer = connect_reader(self._settings, "dead_letters", properties=properties)
        with closing(consumer):
            try:
                numbers = errors.patiently(consumer, partial(self._partitions, consumer), self._request_s)
                # All ends first: what is sent again meanwhile, and comes back, is not of these.
                spans = [
                    errors.patiently(consumer, partial(self._span, consumer, number), self._request_s)
                    for number in numbers
                    if only in (None, number)
                ]
                for partition, begin, end in spans:
                    yield from self._read(consumer, partition, *span_of(begin, end))
            except KafkaException as error:
                raise errors.away(error, topic=self._topic) from error

    def _partitions(self, consumer: Consumer, timeout_s: float) -> Sequence[int]:
        found = consumer.list_topics(self._topic, timeout=timeout_s).topics[self._topic]
        if found.error:
            raise KafkaException(found.error)
        return sorted(found.partitions)

    def _span(self, consumer: Consumer, partition: int, timeout_s: float) -> tuple[int, int, int]:
        return partition, *consumer.get_watermark_offsets(KafkaPartition(self._topic, partition), timeout=timeout_s)

    def _read(self, consumer: Consumer, partition: int, begin: int, end: int) -> Iterator[DeadLetterEntry]:
        consumer.assign([KafkaPartition(self._topic, partition, begin)])
        while begin < end:
            message = consumer.poll(_SILENCE_S)
            if message is None:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out"))
            if error := message.error():
                if error.code() == KafkaError._PARTITION_EOF:
                    return
                if error.code() == NO_GROUPS_ERROR:
                    continue
                raise KafkaException(error)
            record = record_of(message)
            if record.offset >= end:
                return  # it came meanwhile: what lay before the end was a transaction's marker
            begin = record.offset + 1
            try:
                dead_letter = self._codec.decode(DeadLetter, record.value)
            except Rejected:
                dead_letter = None
            yield DeadLetterEntry(
                partition=partition, offset=record.offset, at=record.timestamp, dead_letter=dead_letter
            )

    def send(self, message: Message) -> None:
        """Send a record; returns when the brokers have it exactly once, however often that had to be tried."""
        self._kept = self._kept or KeptClient(self._connect)
        producer = self._kept.now()
        reported: list[KafkaError | None] = []
        try:
            producer.produce(
                message.topic,
                message.value,
                message.key,
                headers=list(message.headers),
                on_delivery=lambda error, _: reported.append(error),
            )
        except KafkaException as error:
            raise self._errors.away(error, topic=message.topic) from error
        self._errors.flush(producer, _DELIVERY_S)
        if reported != [None]:
            failure = reported[0] if reported and reported[0] else KafkaError(KafkaError._TIMED_OUT, "timed out")
            producer.purge()  # what is told to have failed is not sent later
            self._kept.note(failure)
            raise self._errors.away(KafkaException(failure), topic=message.topic)

    def _connect(self) -> Producer:
        # What is sent is told of, also where KAFKA_DELIVERY_REPORT_ONLY_ERROR asks for silence.
        ours = {"enable.idempotence": True, "delivery.report.only.error": False, "error_cb": self._errors}
        return connect(Producer, producer_config(self._settings) | ours, "replay")
