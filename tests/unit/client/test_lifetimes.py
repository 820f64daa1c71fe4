"""How long a client remembers a job, and what becomes of jobs when something of the client's ends."""

import asyncio
import gc
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from confluent_kafka import Producer

from consumer.client import Client, ClientBroken, ClientClosed, Job, SeparationFailed, WaitTimeout
from consumer.client.decoding import EventDecoder
from consumer.client.outcomes import OutcomeReader
from consumer.core.errors import BrokerUnavailable
from consumer.core.events import DeadLetter, SeparationResult
from consumer.settings import KafkaSettings, TopicSettings
from harness.waiting import wait_for
from tests.unit.client.mock_cluster import CODEC, address_of
from tests.unit.client.test_jobs import answer


@pytest.fixture
def client(cluster: Producer, topics: TopicSettings) -> Iterator[Client]:
    with Client(KafkaSettings(bootstrap_servers=address_of(cluster)), topics, CODEC) as client:
        yield client


def remembered(client: Client) -> set[str]:
    """The ids of the jobs whose outcome the client listens for."""
    reader = client._made_outcomes
    assert reader is not None
    gc.collect()
    with reader._lock:
        reader._forget_dropped()
        return set(reader._waiting)


def test_a_job_that_is_dropped_is_forgotten(client: Client) -> None:
    """Also one that was waited for in vain, by a thread or in asyncio; one that is held is not."""
    held = client.separate("in/a.mp3", request_id="held")

    def wait_in_vain() -> None:
        job = client.separate("in/a.mp3", request_id="thread")
        with pytest.raises(WaitTimeout):
            job.result(0.05)

    async def wait_in_asyncio() -> None:
        job = client.separate("in/a.mp3", request_id="asyncio")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(job.outcome), 0.05)

    wait_in_vain()
    asyncio.run(wait_in_asyncio())
    client.separate("in/a.mp3", request_id="acknowledged").sent()
    client.job("taken-up")
    assert remembered(client) == {"held"}
    held.sent()


def test_tens_of_thousands_of_dropped_jobs_leave_nothing(client: Client, topics: TopicSettings) -> None:
    """They are forgotten while others are sent, and need no garbage collector for that; two of one id are two."""
    one, other = (client.separate("in/a.mp3", request_id="twice") for _ in range(2))
    gc.collect()
    gc.disable()
    try:
        for number in range(20_000):
            client.separate("in/a.mp3", request_id=f"n{number}")
        reader = client._made_outcomes
        assert reader is not None
        wait_for(lambda: set(reader._waiting) == {"twice"})
    finally:
        gc.enable()
    del one
    assert remembered(client) == {"twice"}
    del other
    assert remembered(client) == set()


