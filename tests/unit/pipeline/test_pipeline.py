"""Records in, outcomes out: all of a replica but Kafka, object storage and TensorFlow."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.errors import Code, RegistryUnavailable, Rejected, StoreUnavailable, WorkerCrashed
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult, SourceObject
from consumer.core.ports import Position
from consumer.pipeline.crash_guard import MAX_STARTS
from consumer.pipeline.failure_policy import MAX_UNEXPECTED_IN_A_ROW
from harness.fakes import NOON, FakeRegistry
from harness.platform import wait_for
from harness.replica import CODEC, REQUESTS, RETRIES, Bench


def test_a_request_becomes_a_result(make: Callable[..., Bench]) -> None:
    """A request ends as stems, a manifest and a result under its id, all in one transaction with its offset."""
    bench = make()
    bench.send(metadata={"user": "7"})
    bench.start()
    [message] = bench.outcomes()
    result = CODEC.decode(SeparationResult, message.value)
    assert (message.topic, message.key, result.attempt, result.metadata) == ("results", b"r1", 1, {"user": "7"})
    assert [stem.key for stem in result.stems] == ["stems/r1/vocals.wav", "stems/r1/accompaniment.wav"]
    assert bench.store.keys("out")[-1] == "stems/r1/manifest.json"
    assert {"decode", "validate", "recall", "fetch", "separate"} <= set(result.timings_s)
    [commits] = [commits for commits in bench.broker.transactions if commits[0].messages]
    assert (commits[0].partition, commits[0].position.offset) == (REQUESTS, 1)
    [notice] = bench.notices.sent
    assert CODEC.decode(SeparationProgress, notice.value).request_id == "r1"
    sample = bench.metrics.registry.get_sample_value
    assert sample("separation_audio_seconds_total", {"model": "2stems"}) == 1.5
    assert sample("separation_stage_seconds_count", {"stage": "store"}) == 1


def test_a_repeated_request_is_answered_without_work(make: Callable[..., Bench]) -> None:
    """The same request again gets the same stems in a result of its own, and nothing is computed."""
    bench = make()
    bench.send()
    bench.start()
    bench.outcomes()
    bench.send(metadata={"again": "yes"})
    first, second = (CODEC.decode(SeparationResult, message.value) for message in bench.outcomes())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert (second.stems, second.metadata) == (first.stems, {"again": "yes"})
    assert len(bench.separator.calls) == 1


def test_the_same_content_is_separated_once(make: Callable[..., Bench]) -> None:
    """Another request for the same content gets copies of the stems, in a result that says so."""
    bench = make(reuses=True)
    bench.send()
    bench.start()
    bench.outcomes()
    wait_for(lambda: any(".index/" in key for key in bench.store.keys("out")))
    bench.send(request_id="r2", metadata={"number": "2"})
    first, second = (CODEC.decode(SeparationResult, message.value) for message in bench.outcomes())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert [stem.sha256 for stem in first.stems] == [stem.sha256 for stem in second.stems]
    assert second.stems[0].key == "stems/r2/vocals.wav"
    assert (second.request_id, second.metadata) == ("r2", {"number": "2"})
    assert len(bench.separator.calls) == 1


def test_a_missing_index_costs_nothing_but_the_copy(make: Callable[..., Bench]) -> None:
    """Where the index can't be written the result is published all the same."""
    bench = make(reuses=True)
    replace, refused = bench.store.replace, threading.Event()

    def refuse(bucket: str, key: str, *args: Any, **rest: Any) -> Any:
        if ".index/" in key:
            refused.set()
            raise StoreUnavailable("away")
        return replace(bucket, key, *args, **rest)

    bench.store.replace = refuse  # type: ignore[method-assign]
    bench.send()
    bench.start()
    assert [message.topic for message in bench.outcomes()] == ["results"]
    assert refused.wait(20)
    bench.send(request_id="r2")
    assert [message.topic for message in bench.outcomes()] == ["results"] * 2


