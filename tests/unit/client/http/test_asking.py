"""What is asked of the gateway, how often, and what its answers mean."""

import json
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

import consumer.client
from consumer.client import AccessDenied, ClientClosed, GatewayUnavailable, RequestRefused
from consumer.client.http import HttpClient, Patience, api_key, bearer_token
from consumer.core.errors import ConsumerError, Rejected, SettingsError
from consumer.core.events import SourceObject
from devstack.service import free_port
from harness.fakes import NOON
from tests.unit.client.http.conftest import KEY, Time
from tests.unit.client.http.door import HANG_UP, Door, Reply, Seen
from tests.unit.client.http.jobs import ID, PLACE, QUEUED

ACCEPTED = Reply.of(QUEUED, 202, Location=PLACE, Retry_After="2", Separation_Position="requests:1:7")


def test_nothing_of_kafka_is_loaded() -> None:
    """Whoever comes by HTTP needs httpx2 and msgspec alone."""
    kept = "('confluent_kafka', 'fastavro', 'minio', 'pydantic', 'structlog', 'tenacity', 'prometheus_client')"
    code = f"import sys, consumer.client.http\nprint(*[name for name in {kept} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert ran.stdout.split() == []


def test_each_name_of_the_client_is_there() -> None:
    """Though none is imported before it is used; and no other."""
    assert all(hasattr(consumer.client, name) for name in consumer.client.__all__)
    assert dir(consumer.client) == consumer.client.__all__
    with pytest.raises(AttributeError):
        _ = consumer.client.Cleint  # type: ignore[attr-defined]


def test_a_request_is_sent_as_the_contract_has_it(door: Door, client: HttpClient) -> None:
    """Every field that was given, and no other; the job knows its id and its place in Kafka."""
    door.answer(ACCEPTED)
    deadline = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
    job = client.separate(
        SourceObject(bucket="music", key="a b/ü.mp3", etag="e"), model="4stems-16kHz", format="mp3", bitrate="192k",
        start_s=1, duration_s=2.5, high_frequencies="average", track=1, deadline=deadline, metadata={"user": "ü"},
        idempotency_key="take 1",
    )  # fmt: skip
    [seen] = door.seen
    assert (seen.method, seen.path) == ("POST", "/v1/separations")
    assert seen.headers["x-api-key"] == KEY
    assert seen.headers["idempotency-key"] == "take 1"
    assert seen.headers["content-type"] == "application/json"
    assert json.loads(seen.body) == {
        "source": {"bucket": "music", "key": "a b/ü.mp3", "etag": "e"}, "model": "4stems-16kHz",
        "output": {"format": "mp3", "bitrate": "192k"}, "start_s": 1, "duration_s": 2.5, "high_frequencies": "average",
        "track": 1, "deadline": "2031-01-02T03:04:05+00:00", "metadata": {"user": "ü"},
    }  # fmt: skip
    assert (job.request_id, job.position) == (ID, "requests:1:7")
    client.separate("music/a.mp3")
    least = json.loads(door.seen[1].body)
    assert least["source"] == {"bucket": "music", "key": "a.mp3"}
    assert None not in least.values()


def test_all_tries_of_a_request_are_one_job(door: Door, client: HttpClient, time: Time) -> None:
    """One Idempotency-Key for its tries, whatever befell them, and another one for the next request."""
    door.answer(Reply.problem(503, "UNAVAILABLE"), HANG_UP, Reply(status=502, body=b"<html>"), ACCEPTED)
    assert client.separate("music/a.mp3").request_id == ID
    client.separate("music/a.mp3")
    keys = [seen.headers["idempotency-key"] for seen in door.seen]
    assert len(keys) == 5
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]
    assert uuid.UUID(keys[0])
    assert len({seen.body for seen in door.seen}) == 1
    assert time.paused == [1, 2, 4]  # twice as long each time


def test_retry_after_is_obeyed(door: Door, client: HttpClient, time: Time) -> None:
    """In seconds and as a time; what is no such thing is left to the rule."""
    moment = format_datetime(NOON + timedelta(seconds=30), usegmt=True)
    limited = [Reply.problem(429, "RATE_LIMITED", Retry_After=text) for text in ("17", moment, "soon", "-3")]
    door.answer(*limited, ACCEPTED)
    client.separate("music/a.mp3")
    assert time.paused[0] >= 17
    assert sum(time.paused[:2]) >= 30
    assert len(door.seen) == 5


