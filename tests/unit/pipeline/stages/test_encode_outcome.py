from datetime import UTC, datetime, timedelta

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code, Rejected
from consumer.core.events import DeadLetter, Header, SeparationResult, SourceUsed, Stem
from consumer.core.manifest import Manifest
from consumer.core.model import OUR_HEADER_PREFIX as PREFIX
from consumer.core.model import Message, Stage, StoredStems
from consumer.delivery.retry_headers import parse
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from harness.fakes import NOON, a_job, a_record, a_request, a_retry_state

CODEC = AvroCodec()
PUBLISH = EncodeOutcome(
    codec=CODEC,
    results_topic="results",
    dead_letter_topic="letters",
    retry_topics=("retry-1", "retry-2"),
    retry_delays_s=(10.0, 60.0),
    version="1.2.3",
)
RECORD = a_record(
    partition=3,
    offset=41,
    key=b"\xffkey",
    value=b"\x00value",
    headers=(("trace", b"\xfe"), ("trace", None), (f"{PREFIX}redelivery", b"{}")),
    timestamp=NOON,
)
MANIFEST = Manifest(
    request_id="r0",
    fingerprint="f",
    source=SourceUsed(bucket="in", key="a.mp3", duration_s=12.5),
    model="2stems",
    weights_sha256="w",
    stems=(Stem(name="vocals", size_bytes=7),),
    timings_s={"fetch": 0.5},
    completed_at=NOON,
    warnings=("the cover picture is left out: it can't be read",),
)


def letter_in(message: Message | None) -> DeadLetter:
    assert message
    return CODEC.decode(DeadLetter, message.value)


@pytest.mark.parametrize("deduplicated", [False, True])
def test_a_result_tells_what_the_manifest_does(deduplicated: bool) -> None:
    """A result has the manifest's facts and the request's own words, and goes out under the request's id."""
    request = a_request(request_id="r1", metadata={"user": "7"})
    done = PUBLISH.result(StoredStems(job=a_job(request), manifest=MANIFEST, deduplicated=deduplicated), attempt=2)
    assert (done.result.topic, done.result.key, done.result.headers) == ("results", b"r1", ())
    assert CODEC.decode(SeparationResult, done.result.value) == SeparationResult(
        request_id="r1",
        source=MANIFEST.source,
        model="2stems",
        weights_sha256="w",
        stems=MANIFEST.stems,
        timings_s=MANIFEST.timings_s,
        attempt=2,
        deduplicated=deduplicated,
        metadata={"user": "7"},
        completed_at=NOON,
        warnings=MANIFEST.warnings,
    )
    assert (done.deduplicated, done.audio_s) == (deduplicated, 0.0 if deduplicated else 12.5)


@pytest.mark.parametrize(("attempt", "topic", "delay_s"), [(1, "retry-1", 10), (2, "retry-2", 60)])
def test_each_attempt_has_its_retry_topic(attempt: int, topic: str, delay_s: float) -> None:
    """The record goes on unchanged, due after its topic's delay, and remembers where it began and what it met."""
    before = datetime.now(UTC)
    retry_state = a_retry_state(RECORD, attempt=attempt, history=("first",) * (attempt - 1))
    retry = PUBLISH.retry(RECORD, retry_state, "away", Stage.FETCH)
    assert retry
    assert (retry.stage, retry.message.topic) == ("fetch", topic)
    assert (retry.message.key, retry.message.value) == (RECORD.key, RECORD.value)
    assert retry.message.headers[:-1] == RECORD.headers[:2]
    following = parse(a_record(topic=topic, headers=retry.message.headers), is_redelivery=True)
    assert following.attempt == attempt + 1
    assert following.history == (*retry_state.history, "fetch: away")
    assert (following.topic, following.partition, following.offset, following.timestamp) == (
        "separation.requests", 3, 41, NOON,
    )  # fmt: skip
    assert following.not_before
    due_s = (following.not_before - before).total_seconds()
    assert delay_s - 0.001 <= due_s <= delay_s + (datetime.now(UTC) - before).total_seconds() + 0.001


@pytest.mark.parametrize("attempt", [3, 4, 2**31 - 1])
def test_after_the_last_retry_topic_there_is_none(attempt: int) -> None:
    """A record that no retry topic is left for is rejected with what its attempts met, each under its number."""
    retry_state = a_retry_state(RECORD, attempt=attempt, history=("fetch: a", "store: b"))
    assert PUBLISH.retry(RECORD, retry_state, "c", Stage.FETCH) is None
    rejected = PUBLISH.exhausted(retry_state, "c", Stage.FETCH)
    assert rejected.code == Code.RETRIES_EXHAUSTED
    assert rejected.message == f"attempt 1: fetch: a; attempt {attempt - 1}: store: b; attempt {attempt}: fetch: c"
    alone = PUBLISH.exhausted(a_retry_state(RECORD, attempt=attempt), "c", Stage.FETCH)
    assert alone.message == f"attempt {attempt}: fetch: c"