BAD: list[tuple[dict[str, Any], Code, str]] = [
    ({"request_id": "a b"}, Code.REQUEST_INVALID, "validate"),
    ({"source": SourceObject(bucket="secret", key="a")}, Code.BUCKET_NOT_ALLOWED, "validate"),
    ({"deadline": NOON}, Code.DEADLINE_EXCEEDED, "validate"),
    ({"model": "4stems"}, Code.MODEL_UNAVAILABLE, "model"),
    ({"source": SourceObject(bucket="in", key="gone")}, Code.OBJECT_NOT_FOUND, "fetch"),
    ({"source": SourceObject(bucket="in", key="a.mp3", etag="old")}, Code.OBJECT_CHANGED, "fetch"),
]


@pytest.mark.parametrize(("fields", "code", "stage"), BAD, ids=lambda value: str(value)[:30])
def test_a_bad_request_becomes_a_dead_letter(
    make: Callable[..., Bench], fields: dict[str, Any], code: Code, stage: str
) -> None:
    """What can't be done says why and where, keeps the record, and does not disturb the request behind it."""
    bench = make()
    bench.send(**fields)
    bench.send(request_id="good")
    bench.start()
    letter, result = bench.outcomes()
    dead = CODEC.decode(DeadLetter, letter.value)
    assert (dead.code, dead.stage, dead.attempts) == (code, stage, 1)
    assert (dead.original_value, dead.offset, dead.timestamp) == (bench.broker.log[REQUESTS][0].value, 0, NOON)
    assert dead.request_id == (None if "request_id" in fields else "r1")
    assert result.key == b"good"


@pytest.mark.parametrize("value", [None, b"", b"\xff" * 50])
def test_a_poison_record_becomes_a_dead_letter(make: Callable[..., Bench], value: bytes | None) -> None:
    """Bytes that are no request are kept as they came."""
    bench = make()
    bench.broker.send(REQUESTS.topic, value)
    bench.start()
    letter = bench.letter()
    assert (letter.code, letter.stage, letter.original_value) == (Code.AVRO_UNDECODABLE, "decode", value)


@pytest.mark.parametrize("code", [Code.AUDIO_UNDECODABLE, Code.OFFSET_PAST_END, Code.MODEL_UNAVAILABLE])
def test_what_the_separator_refuses_becomes_a_dead_letter(make: Callable[..., Bench], code: Code) -> None:
    """A rejection by the separator is the record's outcome, and is not tried again."""
    bench = make(Rejected(code, "because"))
    bench.send()
    bench.start()
    assert (bench.letter().code, bench.letter().stage, bench.letter().message) == (code, "separate", "because")
    assert len(bench.separator.calls) == 1


def test_the_world_gets_its_chances(make: Callable[..., Bench]) -> None:
    """What outlasts the patience in place goes through the retry topics, and succeeds there with its attempt told."""
    bench = make()
    bench.store.away = 4
    bench.send()
    bench.start()
    messages = bench.outcomes()
    assert [message.topic for message in messages] == [*RETRIES, "results"]
    assert CODEC.decode(SeparationResult, messages[-1].value).attempt == 3


def test_the_worlds_chances_end(make: Callable[..., Bench]) -> None:
    """After the last retry topic the record is a dead letter that tells where it came from and what it met."""
    bench = make()
    bench.store.away = 1000
    bench.send()
    bench.start()
    letter = bench.letter()
    assert (letter.code, letter.attempts) == (Code.RETRIES_EXHAUSTED, 3)
    assert (letter.topic, letter.offset, letter.timestamp) == (REQUESTS.topic, 0, NOON)
    assert letter.message.count("fetch: away") == 3
    assert letter.original_headers == ()


def test_a_crashed_separator_gets_the_track_again(make: Callable[..., Bench]) -> None:
    """A death over a track costs one of its starts; coming through in the end is a result like any other."""
    bench = make(*[WorkerCrashed("signal 9")] * (MAX_STARTS - 1))
    bench.send()
    bench.start()
    assert bench.outcomes()[-1].topic == "results"
    assert len(bench.separator.calls) == MAX_STARTS


