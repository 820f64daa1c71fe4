"""Whoever keeps a client for long takes another where it is of no more use: librdkafka's may never connect again.

A client that does not connect is made by an address where nobody listens; only another one has the brokers' own.
"""

import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.kafka import dead_letters as dead_letters_module
from consumer.adapters.kafka import endpoint_group as endpoint_group_module
from consumer.adapters.kafka import source as source_module
from consumer.adapters.kafka.audit import AuditPolicy, KafkaAuditLog
from consumer.adapters.kafka.config import consumer_config
from consumer.adapters.kafka.control_feed import KafkaControlFeed
from consumer.adapters.kafka.dead_letters import KafkaDeadLetters
from consumer.adapters.kafka.endpoint_group import EndpointGroup
from consumer.adapters.kafka.lag import KafkaLagReader
from consumer.adapters.kafka.notices import KafkaNotices
from consumer.adapters.kafka.source import KafkaSource
from consumer.adapters.kafka.topic_ids import TopicIds
from consumer.client import reader as reader_module
from consumer.client.reader import Begin, TopicReader
from consumer.client.sender import Sender
from consumer.core.errors import AuditUnavailable, BrokerUnavailable
from consumer.core.model import Message, Record, TopicPartition
from consumer.gateway.index.ends import TopicEnds
from consumer.settings import KafkaSettings
from consumer.webhooks.endpoints import Endpoint
from consumer.webhooks.policy import RetryPolicy
from consumer.webhooks.worker import EndpointWorker, Tools
from devstack.service import free_port
from harness.group_member import Listener, topic_of_one_record
from harness.waiting import wait_for
from harness.webhooks import a_secret
from tests.conftest import Kafka


@pytest.fixture
def topic(kafka: Kafka) -> str:
    """One that holds a single record."""
    return topic_of_one_record(kafka.bootstrap_servers)


@pytest.fixture
def settings() -> KafkaSettings:
    """Of brokers that are not there yet."""
    return KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", group_id=f"forsaken-{uuid4().hex}")


def come_back(settings: KafkaSettings, kafka: Kafka) -> None:
    """From now on whatever client is made finds the brokers."""
    object.__setattr__(settings, "bootstrap_servers", kafka.bootstrap_servers)


def tries(ask: Callable[[], object]) -> bool:
    """Whether it is answered at last."""
    try:
        ask()
    except BrokerUnavailable:
        return False
    return True


def test_the_lag_is_read_again(settings: KafkaSettings, kafka: Kafka, topic: str) -> None:
    reader = KafkaLagReader(settings, [topic], lambda _: ("2stems", None))
    reader.start()
    try:
        wait_for(lambda: reader.trouble != "")
        come_back(settings, kafka)
        wait_for(lambda: reader.backlog() is not None)
        assert [lag.messages for lag in reader.backlog().lags] == [1]  # type: ignore[union-attr]
    finally:
        reader.stop()


def test_ends_and_ids_and_commits_are_answered_again(settings: KafkaSettings, kafka: Kafka, topic: str) -> None:
    ends, ids = TopicEnds(settings, topic), TopicIds(settings)
    source = KafkaSource(settings, instance_id="", is_static_member=False)
    place = TopicPartition(topic, 0)
    questions: tuple[Callable[[], object], ...] = (ends, lambda: ids.now(topic), lambda: source.committed([place]))
    for ask in questions:
        assert not tries(ask)
    come_back(settings, kafka)
    for ask in questions:
        wait_for(lambda ask=ask: tries(ask))
    assert (ends(), source.committed([place])) == ({place: 1}, {place: None})
    wait_for(lambda: ids.last_heard([topic]) == {topic: ids.now(topic)})
    ends.close()


def test_notices_are_sent_again(settings: KafkaSettings, kafka: Kafka, topic: str) -> None:
    """The first ones are lost, as they may be."""
    notices, ends = KafkaNotices(settings), TopicEnds(settings, topic)
    notice = Message(topic=topic, key=b"k", value=b"v")
    notices.send(notice)
    come_back(settings, kafka)

    def arrived() -> bool:
        notices.send(notice)
        return tries(ends) and ends()[TopicPartition(topic, 0)] > 1

    wait_for(arrived)
    notices.close()
    ends.close()


def test_a_required_audit_log_is_looked_for_again(settings: KafkaSettings, kafka: Kafka, topic: str) -> None:
    """Where it can't be found nobody is let in, so no event may be needed for another producer to be taken."""
    log = KafkaAuditLog(
        settings, topic, AvroCodec(), AuditPolicy(is_required=True), log=lambda _: None, on_lost=lambda _: None
    )
    with pytest.raises(AuditUnavailable):
        log.probe(0.5)
    come_back(settings, kafka)
    log.probe(60)
    log.close()


