"""What the outbox makes of the client library's errors."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from consumer.adapters import kafka_outbox as module
from consumer.adapters.kafka_outbox import KafkaOutbox
from consumer.errors import BrokerUnavailable, Fatal, ProducerFenced
from consumer.model import Message, TopicPartition
from consumer.ports import Commit, Position
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


class Bench:
    """An outbox whose producers are these, one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *producers: FakeProducer) -> None:
        coming = iter(producers)
        monkeypatch.setattr(module, "connect", lambda *_: next(coming))
        self.outbox = KafkaOutbox(KafkaSettings(bootstrap_servers="127.0.0.1:1"), instance_id="i")

    def publish(self, *messages: Message) -> None:
        commit = Commit(
            partition=TopicPartition("t", 0), position=Position(offset=1), membership=object(), messages=messages
        )
        with capture_logs():
            self.outbox.publish([commit])


MESSAGE = Message(topic="results", key=b"k", value=b"v")


def test_one_try_to_open_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the coordinator is away each try raises, and the next goes on with the same producer."""
    producer = FakeProducer().will("init_transactions", TIMED_OUT, TIMED_OUT, None)
    bench = Bench(monkeypatch, producer)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable, match="coordinator is away"):
            bench.outbox.open(0.1)
    bench.outbox.open(0.1)
    bench.publish(MESSAGE)
    assert [call for call in producer.calls if call == "init_transactions"] == ["init_transactions"] * 3
    assert producer.produced == [("results", b"v", b"k")]


def test_a_producer_that_can_not_be_opened_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error that does not pass the next try begins with a fresh producer; a refusal is fatal."""
    dead = FakeProducer().will("init_transactions", trouble(KafkaError.INVALID_PRODUCER_EPOCH, "fenced"))
    refused = FakeProducer().will("init_transactions", trouble(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    bench = Bench(monkeypatch, dead, refused)
    with pytest.raises(BrokerUnavailable, match="fenced"):
        bench.outbox.open()
    with pytest.raises(Fatal, match="refuses access"):
        bench.outbox.open()


def test_a_fence_is_told_of_once_a_new_producer_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then is it settled whether the last transaction happened, so the new one is insisted on."""
    fenced = FakeProducer().will("commit_transaction", trouble(KafkaError._FENCED, "fenced", fatal=True))
    following = FakeProducer().will("init_transactions", TIMED_OUT, TIMED_OUT, None)
    bench = Bench(monkeypatch, fenced, following)
    with pytest.raises(ProducerFenced, match="fenced"):
        bench.publish(MESSAGE)
    assert following.calls == ["init_transactions"] * 3


def test_a_full_queue_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the client can't take more it gets time to send what it holds, and nothing is published twice."""
    producer = FakeProducer().will("produce", BufferError("queue full"), BufferError("queue full"), None)
    Bench(monkeypatch, producer).publish(MESSAGE)
    assert producer.calls.count("poll") == 2
    assert producer.produced == [("results", b"v", b"k")]
    assert producer.calls[-1] == "commit_transaction"
