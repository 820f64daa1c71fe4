"""A job as its sender holds it, against librdkafka's own mock of a cluster; outcomes are published by the tests."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer

from consumer.client import AsyncClient, Client, ClientClosed, SeparationFailed, WaitTimeout
from consumer.client.files import Files
from consumer.core.digest import sha256_of
from consumer.core.errors import BrokerUnavailable, Code, Rejected, SettingsError
from consumer.core.events import (
    DeadLetter,
    Event,
    OutputOptions,
    SeparationProgress,
    SeparationResult,
    SourceObject,
    Stem,
)
from consumer.settings import KafkaSettings, TopicSettings
from consumer.testing import MemoryStore
from harness.fakes import a_request
from harness.waiting import wait_for
from tests.unit.client.mock_cluster import CODEC, address_of, publish, records


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("in", "out")


@pytest.fixture
def client(cluster: Producer, topics: TopicSettings, store: MemoryStore) -> Iterator[Client]:
    kafka = KafkaSettings(bootstrap_servers=address_of(cluster))
    with Client(kafka, topics, CODEC, files=lambda: Files(store, "in")) as client:
        yield client


def answer(cluster: Producer, topics: TopicSettings, *events: Event) -> None:
    """Publish as a replica does: under the request's id."""
    topic_of = {
        SeparationResult: topics.results, DeadLetter: topics.dead_letter, SeparationProgress: topics.progress,
    }  # fmt: skip
    for event in events:
        cluster.produce(topic_of[type(event)], CODEC.encode(event), event.request_id.encode())  # type: ignore[attr-defined]
    assert cluster.flush(10) == 0


