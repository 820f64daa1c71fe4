"""Records in, outcomes out: all of a replica but Kafka, object storage and TensorFlow."""

import shutil
import threading
import wave
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.adapters.avro.codec import AvroCodec
from consumer.core.cancellation import Cancellation
from consumer.core.errors import Code, RegistryUnavailable, Rejected, StoreUnavailable, WorkerCrashed
from consumer.core.events import DeadLetter, SeparationProgress, SeparationResult, SourceObject
from consumer.core.model import Job, Separation
from consumer.core.ports import Position
from consumer.delivery.start_counts import parse_offset_metadata
from consumer.pipeline.crash_guard import MAX_STARTS
from consumer.pipeline.failure_policy import MAX_UNEXPECTED_IN_A_ROW
from harness.fakes import NOON, FakeRegistry
from harness.replica import CODEC, REQUESTS, RETRIES, Harness
from harness.waiting import wait_for


def test_a_request_becomes_a_result(make: Callable[..., Harness]) -> None:
    """A request ends as stems, a manifest and a result under its id, all in one transaction with its offset."""
    harness = make()
    harness.send(metadata={"user": "7"})
    harness.start()
    [message] = harness.outcomes()
    result = CODEC.decode(SeparationResult, message.value)
    assert (message.topic, message.key, result.attempt, result.metadata) == ("results", b"r1", 1, {"user": "7"})
    assert [stem.key for stem in result.stems] == ["stems/r1/vocals.wav", "stems/r1/accompaniment.wav"]
    assert harness.store.keys("out")[-1] == "stems/r1/manifest.json"
    assert {"decode", "validate", "recall", "fetch", "separate"} <= set(result.timings_s)
    [commits] = [commits for commits in harness.broker.transactions if commits[0].messages]
    assert (commits[0].partition, commits[0].position.offset) == (REQUESTS, 1)
    [notice] = harness.notices.sent
    assert CODEC.decode(SeparationProgress, notice.value).request_id == "r1"
    sample = harness.metrics.registry.get_sample_value
    assert sample("separation_audio_seconds_total", {"model": "2stems"}) == 1.5
    assert sample("separation_stage_seconds_count", {"stage": "store"}) == 1


def test_a_track_lies_with_its_separator_while_it_is_separated(make: Callable[..., Harness]) -> None:
    """In the folder that the separator can reach, where it is found again after a crash; not before, and not after."""
    harness = make(WorkerCrashed("signal 9"), None)
    folder = harness.separator.folder = harness.scratch / "separator-1"
    folder.mkdir()
    places, separate = [], harness.separator.separate

    def look(job: Job, path: Path, **rest: Any) -> Separation:
        places.append((path.parent.parent, path.read_bytes(), [each.name for each in harness.scratch.iterdir()]))
        return separate(job, path, **rest)

    harness.separator.separate = look  # type: ignore[method-assign]
    harness.send()
    harness.start()
    [message] = harness.outcomes()
    assert CODEC.decode(SeparationResult, message.value).stems[0].key == "stems/r1/vocals.wav"
    assert places == [(folder, b"song", ["separator-1"])] * 2
    wait_for(lambda: list(harness.scratch.iterdir()) == [folder])
    folder.rmdir()  # which nothing is left in


def test_a_repeated_request_is_answered_without_work(make: Callable[..., Harness]) -> None:
    """The same request again gets the same stems in a result of its own, and nothing is computed."""
    harness = make()
    harness.send()
    harness.start()
    harness.outcomes()
    harness.send(metadata={"again": "yes"})
    first, second = (CODEC.decode(SeparationResult, message.value) for message in harness.outcomes())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert (second.stems, second.metadata) == (first.stems, {"again": "yes"})
    assert len(harness.separator.calls) == 1


def test_the_same_content_is_separated_once(make: Callable[..., Harness]) -> None:
    """Another request for the same content gets copies of the stems, in a result that says so."""
    harness = make(reuses=True)
    harness.send()
    harness.start()
    harness.outcomes()
    wait_for(lambda: any(".index/" in key for key in harness.store.keys("out")))
    harness.send(request_id="r2", metadata={"number": "2"})
    first, second = (CODEC.decode(SeparationResult, message.value) for message in harness.outcomes())
    assert (first.deduplicated, second.deduplicated) == (False, True)
    assert [stem.sha256 for stem in first.stems] == [stem.sha256 for stem in second.stems]
    assert second.stems[0].key == "stems/r2/vocals.wav"
    assert (second.request_id, second.metadata) == ("r2", {"number": "2"})
    assert len(harness.separator.calls) == 1


