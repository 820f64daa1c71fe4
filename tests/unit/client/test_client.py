"""The platform's client, against librdkafka's own mock of a cluster."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from consumer.adapters.avro.codec import AvroCodec
from consumer.client.kafka import Client, Watch
from consumer.core.errors import BrokerUnavailable, Code, ConsumerError, Rejected
from consumer.core.events import (
    DeadLetter,
    Event,
    OutputOptions,
    SeparationControl,
    SeparationProgress,
    SeparationRequest,
    SeparationResult,
    SourceObject,
)
from consumer.core.model import Headers
from consumer.settings import KafkaSettings, TopicSettings
from harness.fakes import a_request

CODEC = AvroCodec()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Producer]:
    """A cluster that lives as long as this producer."""
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})
    yield producer
    producer.flush(5)


@pytest.fixture
def topics(request: pytest.FixtureRequest, cluster: Producer) -> TopicSettings:
    """Topics of this test's own."""
    name = "".join(letter for letter in request.node.name if letter.isalnum())
    names = {field: f"{name}.{field}" for field in ("requests", "results", "dead_letter", "progress", "control")}
    for topic in names.values():
        cluster.list_topics(topic, timeout=10)  # which creates it
    return TopicSettings.model_validate(names)


def settings(servers: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=servers)


@pytest.fixture
def client(cluster: Producer, topics: TopicSettings) -> Client:
    broker = next(iter(cluster.list_topics(timeout=10).brokers.values()))
    return Client(settings(f"{broker.host}:{broker.port}"), topics, CODEC)


def publish(cluster: Producer, topic: str, *events: Event, value: bytes | None = None) -> None:
    for event in events:
        cluster.produce(topic, CODEC.encode(event), b"key")
    if value is not None:
        cluster.produce(topic, value)
    assert cluster.flush(10) == 0


def take(watch: Watch, count: int) -> list[Event]:
    events: list[Event] = []
    for event in watch:
        events.append(event)
        if len(events) == count:
            break
    watch.close()
    return events


