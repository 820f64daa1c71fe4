"""The transactional producer that publishes outcomes, by confluent-kafka."""

import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as KafkaPartition

from consumer.adapters.kafka.config import TRANSACTION_TIMEOUT_MS, connect, transactional_config
from consumer.adapters.kafka.connection_errors import ConnectionErrors
from consumer.adapters.kafka.place_header import place_header, place_of
from consumer.adapters.kafka.producer_errors import BROKEN, CURES, REPLACED, Cure, cure_of, is_of_its_topic
from consumer.adapters.kafka.retrying import access_refused
from consumer.core.errors import (
    BrokerUnavailable,
    ConsumerError,
    Fatal,
    OwnershipLost,
    ProducerFenced,
    TopicUnavailable,
)
from consumer.core.log_events import LogEvent
from consumer.core.model import Headers, Message
from consumer.core.ports import Commit
from consumer.settings import KafkaSettings

_REQUEST_S = 10.0
_QUEUE_S = 0.1
_LOOK_S = 2.0
# Two processes with one INSTANCE_ID fence each other at every transaction; a timed-out transaction does it once.
_DUEL_FENCES, _DUEL_S = 6, 60.0
# A producer whose only broker was fenced for a moment may never find its coordinator again, whichever recovery strategy
# it has (librdkafka 2.16). By then the broker has ended the transaction itself, so a new one has nothing to lose.
STUCK_S = 2 * TRANSACTION_TIMEOUT_MS / 1000


