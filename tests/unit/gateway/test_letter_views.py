"""Dead letters of strangers: whatever they hold, what is shown is JSON of a bounded size."""

import json
import math
from datetime import UTC, datetime

import pytest

from consumer.adapters.kafka.dead_letters import DeadLetterEntry
from consumer.core.errors import Code, Rejected
from consumer.core.events import DeadLetter, Header, SeparationRequest, SourceObject
from consumer.delivery.replay import replayed
from consumer.gateway.letter_views import bounded, listed, planned, record_of

HUGE = "\u202e<script>\0" * 100_000


def entry(letter: DeadLetter | None) -> DeadLetterEntry:
    return DeadLetterEntry(partition=3, offset=14, at=None, dead_letter=letter)


def hostile() -> DeadLetter:
    """One whose every word is too long, with thousands of headers."""
    headers = tuple(Header(key=HUGE, value=b"\xff" * 5000) for _ in range(2000))
    return DeadLetter(
        request_id=HUGE, code=HUGE, message=HUGE, stage=HUGE, topic=HUGE, consumer_version=HUGE,
        original_key=b"\xfe" * 9, original_value=b"\0" * 70_000, original_headers=headers, failed_at=datetime.now(UTC),
    )  # fmt: skip


def test_what_is_too_long_is_cut() -> None:
    """Words at 200 characters, texts at 4000, headers at 100; sizes are those of the whole."""
    letter = hostile()
    request = SeparationRequest(
        request_id="r", source=SourceObject(bucket="b", key=HUGE), start_s=math.nan,
        # All of them as long as the first would take ten gigabytes.
        metadata={HUGE: "v", **{f"{number}{HUGE[:1000]}": "v" for number in range(5000)}},
    )  # fmt: skip
    shown = {**listed(entry(letter)), **record_of(letter, request)}
    text = json.dumps(shown, allow_nan=False)
    assert len(text) < 600_000
    assert {len(shown[name]) for name in ("code", "stage", "topic", "request_id", "consumer_version")} == {200}
    assert len(shown["message"]) == 4000
    assert (shown["value_bytes"], shown["key"]) == (70_000, {"size_bytes": 9, "text": None})
    assert (len(shown["headers"]), shown["headers_left_out"]) == (100, 1900)
    assert shown["headers"][0]["value"] == {"size_bytes": 5000, "text": None}
    assert len(shown["request"]["metadata"]) <= 100
    assert shown["request"]["start_s"] == "nan"


def test_a_record_that_is_no_request_says_why() -> None:
    """And a letter without a record has neither size nor key; a record that is no letter has its place alone."""
    letter = DeadLetter(code="AVRO_UNDECODABLE")
    shown = record_of(letter, Rejected(Code.AVRO_UNDECODABLE, "the record has no value"))
    assert (shown["request"], shown["request_error"]) == (None, "the record has no value")
    assert (shown["key"], shown["value_bytes"], shown["headers"], shown["timestamp"]) == (None, None, [], None)
    assert listed(entry(None)) == {"place": "3:14"}


def test_the_plan_of_a_replay() -> None:
    """Topic, key, size and the names of headers, one more replay counted; or why it can't be sent."""
    letter = DeadLetter(topic="requests", original_key=b"r", original_value=b"123", original_headers=(Header(key="a"),))
    plan = planned(entry(letter), replayed(letter, ["requests"]))
    assert plan == {
        "place": "3:14", "would_send": True, "why_not": None, "topic": "requests",
        "key": {"size_bytes": 1, "text": "r"}, "value_bytes": 3, "headers": ["a", "separation-replays"],
    }  # fmt: skip
    refused = planned(entry(letter), Rejected(Code.REQUEST_INVALID, "it came from elsewhere"))
    assert (refused["would_send"], refused["why_not"], refused["topic"]) == (False, "it came from elsewhere", None)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        (b"00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
        (b"javascript:alert(1)", None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_a_trace_is_named_by_a_header_of_its_form_alone(value: bytes | None, found: str | None) -> None:
    """W3C's example, and what is none."""
    letter = DeadLetter(original_headers=(Header(key="traceparent", value=value),))
    assert record_of(letter, Rejected(Code.AVRO_UNDECODABLE, ""))["trace_id"] == found


def test_json_of_any_depth_stays_json() -> None:
    """Numbers and truth values stay as they are."""
    assert bounded({"a": [1, 2.5, True, None, {"b": "c"}]}) == {"a": [1, 2.5, True, None, {"b": "c"}]}
