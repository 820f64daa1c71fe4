"""The platform's client, against librdkafka's own mock of a cluster."""

from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from consumer.client import Client, Watch
from consumer.core.errors import BrokerUnavailable, Code, ConsumerError, Rejected
from consumer.core.events import (
    DeadLetter,
    Event,
    OutputOptions,
    SeparationControl,
    SeparationProgress,
    SeparationResult,
    SourceObject,
)
from consumer.settings import TopicSettings
from harness.fakes import a_request
from tests.unit.client.mock_cluster import CODEC, address_of, publish, records, settings


@pytest.fixture
def client(cluster: Producer, topics: TopicSettings) -> Iterator[Client]:
    with Client(settings(address_of(cluster)), topics, CODEC) as client:
        yield client


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
    [message] = records(cluster, topics.requests, 1)
    assert (message.key(), message.headers()) == (b"r7", [("traceparent", b"00-1-2-3")])
    assert CODEC.decode_request(message.value()) == a_request(request_id="r7")


def test_a_cancellation_reaches_its_topic(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """`cancel` returns once the broker has the wish, which names the request and tells why."""
    client.cancel("r7", "changed my mind")
    [message] = records(cluster, topics.control, 1)
    wish = CODEC.decode(SeparationControl, message.value())
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


CALLS: dict[str, Callable[[Client], object]] = {
    "send": lambda client: client.send(a_request()),
    "submit": lambda client: client.submit(a_request()),
    "separate": lambda client: client.separate("in/a.mp3"),
    "job": lambda client: client.job("r1"),
    "cancel": lambda client: client.cancel("r1"),
    "watch": lambda client: client.watch(),
    "results": lambda client: client.results(),
    "dead letters": lambda client: client.dead_letters(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_broker_is_told_of_in_one_line(call: Callable[[Client], object]) -> None:
    """Where nobody answers, each call ends with one line that names the variable."""
    client = Client(settings("127.0.0.1:1"), TopicSettings(), CODEC, request_s=0.3)
    with client, pytest.raises(BrokerUnavailable, match=r"^KAFKA_BOOTSTRAP_SERVERS: ") as caught:
        call(client)
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