class KafkaOutbox:
    """See ports.Outbox. `open` first: it fences whoever used this transactional id before.

    `make_producer` is called for the first producer, and for each that takes the place of one that is dead, or that got
    no answer for `stuck_s`.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        instance_id: str,
        make_producer: Callable[[], Producer] | None = None,
        stuck_s: float = STUCK_S,
    ) -> None:
        config = transactional_config(settings, f"{settings.group_id}-{instance_id}")
        self._errors = ConnectionErrors()
        config["error_cb"] = self._errors
        self._make_producer = make_producer or partial(connect, Producer, config, "producer")
        self._instance_id, self._group_id, self._stuck_s = instance_id, settings.group_id, stuck_s
        self._producer: Producer | None = None
        self._opening: Producer | None = None  # a producer that still waits for its coordinator
        self._opening_since = 0.0
        self.calls, self.waits_for = 0, ""
        self._fenced: deque[float] = deque(maxlen=_DUEL_FENCES)
        self._log = structlog.get_logger()

    def open(self, timeout_s: float = _REQUEST_S) -> None:
        """Get a working producer. Raises BrokerUnavailable where that takes longer, and Fatal where Kafka refuses us.

        Called again it goes on where it was.
        """
        if self._producer is not None:
            return
        if self._opening is None:
            self._opening, self._opening_since = self._make_producer(), time.monotonic()
        opening = self._opening
        self.calls += 1
        try:
            opening.init_transactions(timeout_s)
        except KafkaException as error:
            cause = _cause(error)
            if cure_of(cause) is Cure.STOP:
                raise Fatal(access_refused(cause.str(), cause.code())) from error
            if not cause.retriable() or self._is_stuck_since(self._opening_since):
                self._opening = None
            opening.poll(0)  # hands out what the connections failed with
            raise self._errors.unavailable(error) from error
        self._producer, self._opening = opening, None

    def publish(self, commits: Sequence[Commit]) -> None:
        too_large: set[Message] = set()
        while rejected := self._transaction(commits, too_large):
            too_large |= rejected

    def _transaction(self, commits: Sequence[Commit], too_large: set[Message]) -> set[Message]:
        """Returns the messages for whose size nothing was published; empty if all of it was."""
        self.open()
        assert self._producer
        producer, deliveries = self._producer, _Deliveries()
        try:
            producer.begin_transaction()
            for commit in commits:
                ours = (place_header(self._group_id, place_of(commit.last)),) if commit.last else ()
                for message in commit.published:
                    produce = self._produce_alone if message in too_large else self._produce
                    produce(producer, message, ours, partial(deliveries.note, message))
            for commit in commits:
                self._send_offset(producer, commit)
            self._insist(lambda: producer.commit_transaction(_REQUEST_S))
        except KafkaException as error:
            failure = self._give_up(producer, _cause(error))
            is_broken = _cause(error).code() in BROKEN
            if deliveries.too_large and (is_broken or not isinstance(failure, ProducerFenced)):
                if hopeless := deliveries.too_large & too_large:
                    raise TopicUnavailable(_too_large(hopeless.pop())) from error
                return deliveries.too_large
            if is_broken:
                return _suspects(commits, too_large, _cause(error))
            if isinstance(failure, BrokerUnavailable):
                refusal = deliveries.refusal(_cause(error), commits)
                self._look_for(producer, deliveries.topics)
                if refusal:
                    raise TopicUnavailable(refusal) from error
            raise failure from error
        return set()

    def _look_for(self, producer: Producer, topics: Collection[str]) -> None:
        """Ask for topics anew: the client takes one that it found missing for so, until it hears otherwise.

        Of one that was made anew with fewer partitions it goes on sending to those that are gone: the broker refuses to
        add them to a transaction, which the client repeats until the transaction's time is over, and does not ask why.
        """
        for topic in topics:
            self.calls += 1
            with suppress(KafkaException):
                producer.list_topics(topic, _LOOK_S)

    def _produce(
        self, producer: Producer, message: Message, ours: Headers, on_delivery: Callable[[KafkaError | None], None]
    ) -> None:
        while True:
            self.calls += 1
            try:
                return producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    headers=[*message.headers, *ours],
                    on_delivery=lambda error, _: on_delivery(error),
                )
            except BufferError:
                producer.poll(_QUEUE_S)  # the client's queue is full; what it holds is sent, or given up, meanwhile
            except KafkaException as error:
                on_delivery(_cause(error))
                raise

    def _produce_alone(
        self, producer: Producer, message: Message, ours: Headers, on_delivery: Callable[[KafkaError | None], None]
    ) -> None:
        """In a batch of its own, smaller if it can be: what was too large is the batch, maybe by another message."""
        self.calls += 2
        producer.flush(_REQUEST_S)
        self._produce(producer, message.smaller or message, ours, on_delivery)
        producer.flush(_REQUEST_S)

    def _send_offset(self, producer: Producer, commit: Commit) -> None:
        """Each with the membership that its work began under; one transaction may carry several."""
        position = commit.position
        offset = KafkaPartition(*commit.partition, offset=position.offset, metadata=position.offset_metadata)
        self._insist(lambda: producer.send_offsets_to_transaction([offset], commit.membership, _REQUEST_S))

    def _insist(self, call: Callable[[], None]) -> None:
        """Repeat a call that may be repeated: going on is not safe before its fate is known, nor is an abort.

        What still may be repeated after `stuck_s` is raised, for a new producer to settle.
        """
        since = time.monotonic()
        try:
            while True:
                self.calls += 1
                try:
                    return call()
                except KafkaException as error:
                    cause = _cause(error)
                    if not _may_be_repeated(cause) or self._is_stuck_since(since):
                        raise
                    self.waits_for = self._errors.explain(error)
                    self._log.warning(LogEvent.PRODUCER_WAITS, reason=self.waits_for)
        finally:
            self.waits_for = ""

    def _is_stuck_since(self, since_s: float) -> bool:
        return time.monotonic() - since_s >= self._stuck_s

    def _give_up(self, producer: Producer, cause: KafkaError) -> ConsumerError:
        """Abort, or replace a producer that is dead; returns what to raise."""
        cure = cure_of(cause)
        if cure is Cure.NEW_PRODUCER or _may_be_repeated(cause):
            return self._replace(cause)
        try:
            self._insist(lambda: producer.abort_transaction(_REQUEST_S))
        except KafkaException as error:
            return self._replace(_cause(error))
        match cure:
            case Cure.OTHER_OWNER:
                return OwnershipLost(cause.str())
            case Cure.STOP:
                return Fatal(access_refused(cause.str(), cause.code()))
            case _:
                return BrokerUnavailable(cause.str())

    def _replace(self, cause: KafkaError) -> ConsumerError:
        if cause.code() in REPLACED:
            self._look_for_duel(cause)
        self._producer = None
        self._reopen()
        return ProducerFenced(cause.str())

    def _look_for_duel(self, cause: KafkaError) -> None:
        now = time.monotonic()
        self._fenced.append(now)
        if len(self._fenced) == _DUEL_FENCES and now - self._fenced[0] < _DUEL_S:
            raise Fatal(f"INSTANCE_ID {self._instance_id} is used by another running replica: {cause.str()}")

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


class _Deliveries:
    """What became of the messages of one transaction."""

    def __init__(self) -> None:
        self.too_large: set[Message] = set()
        self.topics: set[str] = set()  # of those that were refused, not answered in time, or given up with others
        self._taken = 0
        self._failed: list[tuple[str, KafkaError]] = []

    def note(self, message: Message, error: KafkaError | None) -> None:
        """What the client says of one message; None: it was delivered."""
        if error is None:
            self._taken += 1
        elif CURES.get(error.code()) is Cure.SMALLER:
            self.too_large.add(message)
        else:
            self._failed.append((message.topic, error))
            self.topics.add(message.topic)

    def refusal(self, cause: KafkaError, commits: Sequence[Commit]) -> str:
        """Which topic takes nothing, and why; "" where that is not what ended the transaction."""
        reasons = {
            topic: error.str()
            for topic, error in self._failed
            if is_of_its_topic(error, others_were_taken=self._taken > 0)
        }
        if not reasons and is_of_its_topic(cause, others_were_taken=False):
            # The broker said so of the transaction: of which of its topics only a smaller one tells.
            reasons = {message.topic: cause.str() for commit in commits for message in commit.published}
        self.topics.update(reasons)
        return "; ".join(f"topic {topic}: {reason}" for topic, reason in sorted(reasons.items()))


def _suspects(commits: Sequence[Commit], too_large: set[Message], cause: KafkaError) -> set[Message]:
    """Which messages to make smaller, where one was refused and nobody says which.

    Raises TopicUnavailable where all are as small as they can be.
    """
    messages = [message for commit in commits for message in commit.published]
    if suspects := {message for message in messages if message.smaller} - too_large:
        return suspects
    topics = sorted({message.topic for message in messages})
    raise TopicUnavailable(f"topic {', '.join(topics)}: a message was refused ({cause.str()})")


def _too_large(message: Message) -> str:
    """What to do about it: it is refused again and again, until an operator has mended the topic."""
    sent = message.smaller or message
    size_bytes = len(sent.key or b"") + len(sent.value or b"") + sum(len(k) + len(v or b"") for k, v in sent.headers)
    return f"topic {sent.topic}: takes no message of {size_bytes} bytes: raise the topic's max.message.bytes"


def _may_be_repeated(cause: KafkaError) -> bool:
    return bool(cause.retriable() and not cause.fatal() and not cause.txn_requires_abort())


def _cause(error: KafkaException) -> KafkaError:
    cause: KafkaError = error.args[0]
    return cause