def test_a_track_that_kills_its_separator_is_given_up(make: Callable[..., Bench]) -> None:
    """After three deaths over it a record is a dead letter, and its starts were committed before each of them."""
    bench = make(*[WorkerCrashed("signal 9")] * MAX_STARTS)
    bench.send()
    bench.start()
    assert (bench.letter().code, bench.letter().attempts) == (Code.WORKER_CRASHED, MAX_STARTS)
    notes = [commit.position.note for commits in bench.broker.transactions for commit in commits]
    assert [f'{{"starts": {{"0": {n}}}}}' in notes for n in range(1, MAX_STARTS + 1)] == [True] * MAX_STARTS


def test_deaths_of_whole_replicas_count(make: Callable[..., Bench]) -> None:
    """A record that killed its replicas before is given up without another start."""
    bench = make()
    bench.send()
    bench.broker.committed[REQUESTS] = Position(offset=0, note=f'{{"starts": {{"0": {MAX_STARTS}}}}}')
    bench.start()
    assert bench.letter().code == Code.WORKER_CRASHED
    assert bench.separator.calls == []


def test_unexpected_errors_stop_the_replica_before_they_empty_the_topic(make: Callable[..., Bench]) -> None:
    """After so many dead letters in a row that look like our own fault the replica stops; the rest is not touched."""
    bench = make(*[RuntimeError("bug")] * 100)
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        bench.send(request_id=f"r{number}")
    bench.start()
    bench.broker.wait_for(lambda: bench.halted)
    bench.stop()
    assert "unexpected dead letters in a row" in str(bench.halted[0])
    assert len(bench.separator.calls) == MAX_UNEXPECTED_IN_A_ROW + 1
    assert {message.topic for message in bench.broker.published} <= {"letters"}
    assert len(bench.broker.published) <= MAX_UNEXPECTED_IN_A_ROW
    assert bench.broker.committed.get(REQUESTS, Position(offset=0)).offset == len(bench.broker.published)


def test_a_replica_that_still_brings_results_goes_on(make: Callable[..., Bench]) -> None:
    """Unexpected errors with results in between, however many there are, end as dead letters one by one."""
    failures: list[Exception | None] = [RuntimeError("bug")] * (MAX_UNEXPECTED_IN_A_ROW - 3)
    bench = make(*[*failures, *[None] * 6] * 3)
    for number in range(len(bench.separator.script)):
        bench.send(request_id=f"r{number}")
    bench.start()
    topics = [message.topic for message in bench.outcomes()]
    assert (topics.count("letters"), topics.count("results")) == (3 * len(failures), 18)


def test_a_job_that_takes_too_long_is_a_dead_letter(make: Callable[..., Bench]) -> None:
    """MAX_JOB_S ends a job as DEADLINE_EXCEEDED."""
    bench = make(max_job_s=-1.0)
    bench.send()
    bench.start()
    assert (bench.letter().code, bench.letter().stage) == (Code.DEADLINE_EXCEEDED, "separate")


def test_outcomes_that_can_not_be_encoded_stop_the_replica(make: Callable[..., Bench]) -> None:
    """Where the registry answers, but not with what outcomes need, nothing is committed and the replica stops."""
    registry = FakeRegistry()
    bench = make(codec=AvroCodec(registry), checks={RegistryUnavailable: lambda: None})
    registry.away = RegistryUnavailable("away")
    bench.send(model="9stems")
    bench.start()
    bench.broker.wait_for(lambda: bench.halted)
    assert "can't be encoded" in str(bench.halted[0])
    assert bench.broker.published == []


def test_a_lookup_is_no_proof_that_separating_works(make: Callable[..., Bench]) -> None:
    """Results from what is stored don't count against unexpected errors: those still stop the replica."""
    bench = make(None, *[RuntimeError("bug")] * 100)
    bench.send(request_id="known")
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        bench.send(request_id=f"r{number}")
        bench.send(request_id="known")
    bench.start()
    bench.broker.wait_for(lambda: bench.halted)
    bench.stop()
    assert "unexpected dead letters in a row" in str(bench.halted[0])
