import json
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code
from consumer.core.model import OUR_HEADER_PREFIX as PREFIX
from consumer.core.model import Headers, Stage
from consumer.delivery.retry_headers import MAX_BYTES, RetryState, headers, parse, senders_headers
from consumer.delivery.start_counts import (
    StartCounts,
    format_offset_metadata,
    parse_log_id,
    parse_offset_metadata,
    parse_reading,
)
from consumer.pipeline.stages.encode_outcome import EncodeOutcome
from harness.fakes import a_record, a_retry_state

MOMENTS = st.integers(0, 7 * 10**12).map(lambda ms: datetime.fromtimestamp(ms / 1000, UTC))
HEADERS = st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=8)), max_size=4).map(tuple)
ERRORS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), min_size=1, max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("attempt", "not_before_ms", "history", "topic", "partition", "offset", "timestamp_ms")


def through_kafka(retry_state: RetryState, before: Headers = ()) -> RetryState:
    carried = headers(a_record(headers=before), retry_state)
    return parse(a_record(topic="separation.requests.retry-1", offset=99, headers=carried), is_redelivery=True)


@given(errors=ERRORS, moments=st.tuples(MOMENTS, st.none() | MOMENTS), senders=HEADERS)
@example(errors=["\U0001f3b5" * 300] * 12, moments=(datetime(2024, 5, 6, tzinfo=UTC), None), senders=())
def test_what_a_record_went_through_travels_along(
    errors: list[str], moments: tuple[datetime, datetime | None], senders: Headers
) -> None:
    """Attempts and origin survive any number of rounds; the sender's headers stay as they were, ours stay small."""
    due, timestamp = moments
    retry_state = RetryState(topic="separation.requests", partition=3, offset=2**62, timestamp=timestamp)
    for number, error in enumerate(errors, 1):
        retry_state = through_kafka(retry_state.failed(error, not_before=due), senders)
        assert retry_state.attempt == number + 1
    carried = headers(a_record(headers=senders), retry_state)
    assert carried[:-1] == senders
    assert len(carried[-1][1] or b"") <= MAX_BYTES
    assert senders_headers(a_record(headers=carried)) == senders
    assert retry_state == RetryState(
        attempt=len(errors) + 1,
        not_before=due,
        history=retry_state.history,
        topic="separation.requests",
        partition=3,
        offset=2**62,
        timestamp=timestamp,
    )
    first, last = (error.replace("\n", " ")[:200] for error in (errors[0], errors[-1]))
    assert retry_state.history[0] == first
    assert retry_state.history[-1] == last


def check_hostile(raw: bytes) -> None:
    record = a_record(topic="separation.requests.retry-1", headers=((f"{PREFIX}redelivery", raw),))
    retry_state = parse(record, is_redelivery=True)
    assert retry_state.attempt >= 1
    assert (retry_state.not_before is None) or retry_state.not_before.tzinfo is UTC
    publish = EncodeOutcome(
        codec=AvroCodec(), results_topic="r", dead_letter_topic="d", retry_topics=(), retry_delays_s=(), version="1"
    )
    letter = publish.dead_letter(
        record, retry_state, publish.exhausted(retry_state, "away", Stage.FETCH), stage=Stage.FETCH,
        attempts=retry_state.attempt, request_id=None,
    )  # fmt: skip
    assert letter.code == Code.RETRIES_EXHAUSTED
    headers(record, retry_state.failed("away", not_before=datetime.now(UTC)))


@given(st.binary(max_size=MAX_BYTES + 10) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 4000)
@example(b'{"attempt": 2}')
def test_strange_headers_do_no_harm(raw: bytes) -> None:
    """Whatever our header holds, the record can still be retried and dead-lettered."""
    check_hostile(raw)


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, JSON)), st.sampled_from(NAMES), st.data())
def test_strange_values_do_no_harm(said: dict[str, object], name: str, data: st.DataObject) -> None:
    """A well-formed header with one strange value can neither stop its record's outcome nor overflow its fields."""
    good = {
        "attempt": 2,
        "not_before_ms": 0,
        "history": ["x"],
        "topic": "t",
        "partition": 0,
        "offset": 0,
        "timestamp_ms": 0,
    }
    strange = st.sampled_from(
        [
            10**30,
            -1,
            2**31,
            2**63,
            1e400,
            1e20,
            "\ud800",
            ["\ud800"],
            "x" * 300,
            "9" * 3000,
            [["a"]],
            {},
            True,
            "ö",
            -(10**14),
        ]
    )
    check_hostile(json.dumps(good | {name: data.draw(strange)}).encode())
    check_hostile(json.dumps(said).encode())


@given(st.binary(max_size=20))
def test_a_strangers_header_means_nothing(raw: bytes) -> None:
    """Only a record of a retry topic is believed; in any other our header is as good as absent."""
    record = a_record(offset=7, headers=((f"{PREFIX}redelivery", raw),))
    assert parse(record, is_redelivery=False) == a_retry_state(record)


@given(st.dictionaries(st.integers(0, 2**40), st.integers(-3, 9)), st.integers(0, 2**40))
def test_notes_carry_the_starts_that_still_matter(starts: dict[int, int], position: int) -> None:
    """A note brings back each count above 0 of a record that is not committed, and no other."""
    counts = StartCounts(format_offset_metadata(starts))
    matter = {offset: count for offset, count in starts.items() if count > 0 and offset >= position}
    assert parse_offset_metadata(counts.offset_metadata(position)) == matter


@given(st.text(max_size=30) | JSON.map(json.dumps) | JSON.map(lambda value: json.dumps({"starts": value})))
@example("[" * 5000)
@example('{"starts": {"1": Infinity}}')
def test_a_strange_note_tells_nothing(note: str) -> None:
    """Metadata that somebody else committed is no note of ours, and no error."""
    assert isinstance(parse_offset_metadata(note), dict)
    assert isinstance(parse_log_id(note), str)


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 3)), st.integers(0, 3), st.booleans(), st.text())
def test_notes_carry_the_log_s_id(starts: dict[int, int], reading: int, is_fresh: bool, log_id: str) -> None:
    """Beside whatever else they carry, and taking nothing from it."""
    note = format_offset_metadata(starts, reading=reading, is_fresh=is_fresh, log_id=log_id)
    assert (parse_log_id(note), parse_offset_metadata(note), parse_reading(note)) == (log_id, starts, reading)
