"""The transactional producer that publishes, and a plain one for notices, by confluent-kafka."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import connect, producer_config, transactional_config
from consumer.core.errors import BrokerUnavailable, ConsumerError, Fatal, OwnershipLost, ProducerFenced
from consumer.core.log_events import LogEvent
from consumer.core.model import Message
from consumer.core.ports import Commit
from consumer.settings import KafkaSettings

_REQUEST_S = 10.0
_QUEUE_S = 0.1
_NOT_OURS = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)
_TOO_LARGE = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
_REFUSED = frozenset(
    {
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
    }
)
# Two processes with one INSTANCE_ID fence each other at every transaction; a timed-out transaction does it once.
_DUEL_FENCES, _DUEL_S = 6, 60.0


class KafkaOutbox:
    """See ports.Outbox. `open` first: it fences whoever used this transactional id before.

    `make_producer` is called for the first producer, and for each that takes the place of one that is dead.
    """

    def __init__(
        self, settings: KafkaSettings, *, instance_id: str, make_producer: Callable[[], Producer] | None = None
    ) -> None:
        config = transactional_config(settings, f"{settings.group_id}-{instance_id}")
        self._make_producer = make_producer or partial(connect, Producer, config, "producer")
        self._instance_id = instance_id
        self._producer: Producer | None = None
        self._opening: Producer | None = None  # a producer that still waits for its coordinator
        self.calls, self.waits_for = 0, ""
        self._fenced: deque[float] = deque(maxlen=_DUEL_FENCES)
        self._log = structlog.get_logger()

    def open(self, timeout_s: float = _REQUEST_S) -> None:
        """Get a working producer. Raises BrokerUnavailable where that takes longer, and Fatal where Kafka refuses us.

        Called again it goes on where it was.
        """
        if self._producer is not None:
            return
        opening = self._opening = self._opening or self._make_producer()
        self.calls += 1
        try:
            opening.init_transactions(timeout_s)
        except KafkaException as error:
            cause = _cause(error)
            if cause.code() in _REFUSED:
                raise Fatal(f"Kafka refuses access: {cause.str()}") from error
            if not cause.retriable():
                self._opening = None
            raise BrokerUnavailable(cause.str()) from error
        self._producer, self._opening = opening, None

    def publish(self, commits: Sequence[Commit]) -> None:
        too_large: set[Message] = set()
        while rejected := self._transaction(commits, too_large):
            too_large |= rejected

    def _transaction(self, commits: Sequence[Commit], too_large: set[Message]) -> set[Message]:
        """Returns the messages for whose size nothing was published; empty if all of it was."""
        self.open()
        assert self._producer
        producer, rejected = self._producer, set[Message]()
        try:
            producer.begin_transaction()
            for message in (message for commit in commits for message in commit.messages):
                produce = self._produce_alone if message in too_large else self._produce
                produce(producer, message, partial(rejected.add, message))
            for commit in commits:
                self._send_offset(producer, commit)
            self._insist(lambda: producer.commit_transaction(_REQUEST_S))
        except KafkaException as error:
            failure = self._give_up(producer, _cause(error))
            if hopeless := rejected & too_large:
                raise Fatal(_too_large(hopeless.pop())) from error
            if rejected and not isinstance(failure, ProducerFenced):
                return rejected
            raise failure from error
        return set()

    def _produce(self, producer: Producer, message: Message, on_too_large: Callable[[], None]) -> None:
        def delivered(error: KafkaError | None, _: object) -> None:
            if error is not None and error.code() in _TOO_LARGE:
                on_too_large()

        while True:
            self.calls += 1
            try:
                return producer.produce(
                    message.topic, message.value, message.key, headers=list(message.headers), on_delivery=delivered
                )
            except BufferError:
                producer.poll(_QUEUE_S)  # the client's queue is full; what it holds is sent, or given up, meanwhile
            except KafkaException as error:
                if _cause(error).code() in _TOO_LARGE:
                    on_too_large()
                raise

    def _produce_alone(self, producer: Producer, message: Message, on_too_large: Callable[[], None]) -> None:
        """In a batch of its own, smaller if it can be: what was too large is the batch, maybe by another message."""
        self.calls += 2
        producer.flush(_REQUEST_S)
        self._produce(producer, message.smaller or message, on_too_large)
        producer.flush(_REQUEST_S)

    def _send_offset(self, producer: Producer, commit: Commit) -> None:
        """Each with the membership that its work began under; one transaction may carry several."""
        position = commit.position
        offset = KafkaPartition(*commit.partition, offset=position.offset, metadata=position.offset_metadata)
        self._insist(lambda: producer.send_offsets_to_transaction([offset], commit.membership, _REQUEST_S))

    def _insist(self, call: Callable[[], None]) -> None:
        """Repeat a call that may be repeated. Until its fate is known, neither going on nor giving up is safe."""
        try:
            while True:
                self.calls += 1
                try:
                    return call()
                except KafkaException as error:
                    cause = _cause(error)
                    if not cause.retriable() or cause.fatal() or cause.txn_requires_abort():
                        raise
                    self.waits_for = cause.str()
                    self._log.warning(LogEvent.PRODUCER_WAITS, reason=cause.str())
        finally:
            self.waits_for = ""

    def _give_up(self, producer: Producer, cause: KafkaError) -> ConsumerError:
        """Abort, or replace a producer that is dead; returns what to raise."""
        # What is too large for the client itself spoils nothing, so the library asks for no abort.
        if not cause.fatal() and (cause.txn_requires_abort() or cause.code() in _TOO_LARGE):
            try:
                self._insist(lambda: producer.abort_transaction(_REQUEST_S))
            except KafkaException as error:
                return self._replace(_cause(error))
            return OwnershipLost(cause.str()) if cause.code() in _NOT_OURS else BrokerUnavailable(cause.str())
        return self._replace(cause)

    def _replace(self, cause: KafkaError) -> ConsumerError:
        now = time.monotonic()
        self._fenced.append(now)
        if len(self._fenced) == _DUEL_FENCES and now - self._fenced[0] < _DUEL_S:
            raise Fatal(f"INSTANCE_ID {self._instance_id} is used by another running replica: {cause.str()}")
        self._producer = None
        self._reopen()
        return ProducerFenced(cause.str())

    def _reopen(self) -> None:
        """However long it takes: only a new producer's start settles what became of its predecessor's transaction."""
        while self._producer is None:
            try:
                self.open()
            except BrokerUnavailable as away:
                self.waits_for = str(away)
                self._log.warning(LogEvent.PRODUCER_NOT_READY, reason=str(away))
        self.waits_for = ""

    def close(self) -> None:
        self._producer = self._opening = None


class KafkaNotices:
    """Best-effort messages outside transactions: never waits, drops what can't be sent."""

    def __init__(self, settings: KafkaSettings) -> None:
        config = producer_config(settings) | {"linger.ms": 20, "acks": "1", "message.timeout.ms": 5_000}
        self._producer = connect(Producer, config, "notices")

    def send(self, message: Message) -> None:
        try:
            self._producer.produce(message.topic, message.value, message.key)
            self._producer.poll(0)
        except (BufferError, KafkaException):
            pass  # a notice that comes late is worth nothing

    def close(self) -> None:
        self._producer.flush(1.0)


def _too_large(message: Message) -> str:
    """What to do about it. It would be refused again and again, and nothing of any partition be published with it."""
    sent = message.smaller or message
    size_bytes = len(sent.key or b"") + len(sent.value or b"") + sum(len(k) + len(v or b"") for k, v in sent.headers)
    return f"{sent.topic}: takes no message of {size_bytes} bytes: raise the topic's max.message.bytes"


def _cause(error: KafkaException) -> KafkaError:
    cause: KafkaError = error.args[0]
    return cause
