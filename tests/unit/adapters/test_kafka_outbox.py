"""What the outbox makes of the client library's errors."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from consumer.adapters.kafka.outbox import KafkaOutbox
from consumer.adapters.kafka.producer_errors import BROKEN, CURES, Cure
from consumer.core.errors import BrokerUnavailable, Fatal, OwnershipLost, ProducerFenced, TopicUnavailable
from consumer.core.model import Message, TopicPartition
from consumer.core.ports import Commit, Position
from consumer.settings import KafkaSettings


def trouble(code: int, reason: str = "", **flags: bool) -> KafkaException:
    return KafkaException(KafkaError(code, reason, **flags))


TIMED_OUT = trouble(KafkaError._TIMED_OUT, "coordinator is away", retriable=True)


class FakeProducer:
    """A transactional producer. `script` holds what a call of that name raises, one entry a call; None: nothing."""

    def __init__(self) -> None:
        self.script: dict[str, deque[Exception | None]] = {}
        self.calls: list[str] = []
        self.produced: list[tuple[Any, ...]] = []

    def will(self, name: str, *errors: Exception | None) -> "FakeProducer":
        self.script[name] = deque(errors)
        return self

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*arguments: Any, **_: Any) -> None:
            self.calls.append(name)
            if script := self.script.get(name):
                error = script.popleft()
                if error:
                    raise error
            if name == "produce":
                self.produced.append(arguments)

        return call


class Harness:
    """An outbox whose producers are these, one after the other."""

    def __init__(self, *producers: FakeProducer, stuck_s: float = 60.0) -> None:
        coming: Iterator[Any] = iter(producers)
        settings = KafkaSettings(bootstrap_servers="127.0.0.1:1")
        self.outbox = KafkaOutbox(
            settings, instance_id="i", make_producer=lambda: next(coming), stuck_s=stuck_s
        )  # fmt: skip

    def publish(self, *messages: Message) -> None:
        commit = Commit(
            partition=TopicPartition("t", 0), position=Position(offset=1), membership=object(), messages=messages
        )
        with capture_logs():
            self.outbox.publish([commit])


MESSAGE = Message(topic="results", key=b"k", value=b"v")


def test_one_try_to_open_ends_with_the_reason() -> None:
    """While the coordinator is away each try raises, and the next goes on with the same producer."""
    producer = FakeProducer().will("init_transactions", TIMED_OUT, TIMED_OUT, None)
    harness = Harness(producer)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="coordinator is away"):
            harness.outbox.open(0.1)
    harness.outbox.open(0.1)
    harness.publish(MESSAGE)
    assert [call for call in producer.calls if call == "init_transactions"] == ["init_transactions"] * 3
    assert producer.produced == [("results", b"v", b"k")]


def test_a_producer_that_can_not_be_opened_is_not_tried_again() -> None:
    """After an error that does not pass the next try begins with a fresh producer; a refusal is fatal."""
    dead = FakeProducer().will("init_transactions", trouble(KafkaError.INVALID_PRODUCER_EPOCH, "fenced"))
    refused = FakeProducer().will("init_transactions", trouble(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    harness = Harness(dead, refused)
    with pytest.raises(BrokerUnavailable, match="fenced"):
        harness.outbox.open()
    with pytest.raises(Fatal, match="refuses access"):
        harness.outbox.open()


def test_a_fence_is_told_of_once_a_new_producer_works() -> None:
    """Only then is it settled whether the last transaction happened, so the new one is insisted on."""
    fenced = FakeProducer().will("commit_transaction", trouble(KafkaError._FENCED, "fenced", fatal=True))
    following = FakeProducer().will("init_transactions", TIMED_OUT, TIMED_OUT, None)
    harness = Harness(fenced, following)
    with pytest.raises(ProducerFenced, match="fenced"):
        harness.publish(MESSAGE)
    # In between it hands out what its connections failed with.
    assert following.calls == ["init_transactions", "poll", "init_transactions", "poll", "init_transactions"]


@pytest.mark.parametrize(
    "call", ["send_offsets_to_transaction", "commit_transaction", "abort_transaction"]
)  # fmt: skip
def test_a_producer_that_gets_no_answer_is_replaced(call: str) -> None:
    """It may have lost its coordinator for good; what became of its transaction is settled by the next one's start."""
    stuck = FakeProducer().will(call, TIMED_OUT)
    if call == "abort_transaction":
        stuck.will("send_offsets_to_transaction", trouble(KafkaError.STALE_MEMBER_EPOCH, txn_requires_abort=True))
    following = FakeProducer()
    harness = Harness(stuck, following, stuck_s=0.0)
    with pytest.raises(ProducerFenced, match="coordinator is away"):
        harness.publish(MESSAGE)
    assert stuck.calls[-1] == call
    harness.publish(MESSAGE)
    assert following.calls[0] == "init_transactions"
    assert following.calls[-1] == "commit_transaction"


