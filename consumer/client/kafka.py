"""For platform code: send and cancel requests, watch outcomes. Needs neither TensorFlow nor object storage.

topics = TopicSettings.load()
client = Client(KafkaSettings.load(), topics, AvroCodec())
outcome = client.send_and_wait(SeparationRequest(...), timeout_s=60)
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import TopicMetadata  # type: ignore[attr-defined]

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka.config import connect, connect_reader, producer_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.producer_errors import CURES, Cure
from consumer.core.errors import BrokerUnavailable, Code, Rejected
from consumer.core.events import (
    DeadLetter,
    Event,
    SeparationControl,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
)
from consumer.pipeline.stages.validate import check_request
from consumer.settings import KafkaSettings, TopicSettings

REQUEST_S = 10.0  # how long a broker may take to answer
_FIND_S = 4.0  # within which brokers know a topic that was just created
_log = logging.getLogger(__name__)


class Client:
    """Sends requests, and watches what becomes of them. Not thread-safe: one a thread.

    Each answer of a broker is waited for up to `request_s` seconds. Every method raises BrokerUnavailable where none
    comes, its kind TopicUnavailable where there is no such topic, SettingsError for a KAFKA_<PROPERTY> that librdkafka
    refuses, and RegistryUnavailable where the codec has a schema registry that does not answer.
    """

    def __init__(
        self, kafka: KafkaSettings, topics: TopicSettings, codec: AvroCodec, *, request_s: float = REQUEST_S
    ) -> None:
        self._kafka, self._topics, self._codec, self._request_s = kafka, topics, codec, request_s

    def send(self, request: SeparationRequest, headers: Sequence[tuple[str, bytes | None]] = ()) -> None:
        """Send a request; returns when the brokers have it.

        `headers` are the record's, as pairs of a name and bytes or None: a `traceparent` among them makes the job part
        of that trace. Raises Rejected(REQUEST_INVALID) for what a replica would answer so, or could not read at all.
        """
        check_request(request)
        self._produce(self._topics.requests, request, request.request_id, headers)

    def cancel(self, request_id: str, reason: str | None = None) -> None:
        """Ask that a request be stopped, or not begun; returns when the brokers have that wish.

        The request then ends as a dead letter CANCELLED, which gives the `reason`, unless it is done already.
        """
        wish = SeparationControl(request_id=request_id, action="cancel", reason=reason, issued_at=datetime.now(UTC))
        self._produce(self._topics.control, wish, request_id)

    def _produce(self, topic: str, event: Event, key: str, headers: Sequence[tuple[str, bytes | None]] = ()) -> None:
        failures: list[KafkaError] = []
        value = self._codec.encode(event)
        errors = ConnectionErrors()
        producer = connect(Producer, producer_config(self._kafka) | {"error_cb": errors}, "client")
        self._find(producer, topic, errors)
        try:
            producer.produce(
                topic,
                value,
                key.encode(),
                headers=list(headers),
                on_delivery=lambda error, _: failures.append(error) if error else None,
            )
            unsent = errors.flush(producer, self._request_s)
        except KafkaException as error:
            failures.append(error.args[0])
            unsent = 0
        if failures and CURES.get(failures[0].code()) is Cure.SMALLER:
            raise Rejected(Code.REQUEST_INVALID, f"topic {topic} takes no record of this size: {failures[0].str()}")
        if unsent or failures:
            raise errors.away(KafkaException(failures[0]) if failures else "timed out", topic=topic)

    def _find(self, producer: Producer, topic: str, errors: ConnectionErrors) -> None:
        """Look whether the topic is there: a client that only sends would wait for it, or have it created."""
        try:
            errors.patiently(producer, partial(_look_for, producer, topic), min(_FIND_S, self._request_s))
        except KafkaException as error:
            raise errors.away(error, topic=topic) from error

    def send_and_wait(
        self, request: SeparationRequest, timeout_s: float, headers: Sequence[tuple[str, bytes | None]] = ()
    ) -> SeparationResult | DeadLetter:
        """Send a request and return its outcome: a SeparationResult, or a DeadLetter with the reason.

        Raises BrokerUnavailable if none came within `timeout_s` seconds; the request stands then, and may still end.
        """
        with closing(self.watch()) as watch:  # in place before the request is sent: nothing can be missed
            self.send(request, headers)
            deadline = time.monotonic() + timeout_s
            while (left_s := deadline - time.monotonic()) > 0:
                event = watch.poll(left_s)
                if isinstance(event, SeparationResult | DeadLetter) and event.request_id == request.request_id:
                    return event
        raise BrokerUnavailable(f"no outcome within {timeout_s:g} s")

    def watch(self, *, from_beginning: bool = False) -> "Watch":
        """Watch results, dead letters and progress: what comes from now on, or all that the topics hold.

        What is sent after this has returned is not missed. Close it when it is no longer needed.
        """
        kinds: dict[str, type[Event]] = {
            self._topics.results: SeparationResult,
            self._topics.dead_letter: DeadLetter,
            self._topics.progress: SeparationProgress,
        }
        return Watch(self._kafka, kinds, self._codec, from_beginning=from_beginning, request_s=self._request_s)


def _look_for(client: Producer | Consumer, topic: str, timeout_s: float) -> TopicMetadata:
    """What the brokers say of a topic. Raises KafkaException, also where there is none."""
    found: TopicMetadata = client.list_topics(topic, timeout=timeout_s).topics[topic]
    if found.error:
        raise KafkaException(found.error)
    return found


class Watch:
    """Reads events that were committed, and joins no group; iterating over it never ends.

    `kinds` says which topic holds which event. A record that is none, which anyone might write, is passed over with a
    warning to this module's logger. Raises BrokerUnavailable where no broker answers within `request_s` seconds.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        kinds: dict[str, type[Event]],
        codec: AvroCodec,
        *,
        from_beginning: bool,
        request_s: float = REQUEST_S,
    ) -> None:
        self._kinds, self._codec, self._request_s = kinds, codec, request_s
        errors = ConnectionErrors()
        self._consumer = connect_reader(kafka, "watch", properties={"error_cb": errors})
        begin: list[KafkaPartition] = []
        for topic in kinds:
            ask = partial(self._positions, topic, from_beginning)
            try:
                begin += errors.patiently(self._consumer, ask, request_s)
            except KafkaException as error:
                raise errors.away(error, topic=topic) from error
        self._consumer.assign(begin)

    def _positions(self, topic: str, from_beginning: bool, timeout_s: float) -> list[KafkaPartition]:  # noqa: FBT001
        """Where to begin; the ends are asked for now, not when fetching begins."""
        found = _look_for(self._consumer, topic, timeout_s)
        places = [KafkaPartition(topic, number) for number in found.partitions]
        for place in places:
            place.offset = OFFSET_BEGINNING
            if not from_beginning:
                _, place.offset = self._consumer.get_watermark_offsets(place, timeout=timeout_s)
        return places

    def poll(self, timeout_s: float) -> Event | None:
        """The next event; None if none came within `timeout_s` seconds, or what came was no event."""
        message = self._consumer.poll(timeout_s)
        if message is None or message.error():
            return None
        topic, value = message.topic() or "", message.value()
        try:
            return self._codec.decode(self._kinds[topic], value if isinstance(value, bytes) else None)
        except Rejected as rejected:
            where = f"{topic} [{message.partition()}] at offset {message.offset()}"
            _log.warning("%s is no event: %s: %s", where, rejected.code, rejected.message)
            return None

    def __iter__(self) -> Iterator[Event]:
        while True:
            if (event := self.poll(1.0)) is not None:
                yield event

    def close(self) -> None:
        """End the connection to the brokers. Nothing may be called afterwards."""
        self._consumer.close()