def test_a_record_is_replayed_again(
    settings: KafkaSettings, kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another producer; what the one before was told to have failed with is not sent by it later."""
    monkeypatch.setattr(dead_letters_module, "_DELIVERY_S", 0.5)
    letters = KafkaDeadLetters(settings, topic, AvroCodec())
    with pytest.raises(BrokerUnavailable):
        letters.send(Message(topic=topic, key=b"k", value=b"failed"))
    come_back(settings, kafka)
    monkeypatch.undo()
    letters.send(Message(topic=topic, key=b"k", value=b"v"))
    reader = TopicReader(settings, [topic], begin=Begin.BEGINNING, request_s=60)
    assert [each.value() for each in read(reader, 2)] == [b"a value", b"v"]
    reader.close()


def test_the_control_feed_is_read_again(settings: KafkaSettings, kafka: Kafka, topic: str) -> None:
    feed = KafkaControlFeed(settings, topic, max_age_s=3600, max_records=10)
    assert not tries(lambda: feed.poll(0.1))
    assert not feed.is_caught_up
    come_back(settings, kafka)
    found: list[Record] = []

    def has_come() -> bool:
        def look() -> None:
            if record := feed.poll(0.1):
                found.append(record)

        return tries(look) and feed.is_caught_up

    wait_for(has_come)
    assert [record.value for record in found] == [b"a value"]


def test_what_is_sent_next_is_sent_by_another(settings: KafkaSettings, kafka: Kafka, topic: str) -> None:
    """What was given up is told of; a topic is looked for by another one too."""
    sender = Sender(settings, request_s=2.0)
    with pytest.raises(BrokerUnavailable):
        sender.send(topic, b"v", "k")
    sender._found.add(topic)  # as where it was found before
    with pytest.raises(BrokerUnavailable):
        sender.send(topic, b"v", "k").future().result(60)
    sender._config["bootstrap.servers"] = kafka.bootstrap_servers
    assert sender.send(topic, b"v", "k").future().result(60) == (TopicPartition(topic, 0), 1)
    sender._found.clear()
    sender.send(topic, b"v", "k").future().result(60)
    assert sender.close(60) == 0
    assert sender._retired == []


def test_what_was_given_to_one_that_is_exchanged_meanwhile_is_told_of(
    kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had nothing to tell of before, and so was let go of already."""
    sender = Sender(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), request_s=60.0)
    before = sender._kept.latest
    sender._kept.forsake()
    sender._kept.now()
    wait_for(lambda: sender._retired == [])
    monkeypatch.setattr(sender._kept, "now", lambda: before)
    assert sender.send(topic, b"v", "k").future().result(60) == (TopicPartition(topic, 0), 1)
    assert sender.close(60) == 0


def test_a_reader_goes_on_where_it_was(kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out, and nothing is read twice; what it held it holds."""
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers)
    reader = TopicReader(settings, [topic], begin=Begin.BEGINNING, request_s=60)
    assert [each.value() for each in read(reader, 1)] == [b"a value"]

    def unanswered(*_: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    before = reader._consumer
    with monkeypatch.context() as patched:
        patched.setattr(reader_module, "look_for", unanswered)
        reader._look_for_partitions()
    assert reader._consumer is not before
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, b"another")
    assert producer.flush(60) == 0
    assert [each.value() for each in read(reader, 1)] == [b"another"]
    reader.hold_all_but()
    with monkeypatch.context() as patched:
        patched.setattr(reader_module, "look_for", unanswered)
        reader._look_for_partitions()
    producer.produce(topic, b"held")
    assert producer.flush(60) == 0
    assert reader.consume(1, 2.0) == []
    reader.release()
    assert [each.value() for each in read(reader, 1)] == [b"held"]
    reader.close()


def read(reader: TopicReader, count: int) -> list[KafkaMessage]:
    """The next records, once there are so many."""
    found: list[KafkaMessage] = []

    def has_come() -> bool:
        found.extend(reader.consume(count - len(found), 0.5))
        return len(found) == count

    wait_for(has_come)
    return found


def test_a_member_without_a_connection_joins_anew(
    settings: KafkaSettings, kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before that it says that no broker can be reached; with one that is, it is left as it is."""
    monkeypatch.setattr(source_module, "_FORSAKEN_S", 3.0)
    source = KafkaSource(settings, instance_id="", is_static_member=False)
    source.subscribe([topic], Listener())
    try:
        wait_for(lambda: source.poll(0.1) is None and "no broker can be reached" in source.last_error)
        source._config["bootstrap.servers"] = kafka.bootstrap_servers
        wait_for(lambda: isinstance(source.poll(0.1), Record))
        mine, until = source._consumer, time.monotonic() + 4.0
        while time.monotonic() < until:
            source.poll(0.1)
        assert source._consumer is mine
        assert source.last_error == ""
    finally:
        source.close()


class Notices:
    """None of what was read is anybody's notice."""

    def __init__(self) -> None:
        self.read: list[bytes | None] = []

    def notice(self, message: KafkaMessage) -> None:
        self.read.append(message.value())


def test_an_endpoint_s_member_without_a_connection_joins_anew(
    kafka: Kafka, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker says that no broker can be reached, and then takes another member, which passes over nothing."""
    monkeypatch.setattr(endpoint_group_module, "_FORSAKEN_S", 1.0)
    settings, notices = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), Notices()
    config = consumer_config(settings, None)
    configs = [config | {"bootstrap.servers": f"127.0.0.1:{free_port()}"}, config]
    monkeypatch.setattr(
        endpoint_group_module, "consumer_config", lambda group, _: configs.pop(0) | {"group.id": group.group_id}
    )
    tools = Tools(
        group=lambda endpoint_id, listener: EndpointGroup(settings, f"{topic}-{endpoint_id}", [topic], listener),
        notices=lambda: notices,  # type: ignore[arg-type,return-value]
        sender=None,  # type: ignore[arg-type]
        policy=RetryPolicy(first_wait_s=1.0, longest_wait_s=1.0, give_up_after_s=60.0),
        count=lambda _: None,
    )
    worker = EndpointWorker(Endpoint(id="main", url="https://localhost/", tenant=None, secrets=(a_secret(),)), tools)
    worker.start()
    wait_for(lambda: worker.trouble and "has not begun" not in worker.trouble)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, b"after the end")
    assert producer.flush(60) == 0
    wait_for(lambda: notices.read == [b"after the end"])
    worker.stop(0.0)
    worker.join(60)
    assert not worker.is_alive