@pytest.mark.parametrize("answer", [HANG_UP, Reply.problem(503, "UNAVAILABLE"), Reply.problem(429, "TOO_MANY_JOBS")])
def test_patience_ends(door: Door, client: HttpClient, time: Time, answer: Reply) -> None:
    """Within its bound, with the key that asks for the same once more; tries come ever more rarely."""
    door.answer(answer)
    with pytest.raises(GatewayUnavailable) as caught:
        client.separate("music/a.mp3", idempotency_key="mine")
    assert caught.value.idempotency_key == "mine"
    assert caught.value.status == (answer.status or None)
    assert 45 < sum(time.paused) <= 60
    assert len(door.seen) == len(time.paused) + 1 < 12


def test_patience_counts_from_the_first_failure(door: Door, client: HttpClient, time: Time) -> None:
    """A try that took long, as of a large file, is made once more; then its time is up."""

    def slow(_: object) -> Reply:
        time.advance(500)
        return HANG_UP

    door.answer(slow)
    with pytest.raises(GatewayUnavailable):
        client.separate("music/a.mp3")
    assert len(door.seen) == 2


def test_a_wait_that_is_too_long_is_not_waited(door: Door, client: HttpClient, time: Time) -> None:
    """Whoever is told to come back in an hour is told so at once."""
    door.answer(Reply.problem(503, "UNAVAILABLE", Retry_After="3600"))
    with pytest.raises(GatewayUnavailable) as caught:
        client.job(ID)
    assert (caught.value.retry_after_s, time.paused) == (3600, [])


def test_tries_of_many_clients_are_spread(door: Door) -> None:
    """Half of a wait is sure, the other half is jitter's; what the gateway asks for is never shortened."""
    for share, waits in ((0.0, [0.5, 1.0, 9.0]), (0.5, [0.75, 1.5, 9.5])):
        time = Time()
        patience = Patience(first_wait_s=1, longest_wait_s=8, within_s=60, jitter=lambda share=share: share)  # type: ignore[misc]
        with HttpClient(door.url, api_key(KEY), patience=patience, clock=time, pause=time.pause) as client:
            door.answer(HANG_UP, HANG_UP, Reply.problem(503, "UNAVAILABLE", Retry_After="9"), ACCEPTED)
            client.job(ID)
        assert time.paused == waits


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (Reply.problem(401, "UNAUTHENTICATED"), AccessDenied, None),
        (Reply.problem(403, "SCOPE_MISSING"), AccessDenied, None),
        (Reply(status=403, body=b"<html>"), AccessDenied, None),
        (Reply.problem(403, "BUCKET_NOT_ALLOWED"), RequestRefused, "BUCKET_NOT_ALLOWED"),
        (Reply.problem(404, "NOT_FOUND"), RequestRefused, "NOT_FOUND"),
        (Reply.problem(409, "IN_FLIGHT"), RequestRefused, "IN_FLIGHT"),
        (Reply.problem(410, "FORGOTTEN"), RequestRefused, "FORGOTTEN"),
        (Reply.problem(413, "OBJECT_TOO_LARGE"), RequestRefused, "OBJECT_TOO_LARGE"),
        (Reply.problem(415, "FORMAT_NOT_ALLOWED"), RequestRefused, "FORMAT_NOT_ALLOWED"),
        (Reply.problem(422, "IDEMPOTENCY_KEY_REUSED"), RequestRefused, "IDEMPOTENCY_KEY_REUSED"),
        (Reply.problem(422, "DEADLINE_EXCEEDED"), RequestRefused, "DEADLINE_EXCEEDED"),
        # Not the gateway's own words, whoever said them:
        (Reply(status=404, headers={"Content-Type": "text/html"}, body=b"<html>"), GatewayUnavailable, None),
        (Reply(status=302, headers={"Location": "/login"}), GatewayUnavailable, None),
        (Reply(status=200, headers={"Content-Type": "text/html"}, body=b"<html>"), GatewayUnavailable, None),
        (Reply.of({"id": 7}), GatewayUnavailable, None),
        (Reply.of([QUEUED]), GatewayUnavailable, None),
        (Reply(status=200, body=b"\xff\xfe"), GatewayUnavailable, None),
        (Reply(status=422, headers={"Content-Type": "application/problem+json"}, body=b"{"), GatewayUnavailable, None),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else None,
)
def test_what_an_answer_means(
    door: Door, client: HttpClient, time: Time, reply: Reply, kind: type[ConsumerError], code: str | None
) -> None:
    """What won't pass is said at once, and not asked again."""
    door.answer(reply)
    with pytest.raises(kind) as caught:
        client.separate("music/a.mp3")
    assert type(caught.value) is kind
    if isinstance(caught.value, RequestRefused):
        assert (caught.value.code, caught.value.status) == (code, reply.status)
    assert (len(door.seen), time.paused) == (1, [])