def test_a_request_reaches_its_topic(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """`send` returns once the broker has the request, which lies there under its id, with the headers it was given."""
    client.send(a_request(request_id="r7"), headers=[("traceparent", b"00-1-2-3")])
    kinds: dict[str, type[Event]] = {topics.requests: SeparationRequest}
    watch = Watch(client._kafka, kinds, CODEC, from_beginning=True)
    message = watch._consumer.poll(20)
    assert message is not None
    assert (message.key(), message.headers()) == (b"r7", [("traceparent", b"00-1-2-3")])
    assert CODEC.decode_request(message.value()) == a_request(request_id="r7")
    watch.close()


def test_a_cancellation_reaches_its_topic(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """`cancel` returns once the broker has the wish, which names the request and tells why."""
    client.cancel("r7", "changed my mind")
    kinds: dict[str, type[Event]] = {topics.control: SeparationControl}
    [wish] = take(Watch(client._kafka, kinds, CODEC, from_beginning=True), 1)
    assert isinstance(wish, SeparationControl)
    assert (wish.request_id, wish.action, wish.reason) == ("r7", "cancel", "changed my mind")


def test_what_happens_is_watched(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """A watch brings results, dead letters and progress; from now on, or from the beginning as well."""
    old = SeparationResult(request_id="old")
    publish(cluster, topics.results, old)
    now, everything = client.watch(), client.watch(from_beginning=True)
    news: list[Event] = [
        SeparationResult(request_id="r"), DeadLetter(request_id="r", code="X"), SeparationProgress(request_id="r"),
    ]  # fmt: skip
    for topic, event in zip((topics.results, topics.dead_letter, topics.progress), news, strict=True):
        publish(cluster, topic, event)
    assert sorted(map(repr, take(now, 3))) == sorted(map(repr, news))
    assert sorted(map(repr, take(everything, 4))) == sorted(map(repr, [old, *news]))


@pytest.mark.parametrize("outcome", [SeparationResult(request_id="r1"), DeadLetter(request_id="r1", code="X")])
def test_a_request_can_be_waited_for(
    client: Client, topics: TopicSettings, cluster: Producer, monkeypatch: pytest.MonkeyPatch,
    outcome: SeparationResult | DeadLetter,
) -> None:  # fmt: skip
    """`send_and_wait` returns the outcome of its own request, however many others come before it."""
    topic = topics.results if isinstance(outcome, SeparationResult) else topics.dead_letter
    send = client.send

    def send_and_answer(request: SeparationRequest, headers: Headers) -> None:
        send(request, headers)
        publish(cluster, topic, type(outcome)(request_id="another"), outcome)

    monkeypatch.setattr(client, "send", send_and_answer)
    assert client.send_and_wait(a_request(), 30) == outcome


def test_waiting_has_an_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no outcome comes in time, or the request can't be sent, that is said, and the watch is closed."""
    closed: list[Watch] = []
    close = Watch.close

    def note_and_close(watch: Watch) -> None:
        closed.append(watch)
        close(watch)

    monkeypatch.setattr(Watch, "close", note_and_close)
    with pytest.raises(BrokerUnavailable, match=r"no outcome within 0\.3 s"):
        client.send_and_wait(a_request(), 0.3)
    assert len(closed) == 1

    def refuse(_: SeparationRequest, __: Headers) -> None:
        raise BrokerUnavailable("away")

    monkeypatch.setattr(client, "send", refuse)
    with pytest.raises(BrokerUnavailable, match="away"):
        client.send_and_wait(a_request(), 0.3)
    assert len(closed) == 2


def test_a_strangers_record_is_passed_over(
    client: Client, topics: TopicSettings, cluster: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    """What is no event in a topic of events is told of, and what comes behind it is seen all the same."""
    watch = client.watch(from_beginning=True)
    publish(cluster, topics.results, value=b"garbage")
    publish(cluster, topics.results, SeparationResult(request_id="r"))
    publish(cluster, topics.dead_letter, DeadLetter(request_id="r", code="X"))
    assert {type(event) for event in take(watch, 2)} == {SeparationResult, DeadLetter}
    [told] = caplog.messages
    assert told.startswith(f"{topics.results} [")
    assert " is no event: AVRO_UNDECODABLE: " in told


@pytest.mark.parametrize("call", ["send", "watch"])
def test_no_broker_is_told_of_in_one_line(call: str) -> None:
    """Where nobody answers, each call ends with one line that names the variable."""
    client = Client(settings("127.0.0.1:1"), TopicSettings(), CODEC, request_s=0.3)
    with pytest.raises(BrokerUnavailable, match=r"^KAFKA_BOOTSTRAP_SERVERS: ") as caught:
        client.send(a_request()) if call == "send" else client.watch()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ConsumerError)


INVALID: dict[str, dict[str, object]] = {
    "a space in its id": {"request_id": "a b"},
    "an unknown model": {"model": "9stems"},
    "an endless span": {"start_s": float("inf")},
    "a track that no record can hold": {"track": 1 << 40},
    "a key that leaves its folder": {"source": SourceObject(bucket="in", key="../a.mp3")},
    "a prefix that leaves its folder": {"output": OutputOptions(prefix="../")},
    "metadata beyond 64 KiB": {"metadata": {"note": "x" * (64 * 1024 + 1)}},
    "metadata beyond any record": {"metadata": {"note": "x" * 3_000_000}},
}


@pytest.mark.parametrize("fields", INVALID.values(), ids=INVALID)
def test_what_a_replica_would_refuse_is_not_sent(fields: dict[str, object]) -> None:
    """The client refuses with the code that the dead letter would have, and asks no broker for that."""
    client = Client(settings("127.0.0.1:1"), TopicSettings(), CODEC, request_s=600.0)
    with pytest.raises(Rejected) as caught:
        client.send(a_request(**fields))
    assert caught.value.code == Code.REQUEST_INVALID


def test_what_no_record_can_hold_is_refused(client: Client) -> None:
    """Headers beyond the size of a record are answered in our own words, not in the library's error."""
    with pytest.raises(Rejected, match="takes no record of this size"):
        client.send(a_request(), headers=[("large", b"x" * 3_000_000)])