def test_a_failed_stage_is_logged_with_its_code_or_its_words(make: Callable[..., Harness]) -> None:
    """Of a rejection only the code: its words quote the sender's. Of what is no rejection the words are told."""
    harness = make()
    harness.separator.script.extend([RuntimeError("no answer"), Rejected(Code.AUDIO_EMPTY, "songs/secret.mp3")])
    with capture_logs() as logs:
        harness.send(request_id="r1")
        harness.start()
        harness.outcomes()
        harness.send(request_id="r2")
        harness.outcomes()
    told = {line["kind"]: line for line in logs if line["event"] == "separation.failed"}
    assert told["Rejected"]["code"] == "AUDIO_EMPTY"
    assert "secret" not in str(told["Rejected"])
    assert told["RuntimeError"]["error"] == "no answer"
    assert {line["stage"] for line in told.values()} == {"separate"}


def test_a_missing_index_costs_nothing_but_the_copy(make: Callable[..., Harness]) -> None:
    """Where the index can't be written the result is published all the same."""
    harness = make(reuses=True)
    replace, refused = harness.store.replace, threading.Event()

    def refuse(bucket: str, key: str, *args: Any, **rest: Any) -> Any:
        if ".index/" in key:
            refused.set()
            raise StoreUnavailable("away")
        return replace(bucket, key, *args, **rest)

    harness.store.replace = refuse  # type: ignore[method-assign]
    harness.send()
    harness.start()
    assert [message.topic for message in harness.outcomes()] == ["results"]
    assert refused.wait(60)
    harness.send(request_id="r2")
    assert [message.topic for message in harness.outcomes()] == ["results"] * 2


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
    make: Callable[..., Harness], fields: dict[str, Any], code: Code, stage: str
) -> None:
    """What can't be done says why and where, keeps the record, and does not disturb the request behind it."""
    harness = make()
    harness.send(**fields)
    harness.send(request_id="good")
    harness.start()
    letter, result = harness.outcomes()
    dead = CODEC.decode(DeadLetter, letter.value)
    assert (dead.code, dead.stage, dead.attempts) == (code, stage, 1)
    assert (dead.original_value, dead.offset, dead.timestamp) == (harness.broker.log[REQUESTS][0].value, 0, NOON)
    assert dead.request_id == (None if "request_id" in fields else "r1")
    assert result.key == b"good"


@pytest.mark.parametrize("value", [None, b"", b"\xff" * 50])
def test_a_poison_record_becomes_a_dead_letter(make: Callable[..., Harness], value: bytes | None) -> None:
    """Bytes that are no request are kept as they came."""
    harness = make()
    harness.broker.send(REQUESTS.topic, value)
    harness.start()
    letter = harness.letter()
    assert (letter.code, letter.stage, letter.original_value) == (Code.AVRO_UNDECODABLE, "decode", value)


@pytest.mark.parametrize("code", [Code.AUDIO_UNDECODABLE, Code.OFFSET_PAST_END, Code.MODEL_UNAVAILABLE])
def test_what_the_separator_refuses_becomes_a_dead_letter(make: Callable[..., Harness], code: Code) -> None:
    """A rejection by the separator is the record's outcome, and is not tried again."""
    harness = make(Rejected(code, "because"))
    harness.send()
    harness.start()
    assert (harness.letter().code, harness.letter().stage, harness.letter().message) == (code, "separate", "because")
    assert len(harness.separator.calls) == 1


def test_the_world_gets_its_chances(make: Callable[..., Harness]) -> None:
    """What outlasts the attempts in place goes through the retry topics, and succeeds there with its attempt told."""
    harness = make()
    harness.store.away = 4
    harness.send()
    harness.start()
    messages = harness.outcomes()
    assert [message.topic for message in messages] == [*RETRIES, "results"]
    assert CODEC.decode(SeparationResult, messages[-1].value).attempt == 3


def test_the_worlds_chances_end(make: Callable[..., Harness]) -> None:
    """After the last retry topic the record is a dead letter that tells where it came from and what it met."""
    harness = make()
    harness.store.away = 1000
    harness.send()
    harness.start()
    letter = harness.letter()
    assert (letter.code, letter.attempts) == (Code.RETRIES_EXHAUSTED, 3)
    assert (letter.topic, letter.offset, letter.timestamp) == (REQUESTS.topic, 0, NOON)
    assert letter.message.count("fetch: away") == 3
    assert letter.original_headers == ()


def test_a_crashed_separator_gets_the_track_again(make: Callable[..., Harness]) -> None:
    """A death over a track costs one of its starts; coming through in the end is a result like any other."""
    harness = make(*[WorkerCrashed("signal 9")] * (MAX_STARTS - 1))
    harness.send()
    harness.start()
    assert harness.outcomes()[-1].topic == "results"
    assert len(harness.separator.calls) == MAX_STARTS


