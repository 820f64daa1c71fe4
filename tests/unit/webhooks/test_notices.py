"""What a record means to its tenant, and that nobody is told of what may be a stranger's."""

import json
from datetime import UTC, datetime

import pytest
from confluent_kafka import Message

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code
from consumer.core.events import DeadLetter, Event, SeparationRequest, SeparationResult, SourceObject
from consumer.settings import TopicSettings
from consumer.webhooks.notices import Notice, NoticeMaker

CODEC, TOPICS = AvroCodec(), TopicSettings()
REQUEST = SeparationRequest(request_id="r1", tenant="acme", source=SourceObject(bucket="in", key="song.mp3"))
AT = datetime(2026, 11, 29, 14, 0, 1, 234000, tzinfo=UTC)


def notice(event: Event | bytes, topic: str) -> Notice | None:
    value = event if isinstance(event, bytes) else CODEC.encode(event)
    message = Message(topic=topic, partition=3, offset=17, value=value, timestamp=(1, 1_700_000_000_000))
    return NoticeMaker(CODEC, TOPICS).notice(message)


def a_letter(code: Code, original: bytes | None = None, *, request_id: str | None = "r1") -> DeadLetter:
    value = CODEC.encode(REQUEST) if original is None else original
    return DeadLetter(request_id=request_id, code=code, message="m", original_value=value, failed_at=AT)


def test_a_result_is_a_success() -> None:
    """Nothing but what is promised is in it."""
    found = notice(SeparationResult(request_id="r1", tenant="acme", completed_at=AT), TOPICS.results)
    assert found is not None
    assert (found.webhook_id, found.tenant) == ("separation.results-3-17", "acme")
    assert json.loads(found.body) == {
        "type": "separation.succeeded",
        "timestamp": "2026-11-29T14:00:01.234000Z",
        "data": {"id": "r1", "tenant": "acme", "state": "succeeded"},
    }


@pytest.mark.parametrize("code", list(Code))
def test_a_dead_letter_is_a_failure_or_a_cancellation(code: Code) -> None:
    """By its code, which is told; the message, which may hold an object's key, is not."""
    found = notice(a_letter(code), TOPICS.dead_letter)
    assert found is not None
    said = json.loads(found.body)
    state = "cancelled" if code == "CANCELLED" else "failed"
    assert said["type"] == f"separation.{state}"
    assert said["data"] == {"id": "r1", "tenant": "acme", "state": state, "code": code}


@pytest.mark.parametrize(
    "event",
    [
        a_letter(Code.AVRO_UNDECODABLE, b"none of ours"),
        a_letter(Code.REQUEST_INVALID, b""),
        a_letter(Code.REQUEST_INVALID, request_id="another"),
        a_letter(Code.REQUEST_INVALID, request_id=None),
        a_letter(Code.REQUEST_INVALID, request_id="../x"),
        DeadLetter(request_id="r1", code=Code.REQUEST_INVALID),
        b"",
        b"\xc3\x01 something else",
    ],
    ids=["undecodable", "empty", "another id", "no id", "wrong id", "no original", "no value", "no event"],
)
def test_what_nobody_can_tell_the_owner_of_is_told_to_nobody(event: Event | bytes) -> None:
    """Not even to the endpoint of requests without a tenant."""
    assert notice(event, TOPICS.dead_letter) is None


def test_a_repeat_has_the_same_body_and_a_time_that_is_not_said_is_the_record_s() -> None:
    """So that receivers can compare, and never read 1970."""
    result = SeparationResult(request_id="r1")
    one, other = notice(result, TOPICS.results), notice(result, TOPICS.results)
    assert one == other
    assert one is not None
    assert json.loads(one.body)["timestamp"] == "2023-11-14T22:13:20Z"