def test_who_waits_without_holding_the_job_is_told(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """By a future, as code does that waits for many at once, or a callback; not once the future is cancelled."""
    called: list[Future[SeparationResult | DeadLetter]] = []
    client.separate("in/a.mp3", request_id="c").outcome.add_done_callback(called.append)
    client.separate("in/a.mp3", request_id="given-up").outcome.cancel()
    future: Future[SeparationResult | DeadLetter] = client.separate("in/a.mp3", request_id="f").outcome
    wait_for(lambda: remembered(client) == {"c", "f"})  # the producer holds it until it was told
    answer(cluster, topics, *(SeparationResult(request_id=name) for name in ("c", "given-up", "f")))
    assert future.result(30) == SeparationResult(request_id="f")
    wait_for(lambda: called and called[0].result() == SeparationResult(request_id="c"))
    assert remembered(client) == set()


def test_fifty_threads_share_a_client(client: Client, topics: TopicSettings, cluster: Producer) -> None:
    """They send, wait, cancel, look at progress and drop jobs all at once, and each gets its own outcomes."""
    threads, jobs_each = 50, 40
    ready = threading.Barrier(threads)

    def work(number: int) -> list[tuple[Job, bool]]:
        chance, kept = random.Random(number), []
        ready.wait(60)
        for index in range(jobs_each):
            fails = chance.random() < 0.3
            job = client.separate("in/a.mp3", request_id=f"t{number}-{index}", metadata={"fails": str(fails)})
            job.progress()
            if chance.random() < 0.2:
                continue  # dropped
            if chance.random() < 0.1:
                job.cancel("no more")
            if chance.random() < 0.1:
                with pytest.raises(WaitTimeout):
                    job.result(0.001)
            kept.append((job, fails))
        return kept

    with ThreadPoolExecutor(threads) as pool:
        kept = [each for found in pool.map(work, range(threads)) for each in found]
        held = {job.request_id for job, _ in kept}
        wait_for(lambda: remembered(client) == held)  # the producer holds each until it was told
        places = set(pool.map(lambda each: each[0].sent(60), kept))
        assert len(places) == len(kept)
        events = [
            DeadLetter(request_id=job.request_id, code=f"X-{job.request_id}")
            if fails
            else SeparationResult(request_id=job.request_id, model=f"m-{job.request_id}")
            for job, fails in kept
        ]
        for some in (events[at::10] for at in range(10)):
            answer(cluster, topics, *some)
        told = list(pool.map(lambda each: told_of(each[0]), kept))
    assert told == [f"{'X' if fails else 'm'}-{job.request_id}" for job, fails in kept]
    assert remembered(client) == set()


def told_of(job: Job) -> str:
    try:
        return job.result(60).model
    except SeparationFailed as failed:
        return failed.code


def test_a_reader_that_dies_leaves_nobody_waiting(
    client: Client, topics: TopicSettings, cluster: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who wait are told why, each by an error of its own; what is sent next has a reader again."""
    jobs = [client.separate("in/a.mp3", request_id=f"r{number}") for number in range(3)]
    broken = ZeroDivisionError("what nobody foresaw")

    def decode(*_: object) -> object:
        raise broken

    with monkeypatch.context() as patched:
        patched.setattr(EventDecoder, "decode", decode)
        answer(cluster, topics, SeparationResult(request_id="r0"))
        errors = []
        for job in jobs:
            with pytest.raises(ClientBroken, match=r"ZeroDivisionError: what nobody foresaw") as caught:
                job.result(30)
            assert caught.value.__cause__ is broken
            errors.append(caught.value)
    assert len({id(error) for error in errors}) == 3
    again = client.separate("in/a.mp3", request_id="again")
    answer(cluster, topics, SeparationResult(request_id="again"))
    assert again.result(30).request_id == "again"
    assert client.job("r0").result(30).request_id == "r0"


def test_a_callback_that_ends_the_thread_ends_no_other_s_wait(
    client: Client, topics: TopicSettings, cluster: Producer
) -> None:
    """`sys.exit` in a callback is passed over silently by threads; neither thread of the client may go with it."""
    job, other = (client.separate("in/a.mp3", request_id=name) for name in ("j", "o"))
    assert job._sent is not None
    job._sent.future().add_done_callback(lambda _: sys.exit(1))
    assert client.separate("in/a.mp3").sent(30) is not None
    job.outcome.add_done_callback(lambda _: sys.exit(1))
    for each in (job, other):
        answer(cluster, topics, SeparationResult(request_id=each.request_id))
        assert each.result(30).request_id == each.request_id


def test_an_expectation_of_a_reader_that_has_ended_is_refused(cluster: Producer, topics: TopicSettings) -> None:
    """Nothing would ever be told to it."""
    kafka = KafkaSettings(bootstrap_servers=address_of(cluster))
    reader = OutcomeReader(kafka, topics, EventDecoder(CODEC, {}), request_s=10.0)
    assert reader.expect("before").progress is None
    reader.close()
    with pytest.raises(ClientClosed, match="closed"):
        reader.expect("r")


def lonely_cluster() -> Producer:
    """One that ends when it is dropped."""
    return Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0})


def made_on(cluster: Producer) -> tuple[Client, TopicSettings]:
    names = {field: field for field in ("requests", "results", "dead_letter", "progress", "control")}
    for topic in names.values():
        cluster.list_topics(topic, timeout=10)  # which creates it
    topics = TopicSettings.model_validate(names)
    return Client(KafkaSettings(bootstrap_servers=address_of(cluster)), topics, CODEC, request_s=5.0), topics


def test_what_is_not_sent_when_the_client_is_closed_is_told() -> None:
    """Brokers that have gone away take nothing more: the job says that it was not sent, at once."""
    cluster = lonely_cluster()
    client, _ = made_on(cluster)
    assert client.separate("in/a.mp3").sent() is not None
    del cluster
    job = client.separate("in/a.mp3")
    client.close()
    with pytest.raises(BrokerUnavailable):
        job.sent(1.0)
    with pytest.raises(BrokerUnavailable):
        job.result(1.0)


def test_a_topic_whose_end_is_never_reached_is_told_of() -> None:
    """Where the brokers go away in the middle, here before what is behind the last record, it is not endless."""
    cluster = lonely_cluster()
    client, topics = made_on(cluster)
    answer(cluster, topics, SeparationResult(request_id="r"))
    log = client.results()
    log._reader._ends = {place: end + 1 for place, end in log._reader._ends.items()}
    del cluster
    with pytest.raises(BrokerUnavailable), log:
        list(log.read_to_end())
    client.close()