def test_a_job_ends_with_its_own_result(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """However many others end before it; and its request is what was asked for."""
    job = client.separate(
        "in/song.mp3", model="4stems", format="flac", start_s=1.5, metadata={"album": "17"}, request_id="mine"
    )
    assert job.sent() is not None
    assert not job.done()
    mine = SeparationResult(request_id="mine", model="4stems", attempt=2)
    answer(cluster, topics, SeparationResult(request_id="another"), DeadLetter(request_id="third", code="X"), mine)
    assert job.result(30) == mine
    assert job.done()
    [message] = records(cluster, topics.requests, 1)
    asked = CODEC.decode_request(message.value())
    assert (message.key(), asked.request_id, asked.model, asked.start_s) == (b"mine", "mine", "4stems", 1.5)
    assert (asked.source, asked.output) == (SourceObject(bucket="in", key="song.mp3"), OutputOptions(format="flac"))
    assert asked.metadata == {"album": "17"}


def test_a_job_that_fails_says_why(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """Its error has the dead letter's code and all that is known; a cancelled one says that it was."""
    letter = DeadLetter(request_id="r", code=Code.AUDIO_EMPTY, message="the object is empty")
    job = client.separate("in/song.mp3", request_id="r")
    other = client.separate("in/song.mp3", request_id="c")
    answer(cluster, topics, letter, DeadLetter(request_id="c", code=Code.CANCELLED, message="by its user"))
    with pytest.raises(SeparationFailed, match=r"^AUDIO_EMPTY: the object is empty$") as caught:
        job.result(30)
    assert (caught.value.code, caught.value.letter, caught.value.is_cancelled) == ("AUDIO_EMPTY", letter, False)
    with pytest.raises(SeparationFailed) as caught:
        other.result(30)
    assert caught.value.is_cancelled


def test_a_wait_that_is_too_short_says_so_and_the_job_stands(
    client: Client, topics: TopicSettings, cluster: Producer
) -> None:
    """It is no broker's error, and the same job may be waited for again."""
    job = client.separate("in/song.mp3")
    with pytest.raises(WaitTimeout, match=rf"^no outcome of {job.request_id} within 0\.2 s$") as caught:
        job.result(0.2)
    assert isinstance(caught.value, TimeoutError)
    assert not isinstance(caught.value, BrokerUnavailable)
    answer(cluster, topics, SeparationResult(request_id=job.request_id))
    assert job.result(30).request_id == job.request_id


def test_progress_is_told_as_it_was_last_heard(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """Of this job, and of no other."""
    job = client.separate("in/song.mp3", request_id="r")
    assert job.progress() is None
    latest = SeparationProgress(request_id="r", stage="separate", segments_done=3, segments_total=16)
    for told in (SeparationProgress(request_id="x", segments_done=9), SeparationProgress(request_id="r"), latest):
        answer(cluster, topics, told)
    wait_for(lambda: job.progress() == latest)


def test_a_job_is_taken_up_again_by_its_id(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """What became of it before is found; of several outcomes the latest; and what comes later is heard."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    old = SeparationResult(request_id="r", completed_at=first)
    new = DeadLetter(request_id="r", code="X", failed_at=first.replace(month=2))
    answer(cluster, topics, SeparationResult(request_id="x"), new, old)
    with pytest.raises(SeparationFailed) as caught:
        client.job("r").result(30)
    assert caught.value.letter == new
    later = client.job("later")
    assert not later.done()
    assert later.sent() is None
    answer(cluster, topics, SeparationResult(request_id="later"))
    assert later.result(30).request_id == "later"


def test_thousands_of_jobs_share_two_threads(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """One producer and one reader, whatever the number of jobs and of the threads that send them."""
    with ThreadPoolExecutor(8) as senders:
        jobs = list(senders.map(lambda number: client.separate("in/a.mp3", request_id=f"j{number}"), range(2000)))
    ours = [thread.name for thread in threading.enumerate() if thread.name.startswith("client-")]
    assert sorted(ours) == ["client-outcomes", "client-producer"]
    places = {job.sent() for job in jobs}
    assert len(places) == len(jobs)
    answer(cluster, topics, *(SeparationResult(request_id=f"j{number}") for number in range(2000)))
    assert {job.result(60).request_id for job in jobs} == {f"j{number}" for number in range(2000)}


def test_a_local_file_goes_through_the_store_and_its_stems_come_back(
    client: Client, topics: TopicSettings, cluster: Producer, store: MemoryStore, tmp_path: Path
) -> None:
    """It is uploaded under its request's id, whatever its name; the stems are checked against their digests."""
    song = tmp_path / "..%2f name.mp3"
    song.write_bytes(b"a song")
    job = client.separate(song, request_id="r")
    [message] = records(cluster, topics.requests, 1)
    source = CODEC.decode_request(message.value()).source
    facts = store.stat("in", "uploads/r")
    assert facts is not None
    assert (source.bucket, source.key, source.etag) == ("in", "uploads/r", facts.etag)
    assert store.read("in", "uploads/r") == b"a song"
    (tmp_path / "stem").write_bytes(b"a stem")
    store.create("out", "stems/r/vocals.flac", tmp_path / "stem", media_type="audio/flac", metadata={})
    stem = Stem(name="vocals", bucket="out", key="stems/r/vocals.flac", sha256=sha256_of(tmp_path / "stem"))
    answer(cluster, topics, SeparationResult(request_id="r", stems=(stem,)))
    assert job.download(tmp_path / "stems") == {"vocals": tmp_path / "stems" / "vocals.flac"}
    assert (tmp_path / "stems" / "vocals.flac").read_bytes() == b"a stem"
    assert [path.name for path in (tmp_path / "stems").iterdir()] == ["vocals.flac"]


@pytest.mark.parametrize(
    ("stem", "code"),
    [
        (Stem(name="../vocals", bucket="out", key="s/v.wav", sha256="0" * 64), Code.OBJECT_CHANGED),
        (Stem(name="vocals", bucket="out", key="s/none.wav", sha256="0" * 64), Code.OBJECT_NOT_FOUND),
    ],
    ids=["another", "none"],
)
def test_a_stem_that_is_not_what_the_result_says_is_not_kept(
    client: Client, topics: TopicSettings, cluster: Producer, store: MemoryStore, tmp_path: Path, stem: Stem, code: Code
) -> None:
    """Nothing is left of it, in the folder or beside it."""
    store.create("out", "s/v.wav", b"what", media_type="audio/wav", metadata={})
    job = client.separate("in/a.mp3", request_id="r")
    answer(cluster, topics, SeparationResult(request_id="r", stems=(stem,)))
    with pytest.raises(Rejected) as caught:
        job.download(tmp_path / "stems")
    assert caught.value.code == code
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_another_file_under_the_same_id_is_refused(client: Client, tmp_path: Path) -> None:
    """The first one stays; the same one again is no error."""
    for name, content in (("a", b"one"), ("b", b"two")):
        (tmp_path / name).write_bytes(content)
    client.separate(tmp_path / "a", request_id="r")
    client.separate(tmp_path / "a", request_id="r")
    with pytest.raises(Rejected, match="used before"):
        client.separate(tmp_path / "b", request_id="r")


def test_files_need_a_store(cluster: Producer, topics: TopicSettings, tmp_path: Path) -> None:
    """Without one, that is said, and nothing is sent."""
    (tmp_path / "a").write_bytes(b"one")
    with (
        Client(KafkaSettings(bootstrap_servers=address_of(cluster)), topics, CODEC) as client,
        pytest.raises(SettingsError, match=r"^MINIO_ENDPOINT: "),
    ):
        client.separate(tmp_path / "a")


def test_what_can_not_be_asked_for_is_refused_before_anything_is_uploaded(
    client: Client, store: MemoryStore, tmp_path: Path
) -> None:
    """As a replica would, and at once."""
    (tmp_path / "a").write_bytes(b"one")
    with pytest.raises(Rejected) as caught:
        client.separate(tmp_path / "a", model="9stems", request_id="r")
    assert caught.value.code == Code.REQUEST_INVALID
    assert store.stat("in", "uploads/r") is None
    with pytest.raises(Rejected, match="BUCKET/KEY"):
        client.separate("no-slash")


def test_a_client_that_is_closed_says_so(client: Client) -> None:
    """To whoever waits, and to whoever asks for more; closing it twice does nothing."""
    job = client.separate("in/a.mp3")
    client.close()
    client.close()
    with pytest.raises(ClientClosed):
        job.result(30)
    with pytest.raises(ClientClosed):
        client.separate("in/a.mp3")


def test_results_are_read_on_from_where_one_stopped(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """Each once, over any number of readers; garbage between them is passed over, and counts as read."""
    answer(cluster, topics, *(SeparationResult(request_id=f"r{number}") for number in range(6)))
    with client.results(idle_s=30) as log:
        first = [next(log) for _ in range(2)]
    publish(cluster, topics.results, value=b"garbage")
    answer(cluster, topics, SeparationResult(request_id="last"))
    with client.results(since=first[-1].positions, idle_s=30) as log:
        rest = [next(log) for _ in range(5)]
    ids = [received.event.request_id for received in (*first, *rest)]
    assert sorted(ids) == sorted([*(f"r{number}" for number in range(6)), "last"])
    with client.results(since=rest[-1].positions, idle_s=0.5) as log:
        assert list(log) == []


def test_in_asyncio_hundreds_of_jobs_wait_without_a_thread_each(
    cluster: Producer, topics: TopicSettings, tmp_path: Path
) -> None:
    """The same values and errors; a wait that is given up leaves the job alone."""

    async def run() -> None:
        kafka = KafkaSettings(bootstrap_servers=address_of(cluster))
        async with AsyncClient(Client(kafka, topics, CODEC)) as client:
            jobs = [await client.separate("in/a.mp3", request_id=f"a{number}") for number in range(200)]
            with pytest.raises(WaitTimeout):
                await jobs[0].result(0.1)
            waiting = asyncio.gather(*(job.result(60) for job in jobs))
            events = [SeparationResult(request_id=f"a{number}") for number in range(200)]
            await asyncio.to_thread(answer, cluster, topics, *events)
            assert [result.request_id for result in await waiting] == [f"a{number}" for number in range(200)]
            failing = await client.submit(a_request(request_id="f"))
            await asyncio.to_thread(answer, cluster, topics, DeadLetter(request_id="f", code="X"))
            with pytest.raises(SeparationFailed):
                await failing.result(30)
            received = [each.event.request_id async for each in client.results(idle_s=5.0)]
            assert sorted(received) == sorted(f"a{number}" for number in range(200))

    asyncio.run(run())