def test_a_track_that_kills_its_separator_is_given_up(make: Callable[..., Harness]) -> None:
    """After three deaths over it a record is a dead letter, and its starts were committed before each of them."""
    harness = make(*[WorkerCrashed("signal 9")] * MAX_STARTS)
    harness.send()
    harness.start()
    assert (harness.letter().code, harness.letter().attempts) == (Code.WORKER_CRASHED, MAX_STARTS)
    notes = [commit.position.offset_metadata for commits in harness.broker.transactions for commit in commits]
    counts = [parse_offset_metadata(note) for note in notes]
    assert [{0: n} in counts for n in range(1, MAX_STARTS + 1)] == [True] * MAX_STARTS


def test_deaths_of_whole_replicas_count(make: Callable[..., Harness]) -> None:
    """A record that killed its replicas before is given up without another start."""
    harness = make()
    harness.send()
    harness.broker.committed[REQUESTS] = Position(offset=0, offset_metadata=f'{{"starts": {{"0": {MAX_STARTS}}}}}')
    harness.start()
    assert harness.letter().code == Code.WORKER_CRASHED
    assert harness.separator.calls == []


def test_scratch_space_that_is_gone_already_is_no_trouble(make: Callable[..., Harness]) -> None:
    """A track's folder that something else has removed keeps no outcome back, and stops nobody."""
    harness = make()

    def removed(job: Job, path: Path, **_: Any) -> Any:
        shutil.rmtree(path.parent)
        raise Rejected(Code.AUDIO_UNDECODABLE, "there is no audio in it")

    harness.separator.separate = removed  # type: ignore[method-assign]
    harness.send()
    harness.start()
    assert harness.letter().code == Code.AUDIO_UNDECODABLE


def test_a_deadline_that_passes_while_models_load_is_met_before_a_start_is_counted(
    make: Callable[..., Harness],
) -> None:
    """The separator hears nothing of such a record, and it is charged no start."""
    harness = make()
    deadline = datetime.now(UTC) + timedelta(seconds=1)

    def loads(cancel: Cancellation) -> None:
        while datetime.now(UTC) <= deadline:
            cancel.sleep(0.05)

    harness.separator.prepare = loads  # type: ignore[method-assign]
    harness.send(deadline=deadline)
    harness.start()
    assert harness.letter().code == Code.DEADLINE_EXCEEDED
    assert harness.separator.calls == []
    commits = [commit for commits in harness.broker.transactions for commit in commits]
    # Before that, that the partitions are about to be read.
    told = {commit.position.offset_metadata for commit in commits}
    assert told == {'{"reading": 1, "fresh": true, "log": "1"}', '{"log": "1"}'}
    assert [commit.position.offset_metadata for commit in commits if commit.messages] == ['{"log": "1"}']


def test_a_bug_outside_every_stage_stops_the_replica(make: Callable[..., Harness]) -> None:
    """A thread that breaks would stop all work in silence, so the replica ends with what broke it."""
    harness = make()

    def broken(*_: object) -> Any:
        raise KeyError("bug")

    harness.pipeline._tracer = SimpleNamespace(job=broken)
    harness.send()
    harness.start()
    harness.broker.wait_for(lambda: harness.halted)
    harness.stop()
    assert str(harness.halted[0]) == "internal error: KeyError: 'bug'"
    assert harness.broker.published == []


def test_unexpected_errors_stop_the_replica_before_they_empty_the_topic(make: Callable[..., Harness]) -> None:
    """After so many dead letters in a row that look like our own fault the replica stops; the rest is not touched."""
    harness = make(*[RuntimeError("bug")] * 100)
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        harness.send_another(f"r{number}")
    harness.start()
    harness.broker.wait_for(lambda: harness.halted)
    harness.stop()
    assert "unexpected dead letters in a row" in str(harness.halted[0])
    assert len(harness.separator.calls) == MAX_UNEXPECTED_IN_A_ROW + 1  # the last of a plain tone
    assert {message.topic for message in harness.broker.published} <= {"letters"}
    assert len(harness.broker.published) <= MAX_UNEXPECTED_IN_A_ROW
    assert harness.broker.committed.get(REQUESTS, Position(offset=0)).offset == len(harness.broker.published)