def test_a_long_history_is_numbered_as_it_was() -> None:
    """Of a history that was shortened the first failure and the latest ones keep the numbers of their attempts."""
    retry_state = a_retry_state(RECORD)
    for number in range(1, 30):
        retry_state = retry_state.failed(f"error {number}", not_before=NOON)
    entries = PUBLISH.exhausted(retry_state, "error 30", Stage.FETCH).message.split("; ")
    assert len(entries) < 29
    assert all(entry.split(":")[0] == f"attempt {entry.split()[-1]}" for entry in entries)
    assert (entries[0], entries[-1]) == ("attempt 1: error 1", "attempt 30: fetch: error 30")


def dead_letter(message: str = "there is none") -> Message:
    retry_state = a_retry_state(RECORD, topic="separation.requests", partition=1, offset=5, timestamp=NOON)
    rejected = Rejected(Code.OBJECT_NOT_FOUND, message)
    letter = PUBLISH.dead_letter(RECORD, retry_state, rejected, stage=Stage.FETCH, attempts=2, request_id="r1")
    assert letter.code == Code.OBJECT_NOT_FOUND
    return letter.letter


def test_a_dead_letter_keeps_the_record_as_it_came() -> None:
    """Key, value and the sender's headers are the record's own bytes; topic, partition and offset its first ones."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    message = dead_letter()
    assert (message.topic, message.key) == ("letters", RECORD.key)
    letter = letter_in(message)
    assert before <= letter.failed_at <= datetime.now(UTC)
    assert letter == DeadLetter(
        request_id="r1",
        code="OBJECT_NOT_FOUND",
        message="there is none",
        stage=Stage.FETCH,
        attempts=2,
        original_key=RECORD.key,
        original_value=RECORD.value,
        original_headers=(Header(key="trace", value=b"\xfe"), Header(key="trace", value=None)),
        topic="separation.requests",
        partition=1,
        offset=5,
        timestamp=NOON,
        failed_at=letter.failed_at,
        consumer_version="1.2.3",
    )


@pytest.mark.parametrize(("size_bytes", "is_kept"), [(64 << 10, True), ((64 << 10) + 1, False)])
def test_a_huge_key_is_left_out_of_the_smallest_letter(size_bytes: int, is_kept: bool) -> None:
    """Where the record is too large for the topic, a key that may be what makes it so is left out with it."""
    record = a_record(key=b"k" * size_bytes)
    rejected = Rejected(Code.AVRO_UNDECODABLE, "no Avro")
    letter = PUBLISH.dead_letter(
        record, a_retry_state(record), rejected, stage=Stage.DECODE, attempts=1, request_id=None
    ).letter
    assert letter.smaller
    assert letter.key == letter_in(letter).original_key == record.key
    assert letter.smaller.key == letter_in(letter.smaller).original_key == (record.key if is_kept else None)


def test_a_record_of_nothing_has_a_dead_letter_too() -> None:
    """A record without key, value, headers and timestamp is kept as exactly that."""
    record = a_record()
    rejected = Rejected(Code.AVRO_UNDECODABLE, "the record has no value")
    letter = letter_in(
        PUBLISH.dead_letter(
            record, a_retry_state(record), rejected, stage=Stage.DECODE, attempts=1, request_id=None
        ).letter
    )
    assert (letter.request_id, letter.original_key, letter.original_value) == (None, None, None)
    assert (letter.original_headers, letter.timestamp) == ((), None)


def test_a_dead_letter_that_is_too_large_has_a_smaller_one() -> None:
    """Where the record does not fit, a letter without its value and headers says where to read it."""
    message = dead_letter()
    assert message.smaller
    assert (message.smaller.topic, message.smaller.key, message.smaller.smaller) == ("letters", RECORD.key, None)
    small = letter_in(message.smaller)
    assert (small.original_value, small.original_headers, small.original_key) == (None, (), RECORD.key)
    assert (small.topic, small.partition, small.offset) == ("separation.requests", 1, 5)
    assert "too large" in small.message


def test_a_reason_is_cut_where_it_would_fill_the_letter() -> None:
    """However long an error's words are, the letter stays a letter."""
    assert len(letter_in(dead_letter("x" * 10**6)).message) == 4000
