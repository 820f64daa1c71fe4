"""What the source makes of the client library's messages, and learns from its figures."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE
from structlog.testing import capture_logs

from consumer.adapters.kafka.records import record_of
from consumer.adapters.kafka.source import KafkaSource
from consumer.core.errors import BrokerUnavailable
from consumer.core.model import Record, TopicPartition
from consumer.settings import KafkaSettings


@pytest.fixture
def source() -> Iterator[KafkaSource]:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", group_protocol="classic")
    source = KafkaSource(settings, instance_id="", is_static_member=False)
    yield source
    source.close()


def figures(**states: str) -> str:
    """As librdkafka tells them; a broker that it was only told of, and has not met, has no number."""
    brokers = {
        name: {"state": state, "nodeid": -1 if name == "bootstrap" else 1, "rtt": {"avg": 2000}}
        for name, state in states.items()
    }
    return json.dumps({"rx_bytes": 5, "tx_bytes": 7, "brokers": brokers})


def test_brokers_that_are_all_away_are_told_of_until_one_is_back(source: KafkaSource) -> None:
    """As long as one that we have met is up all is well, whatever became of the others."""
    assert source.last_error == ""
    source._connection(figures(bootstrap="UP", one="UP", two="DOWN"))
    assert source.last_error == ""
    assert (source.traffic.received_bytes, source.traffic.sent_bytes, source.traffic.round_trip_s) == (5, 7, 0.002)
    for away in (figures(bootstrap="UP", one="DOWN"), figures(one="TRY_CONNECT"), figures()):
        source._connection(away)
        assert source.last_error == "no broker can be reached"
    source._connection(figures(one="UP"))
    assert source.last_error == ""


def test_one_that_has_left_can_not_say_what_is_committed(source: KafkaSource) -> None:
    """As one may still want to know whose transaction was cut off while the replica ends, which is no fault in it."""
    source.close()
    with pytest.raises(BrokerUnavailable, match="closed"):
        source.committed([TopicPartition("t", 0)])


class Message:
    """The client library's, as far as it is asked. An exception among the headers is raised when they are asked for."""

    def __init__(self, headers: Any = None, timestamp: tuple[int, int] = (TIMESTAMP_NOT_AVAILABLE, -1)) -> None:
        self._headers, self._timestamp = headers, timestamp

    topic = staticmethod(lambda: "t")
    partition = staticmethod(lambda: 2)
    offset = staticmethod(lambda: 7)
    key = staticmethod(lambda: "k")
    value = staticmethod(lambda: b"v")

    def headers(self) -> Any:
        if isinstance(self._headers, Exception):
            raise self._headers
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp


def record(*arguments: Any) -> Record:
    return record_of(Message(*arguments))  # type: ignore[arg-type]


def test_a_message_becomes_a_record() -> None:
    """Place, key, value, headers and time are the message's own."""
    assert record([("a", b"1"), ("b", None), ("c", "text")], (TIMESTAMP_CREATE_TIME, 1500)) == Record(
        topic="t", partition=2, offset=7, key=b"k", value=b"v",
        headers=(("a", b"1"), ("b", None), ("c", b"text")),
        timestamp=datetime(1970, 1, 1, 0, 0, 1, 500000, UTC),
    )  # fmt: skip
    assert (record().headers, record().timestamp) == ((), None)


@pytest.mark.parametrize("millis", [-(2**63), 2**63 - 1, -62_135_596_800_001, 253_402_300_800_000, 10**20])
def test_a_time_that_is_none_is_left_out(millis: int) -> None:
    """A time outside the years 1 to 9999, which any producer may set, costs the record its time and nothing else."""
    assert record(None, (TIMESTAMP_CREATE_TIME, millis)) == record()


@pytest.mark.parametrize(
    "error",
    [SystemError("returned a result with an exception set"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")],
)
def test_headers_that_can_not_be_read_are_left_out(error: Exception) -> None:
    """A header name that is not UTF-8 costs the record its headers, and one line that says where."""
    with capture_logs() as logs:
        assert record(error) == record()
    [line] = logs
    assert (line["event"], line["topic"], line["partition"], line["offset"]) == ("record.headers_unreadable", "t", 2, 7)