def test_fields_that_are_refused_are_named(door: Door, client: HttpClient) -> None:
    """By their pointers, in the error and in its text."""
    body = {"code": "REQUEST_INVALID", "detail": "some", "errors": [{"pointer": "/output/format", "detail": "no"}]}
    problem = {"Content-Type": "application/problem+json; charset=utf-8"}
    door.answer(Reply(status=422, headers=problem, body=json.dumps(body).encode()))
    with pytest.raises(Rejected, match="/output/format: no") as caught:
        client.separate("music/a.mp3")
    assert isinstance(caught.value, RequestRefused)
    assert caught.value.fields == {"/output/format": "no"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "song.mp3"}, {"source": "music/"}, {"model": "3stems"}, {"format": "exe"}, {"start_s": -1.0},
        {"bitrate": "9k", "format": "mp3"}, {"idempotency_key": ""}, {"idempotency_key": "k" * 256},
        {"idempotency_key": "a\r\nX-Evil: 1"}, {"idempotency_key": "ü"}, {"track": -1},
        {"source": SourceObject(bucket="b", key="k", version_id="1")}, {"metadata": {"n": "x" * 70_000}},
    ],
    ids=str,
)  # fmt: skip
def test_what_would_be_refused_is_not_sent(door: Door, client: HttpClient, wrong: dict[str, object]) -> None:
    """Rejected(REQUEST_INVALID), as over Kafka."""
    with pytest.raises(Rejected) as caught:
        client.separate(**{"source": "music/a.mp3", **wrong})  # type: ignore[arg-type]
    assert (caught.value.code, door.seen) == ("REQUEST_INVALID", [])


@pytest.mark.parametrize("request_id", ["", "../models", "a/b", "a?b", "x" * 65, "ü"])
def test_an_id_that_is_none_is_not_sent(door: Door, client: HttpClient, request_id: str) -> None:
    """It can't lead to another page."""
    for ask in (client.job, client.cancel, lambda each: list(client.jobs(ids=[each]))):
        with pytest.raises(Rejected):
            ask(request_id)
    assert door.seen == []


def test_an_answer_without_an_end_is_not_kept(door: Door, client: HttpClient) -> None:
    """Sixteen megabytes are the most that a job's document may have."""
    door.answer(Reply(body=b"[" * (17 << 20)))
    with pytest.raises(GatewayUnavailable, match="too long"):
        client.job(ID)


def test_a_gateway_that_is_not_there(time: Time) -> None:
    """The reason is told in the system's words, and the key is not."""
    url = f"http://127.0.0.1:{free_port()}"
    with (
        HttpClient(url, api_key(KEY), clock=time, pause=time.pause) as client,
        pytest.raises(GatewayUnavailable, match="Connection refused") as caught,
    ):
        client.job(ID)
    assert caught.value.may_pass
    assert KEY not in str(caught.value)


def test_a_certificate_that_is_refused_stays_so(door: Door, time: Time) -> None:
    """Nothing but plain text is spoken at that port: asked until patience ends, never by plain HTTP."""
    with (
        HttpClient(door.url.replace("http:", "https:"), api_key(KEY), clock=time, pause=time.pause) as client,
        pytest.raises(GatewayUnavailable, match="TLS"),
    ):
        client.job(ID)
    assert door.seen == []


@pytest.mark.parametrize("url", ["", "gateway:8080", "ftp://host", "http://", "http://u:hunter2@host", "http://h?x=1"])
def test_an_address_that_is_none(url: str) -> None:
    """Said at once, without the address: it may hold a password."""
    with pytest.raises(SettingsError) as caught:
        HttpClient(url, api_key(KEY))
    assert "hunter2" not in str(caught.value)


def test_the_address_may_have_a_path(door: Door) -> None:
    """Where the gateway stands behind a proxy, beside others."""
    door.answer(Reply.of(QUEUED))
    with HttpClient(f"{door.url}/music/", api_key(KEY)) as client:
        client.job(ID)
    assert door.seen[0].path == f"/music{PLACE}"