def test_a_producer_that_does_not_start_is_replaced() -> None:
    """As long as no broker is there each takes the place of the one before."""
    stuck, following = FakeProducer().will("init_transactions", TIMED_OUT), FakeProducer()
    harness = Harness(stuck, following, stuck_s=0.0)
    with pytest.raises(BrokerUnavailable, match="coordinator is away"):
        harness.outbox.open(0.1)
    harness.publish(MESSAGE)
    assert following.produced == [("results", b"v", b"k")]


def test_a_full_queue_is_waited_for() -> None:
    """Where the client can't take more it gets time to send what it holds, and nothing is published twice."""
    producer = FakeProducer().will("produce", BufferError("queue full"), BufferError("queue full"), None)
    Harness(producer).publish(MESSAGE)
    assert producer.calls.count("poll") == 2
    assert producer.produced == [("results", b"v", b"k")]
    assert producer.calls[-1] == "commit_transaction"


def test_what_is_waited_for_is_told_meanwhile() -> None:
    """While a commit is repeated, the reason can be asked for from outside; afterwards there is none."""
    told: list[str] = []

    class Watched(FakeProducer):
        def commit_transaction(self, timeout_s: float) -> None:
            told.append(harness.outbox.waits_for)
            self.__getattr__("commit_transaction")(timeout_s)

    harness = Harness(Watched().will("commit_transaction", TIMED_OUT, TIMED_OUT, None))
    harness.publish(MESSAGE)
    assert told[0] == ""
    assert [("coordinator is away" in words) for words in told[1:]] == [True, True]
    assert harness.outbox.waits_for == ""


TOO_LARGE = trouble(KafkaError.MSG_SIZE_TOO_LARGE, "too large")  # as the client itself says it


def test_what_is_too_large_gives_way_to_what_is_smaller() -> None:
    """The transaction is tried again with the smaller message, in the place of the one that was refused."""
    letter = Message(topic="letters", key=b"k", value=b"large", smaller=Message(topic="letters", key=b"k", value=b"s"))
    producer = FakeProducer().will("produce", None, TOO_LARGE, None, None)
    Harness(producer).publish(MESSAGE, letter)
    assert [value for _, value, _ in producer.produced[1:]] == [b"v", b"s"]


def test_what_was_refused_with_its_batch_is_tried_alone() -> None:
    """A topic's limit is for batches: what has nothing smaller is sent again by itself before it is given up."""
    producer = FakeProducer().will("produce", TOO_LARGE, None, None)
    Harness(producer).publish(MESSAGE)
    assert producer.calls[-5:] == [
        "flush", "produce", "flush", "send_offsets_to_transaction", "commit_transaction",
    ]  # fmt: skip


@pytest.mark.parametrize("smaller", [None, Message(topic="letters", key=b"k", value=b"1234")])
def test_what_can_not_be_made_small_enough_is_its_topic_s_matter(smaller: Message | None) -> None:
    """Its partition waits until the topic takes it; the reason names the topic and its setting."""
    producer = FakeProducer().will("produce", *[TOO_LARGE] * 5)
    message = Message(topic="letters", key=b"k", value=b"123456789", smaller=smaller)
    size_bytes = 5 if smaller else 10
    with pytest.raises(
        TopicUnavailable, match=rf"^topic letters: takes no message of {size_bytes} bytes: .*max\.message\.bytes"
    ):
        Harness(producer).publish(message)
    assert producer.calls[-1] == "abort_transaction"


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_a_message_that_was_refused_without_a_word_gives_way_to_what_is_smaller(code: int) -> None:
    """The client tells of the gap that it leaves, of the transaction that is over, and of no message."""
    letter = Message(topic="letters", key=b"k", value=b"large", smaller=Message(topic="letters", key=b"k", value=b"s"))
    first = FakeProducer().will("commit_transaction", trouble(code, "skipped"))
    following = FakeProducer()
    Harness(first, following).publish(MESSAGE, letter)
    last = following if code == KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER else first
    assert [value for _, value, _ in last.produced[-2:]] == [b"v", b"s"]
    assert last.calls[-1] == "commit_transaction"


@pytest.mark.parametrize("code", sorted(BROKEN))
def test_what_is_refused_without_a_word_is_its_topics_matter(code: int) -> None:
    """Where nothing can be made smaller: whoever publishes tries each by itself, and no rival is suspected."""
    producers = [FakeProducer().will("commit_transaction", *[trouble(code, "skipped")] * 9) for _ in range(9)]
    harness = Harness(*producers)
    for _ in range(8):
        with pytest.raises(TopicUnavailable, match=r"^topic results: a message was refused \(skipped\)$"):
            harness.publish(MESSAGE)


GONE = sorted(code for code, cure in CURES.items() if cure is Cure.NEW_PRODUCER and code not in BROKEN)