@pytest.mark.parametrize("error", [RuntimeError("bug"), WorkerCrashed("signal 11")])
def test_no_number_of_files_that_fail_stops_the_replica(make: Callable[..., Harness], error: Exception) -> None:
    """As long as a plain tone can be separated the files are to blame, however many there are."""
    harness = make()
    separate, tones = harness.separator.separate, []

    def fails_at_files(job: Job, path: Path, **rest: Any) -> Separation:
        if path.name != "tone.wav":
            raise error
        with wave.open(str(path)) as tone:
            tones.append((tone.getnframes(), tone.getframerate(), job.request.start_s, job.request.duration_s))
        return separate(job, path, **rest)

    harness.separator.separate = fails_at_files  # type: ignore[method-assign]
    for number in range(3 * MAX_UNEXPECTED_IN_A_ROW):
        harness.send_another(f"r{number}", start_s=0.5, duration_s=0.1)
    harness.start()
    assert {message.topic for message in harness.outcomes()} == {"letters"}
    assert len(harness.broker.published) == 3 * MAX_UNEXPECTED_IN_A_ROW
    assert tones == [(44_100, 44_100, None, None)] * 3
    assert harness.halted == []
    wait_for(lambda: list(harness.scratch.iterdir()) == [])


def test_one_song_that_always_fails_does_not_stop_the_replica(make: Callable[..., Harness]) -> None:
    """However many requests name it: each has its dead letter."""
    harness = make(*[RuntimeError("bug")] * 100)
    for number in range(2 * MAX_UNEXPECTED_IN_A_ROW):
        harness.send(request_id=f"r{number}")
    harness.start()
    assert {message.topic for message in harness.outcomes()} == {"letters"}
    assert len(harness.broker.published) == 2 * MAX_UNEXPECTED_IN_A_ROW


def test_one_song_under_many_names_does_not_stop_the_replica(make: Callable[..., Harness]) -> None:
    """The same bytes are the same content, wherever they lie."""
    harness = make(*[RuntimeError("bug")] * 100)
    for number in range(2 * MAX_UNEXPECTED_IN_A_ROW):
        key = f"copy-{number}.mp3"
        harness.store.create("in", key, b"song", media_type="", metadata={})
        harness.send(request_id=f"r{number}", source=SourceObject(bucket="in", key=key))
    harness.start()
    assert {message.topic for message in harness.outcomes()} == {"letters"}


def test_one_object_that_always_fails_on_its_way_does_not_stop_the_replica(make: Callable[..., Harness]) -> None:
    """Before its bytes are here its place tells that it is the same, however many requests name it."""
    harness = make()

    def broken(*arguments: object) -> str:
        raise RuntimeError("bug")

    harness.store.fetch = broken  # type: ignore[method-assign, assignment]
    for number in range(2 * MAX_UNEXPECTED_IN_A_ROW):
        harness.send(request_id=f"r{number}")
    harness.start()
    assert {message.topic for message in harness.outcomes()} == {"letters"}
    assert harness.letter().stage == "fetch"


def test_a_replica_that_still_brings_results_goes_on(make: Callable[..., Harness]) -> None:
    """Unexpected errors with results in between, however many there are, end as dead letters one by one."""
    failures: list[Exception | None] = [RuntimeError("bug")] * (MAX_UNEXPECTED_IN_A_ROW - 3)
    harness = make(*[*failures, *[None] * 6] * 3)
    for number in range(len(harness.separator.script)):
        harness.send_another(f"r{number}")
    harness.start()
    topics = [message.topic for message in harness.outcomes()]
    assert (topics.count("letters"), topics.count("results")) == (3 * len(failures), 18)


def test_a_job_that_takes_too_long_is_a_dead_letter(make: Callable[..., Harness]) -> None:
    """MAX_JOB_S ends a job as DEADLINE_EXCEEDED."""
    harness = make(max_job_s=-1.0)
    harness.send()
    harness.start()
    assert (harness.letter().code, harness.letter().stage) == (Code.DEADLINE_EXCEEDED, "separate")


def test_outcomes_that_can_not_be_encoded_stop_the_replica(make: Callable[..., Harness]) -> None:
    """Where the registry answers, but not with what outcomes need, nothing is committed and the replica stops."""
    registry = FakeRegistry()
    harness = make(codec=AvroCodec(registry), checks={RegistryUnavailable: lambda: None})
    registry.away = RegistryUnavailable("away")
    harness.send(model="9stems")
    harness.start()
    harness.broker.wait_for(lambda: harness.halted)
    assert "can't be encoded" in str(harness.halted[0])
    assert harness.broker.published == []


def test_a_lookup_is_no_proof_that_separating_works(make: Callable[..., Harness]) -> None:
    """Results from what is stored don't count against unexpected errors: those still stop the replica."""
    harness = make(None, *[RuntimeError("bug")] * 100)
    harness.send(request_id="known")
    for number in range(MAX_UNEXPECTED_IN_A_ROW + 5):
        harness.send_another(f"r{number}")
        harness.send(request_id="known")
    harness.start()
    harness.broker.wait_for(lambda: harness.halted)
    harness.stop()
    assert "unexpected dead letters in a row" in str(harness.halted[0])