def test_tokens_and_keys_are_followed(door: Door) -> None:
    """Asked for each time, since they change; what can't be sent is said, and not shown."""
    door.answer(Reply.of(QUEUED))
    tokens = iter(["one", "two", "hunter2\n"])
    with HttpClient(door.url, bearer_token(lambda: next(tokens))) as client:
        client.job(ID)
        client.job(ID)
        with pytest.raises(SettingsError) as caught:
            client.job(ID)
    assert "hunter2" not in str(caught.value)
    assert [seen.headers["authorization"] for seen in door.seen] == ["Bearer one", "Bearer two"]
    assert "x-api-key" not in door.seen[0].headers


def test_from_the_environment(door: Door, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its address and its key, of several the first; a key in a file is followed; what is missing is named."""
    door.answer(Reply.of(QUEUED))
    for name in ("SPLEETER_API_URL", "SPLEETER_API_KEY", "SPLEETER_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="SPLEETER_API_URL"):
        HttpClient.from_env()
    monkeypatch.setenv("SPLEETER_API_URL", "http://user:hunter2@host")
    with pytest.raises(SettingsError, match="SPLEETER_API_URL") as caught:
        HttpClient.from_env()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("SPLEETER_API_URL", door.url)
    with pytest.raises(SettingsError, match="SPLEETER_API_KEY"):
        HttpClient.from_env()
    monkeypatch.setenv("SPLEETER_API_KEY", "the-first-of-the-keys,the-second-of-the-keys")
    with HttpClient.from_env() as client:
        client.job(ID)
    monkeypatch.delenv("SPLEETER_API_KEY")
    (tmp_path / "key").write_text("a-key-that-lies-in-a-file\n")
    monkeypatch.setenv("SPLEETER_API_KEY_FILE", str(tmp_path / "key"))
    with HttpClient.from_env() as client:
        client.job(ID)
        (tmp_path / "key").write_text("a-key-that-was-rotated-in\n")
        client.job(ID)
    keys = [seen.headers["x-api-key"] for seen in door.seen]
    assert keys == ["the-first-of-the-keys", "a-key-that-lies-in-a-file", "a-key-that-was-rotated-in"]


def test_a_closed_client_asks_nothing(door: Door, client: HttpClient) -> None:
    """Nor do its jobs; closing twice does nothing."""
    door.answer(ACCEPTED)
    job = client.separate("music/a.mp3")
    client.close()
    client.close()
    for ask in (job.done, job.cancel, job.result, lambda: client.job(ID)):
        with pytest.raises(ClientClosed):
            ask()
    assert len(door.seen) == 1


def test_one_client_serves_many_threads(door: Door, client: HttpClient) -> None:
    """Each of their requests is a job of its own, and each gets its own answer."""
    together = threading.Barrier(20, timeout=60)

    def told_by_key(seen: Seen) -> Reply:
        together.wait(60)  # all are under way at once
        return Reply.of(QUEUED | {"id": seen.headers["idempotency-key"]}, 202)

    door.answer(told_by_key)
    with ThreadPoolExecutor(20) as threads:
        jobs = list(threads.map(lambda number: client.separate(f"music/{number}.mp3"), range(20)))
    assert len({job.request_id for job in jobs}) == 20
    asked = {json.loads(seen.body)["source"]["key"]: seen.headers["idempotency-key"] for seen in door.seen}
    assert [asked[f"{number}.mp3"] for number in range(20)] == [job.request_id for job in jobs]


def test_a_poll_under_way_while_it_is_closed(door: Door) -> None:
    """Its answer is read, and whoever waits on is told; the connections end with the last of them."""
    asked, closed = threading.Event(), threading.Event()

    def poll(_: object) -> Reply:
        asked.set()
        assert closed.wait(30)
        return Reply.of(QUEUED)

    door.answer(Reply.of(QUEUED), poll)
    client = HttpClient(door.url, api_key(KEY))
    job = client.job(ID)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(job.result, 600)
        assert asked.wait(30)
        client.close()
        closed.set()
        assert isinstance(waiting.exception(30), ClientClosed)
    assert len(door.seen) == 2


def test_who_waits_while_it_is_closed_is_told(door: Door) -> None:
    """A wait between two tries ends at once."""
    asked, told = threading.Event(), threading.Event()

    def away(_: object) -> Reply:
        asked.set()
        return Reply.problem(503, "UNAVAILABLE", Retry_After="50")

    door.answer(away)
    client = HttpClient(door.url, api_key(KEY))

    def wait() -> None:
        with pytest.raises(ClientClosed):
            client.job(ID)
        told.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert asked.wait(30)
    client.close()
    assert told.wait(30)
    thread.join(30)
