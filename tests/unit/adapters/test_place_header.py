"""The header that tells which record an outcome is of."""

import json
from datetime import UTC, datetime

import pytest

from consumer.adapters.kafka.place_header import PLACE_HEADER, Place, place_header, place_of, read_place
from consumer.core.model import Record, TopicPartition
from consumer.delivery.retry_headers import senders_headers

AT = datetime(2026, 11, 20, 9, 30, 12, 345000, tzinfo=UTC)
RECORD = Record(topic="requests", partition=3, offset=17, value=b"v", timestamp=AT)


@pytest.mark.parametrize("at", [AT, None])
def test_a_place_comes_back_as_it_was_written(at: datetime | None) -> None:
    """Topic, partition, offset and the record's time in milliseconds; to another group it says nothing."""
    place = place_of(Record(topic="requests", partition=3, offset=17, value=b"v", timestamp=at))
    assert place == Place(
        partition=TopicPartition("requests", 3), offset=17, timestamp_ms=None if at is None else 1795167012345
    )
    headers = (("traceparent", b"00-x"), place_header("g", place))
    assert read_place("g", headers) == place
    assert read_place("another", headers) is None


def test_it_is_ours_and_no_sender_is_taken_at_its_word() -> None:
    """It is left out where a record is handed on, like all that are ours."""
    header = place_header("g", place_of(RECORD))
    assert senders_headers(Record(topic="t", partition=0, offset=0, value=b"", headers=(header, ("a", b"1")))) == (
        ("a", b"1"),
    )


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"no json",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff",
        b"[" * 1000,
        b" " * 2000,
        json.dumps({"group": "g", "topic": "t", "partition": "x", "offset": 1, "timestamp_ms": 1}).encode(),
        json.dumps({"group": "g", "topic": "t", "partition": 0, "offset": 1e999, "timestamp_ms": 1}).encode(),
        None,
    ],
)
def test_what_is_none_says_nothing(value: bytes | None) -> None:
    """Whatever a stranger has written there."""
    assert read_place("g", ((PLACE_HEADER, value),)) is None