@pytest.mark.parametrize("code", GONE)
def test_a_producer_that_is_gone_is_replaced(code: int) -> None:
    """Nothing is tried with it again, whether librdkafka calls the error fatal or one that asks for an abort."""
    gone = FakeProducer().will("send_offsets_to_transaction", trouble(code, "gone", txn_requires_abort=True))
    following = FakeProducer()
    harness = Harness(gone, following)
    with pytest.raises(ProducerFenced, match="gone"):
        harness.publish(MESSAGE)
    assert "abort_transaction" not in gone.calls
    harness.publish(MESSAGE)
    assert following.calls[-1] == "commit_transaction"


@pytest.mark.parametrize("code", sorted(code for code, cure in CURES.items() if cure is Cure.STOP))
def test_what_only_an_operator_mends_ends_the_replica(code: int) -> None:
    """At the start and in a transaction alike, with Kafka's words."""
    at_start = FakeProducer().will("init_transactions", trouble(code, "not you"))
    with pytest.raises(Fatal, match="not you"):
        Harness(at_start).outbox.open()
    in_work = FakeProducer().will("send_offsets_to_transaction", trouble(code, "not you", txn_requires_abort=True))
    with pytest.raises(Fatal, match="not you"):
        Harness(in_work).publish(MESSAGE)


@pytest.mark.parametrize("code", sorted(code for code, cure in CURES.items() if cure is Cure.OTHER_OWNER))
def test_a_partition_that_has_moved_is_left_to_its_owner(code: int) -> None:
    """The transaction is aborted with the same producer, which is good for others."""
    producer = FakeProducer().will("send_offsets_to_transaction", trouble(code, "moved", txn_requires_abort=True))
    with pytest.raises(OwnershipLost, match="moved"):
        Harness(producer).publish(MESSAGE)
    assert producer.calls[-1] == "abort_transaction"


class Reporting(FakeProducer):
    """Reports `fate` of each message by its topic as the transaction is committed, as librdkafka does."""

    def __init__(self, fate: dict[str, KafkaError | None]) -> None:
        super().__init__()
        self.fate = fate
        self.reports: list[Callable[[], None]] = []

    def produce(self, topic: str, *_: Any, on_delivery: Callable[..., None], **__: Any) -> None:
        self.reports.append(lambda: on_delivery(self.fate[topic], None))

    def commit_transaction(self, _: float) -> None:
        for report in self.reports:
            report()
        failed = next((error for error in self.fate.values() if error), None)
        if failed:
            raise trouble(failed.code(), "2 messages failed", txn_requires_abort=True)


PURGED = KafkaError(KafkaError._PURGE_QUEUE, "purged")


@pytest.mark.parametrize("code", sorted(code for code, cure in CURES.items() if cure is Cure.TOPIC))
def test_the_topic_that_takes_nothing_is_named(code: int) -> None:
    """What each message was refused with tells which topic it is; those that only went with it are not blamed."""
    producer = Reporting({"letters": KafkaError(code, "refused"), "results": PURGED})
    with pytest.raises(TopicUnavailable, match=r"^topic letters: refused$"):
        Harness(producer).publish(MESSAGE, Message(topic="letters", key=None, value=b"v"))
    assert producer.calls[0] == "init_transactions"
    assert "abort_transaction" in producer.calls


@pytest.mark.parametrize(("others", "is_its_own"), [(None, True), (PURGED, False)])
def test_a_message_that_was_slow_blames_its_topic_only_where_others_were_not(
    others: KafkaError | None, is_its_own: bool
) -> None:
    """As with too few replicas in sync, which librdkafka tries until the message's time is over; or in an outage."""
    slow = KafkaError(KafkaError._MSG_TIMED_OUT, "timed out")
    producer = Reporting({"letters": slow, "results": others})
    with pytest.raises(BrokerUnavailable) as caught:
        Harness(producer).publish(MESSAGE, Message(topic="letters", key=None, value=b"v"))
    assert isinstance(caught.value, TopicUnavailable) == is_its_own


def test_a_missing_topic_that_the_client_knows_of_is_aborted() -> None:
    """Where the client refuses at once, the producer is kept, and the topic is asked for anew."""
    missing = trouble(KafkaError._UNKNOWN_TOPIC, "unknown topic")
    producer = FakeProducer().will("produce", missing)
    with pytest.raises(TopicUnavailable, match=r"^topic results: unknown topic$"):
        Harness(producer).publish(MESSAGE)
    assert producer.calls[-2:] == ["abort_transaction", "list_topics"]


def test_topics_of_messages_that_nobody_answered_are_asked_for_anew() -> None:
    """They may have been made anew with fewer partitions, and the client still sends to those that are gone; that of
    one which was only given up with them may be the next."""
    slow = KafkaError(KafkaError._MSG_TIMED_OUT, "timed out")
    producer = Reporting({"results": slow, "letters": PURGED})
    with pytest.raises(BrokerUnavailable):
        Harness(producer).publish(MESSAGE, Message(topic="letters", key=None, value=b"v"))
    assert producer.calls[-3:] == ["abort_transaction", "list_topics", "list_topics"]
