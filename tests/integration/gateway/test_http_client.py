"""The client by HTTP on the real stack: what it gives is what the client over Kafka gives."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.client import AccessDenied, Client, RequestRefused, SeparationFailed, WaitTimeout
from consumer.client.http import HttpClient, api_key
from consumer.core.errors import Rejected
from harness.clips import write_clip
from harness.gateway import KEY, Gateway
from harness.platform import Platform


@pytest.fixture
def client(door: Gateway) -> Iterator[HttpClient]:
    with HttpClient(door.url, api_key(KEY)) as client:
        yield client


@pytest.fixture
def over_kafka(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """As a program on this platform makes it."""
    for name, value in platform.environment.items():
        monkeypatch.setenv(name, value)
    with Client.from_env() as client:
        yield client


def test_the_same_values_as_over_kafka(
    platform: Platform, client: HttpClient, over_kafka: Client, tmp_path: Path
) -> None:
    """A result field for field, a failure with its code and reason, stems with their bytes, a cancelled job as one."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))
    song = f"{platform.source_bucket}/{key}"
    job = client.separate(song, format="flac", metadata={"user": "ü"}, idempotency_key="take-1")
    failing = client.separate(f"{platform.source_bucket}/none.mp3")
    cancelled = client.separate(song, model="4stems")
    with pytest.raises(WaitTimeout):
        job.result(0.5)
    assert (job.view().state, job.done(), job.progress()) == ("queued", False, None)
    with pytest.raises(Rejected) as refused:
        client.separate("elsewhere/a.mp3")
    assert refused.value.code == "BUCKET_NOT_ALLOWED"
    with pytest.raises(RequestRefused, match="under way") as in_flight:
        client.separate(song, format="mp3", idempotency_key="take-1")
    assert in_flight.value.code == "IN_FLIGHT"
    cancelled.cancel()
    platform.start_replica().wait_ready()

    result = job.result(100)
    assert result == over_kafka.job(job.request_id).result(100)
    files = job.download(tmp_path / "stems")
    stored = {stem.name: platform.minio.get_object(stem.bucket, stem.key).read() for stem in result.stems}
    assert {name: path.read_bytes() for name, path in files.items()} == stored
    assert {stem.name: stem.sha256 for stem in result.stems} == {
        name: hashlib.sha256(content).hexdigest() for name, content in stored.items()
    }
    for ended, code in ((failing, "OBJECT_NOT_FOUND"), (cancelled, "CANCELLED")):
        with pytest.raises(SeparationFailed) as by_http:
            ended.result(100)
        with pytest.raises(SeparationFailed) as by_kafka:
            over_kafka.job(ended.request_id).result(100)
        one, other = by_http.value.letter, by_kafka.value.letter
        assert (one.code, one.message, one.stage, one.attempts, one.failed_at, one.request_id) == (
            code, other.message, other.stage, other.attempts, other.failed_at, other.request_id,
        )  # fmt: skip

    again = client.separate(song, format="flac", metadata={"user": "ü"}, idempotency_key="take-1")
    assert (again.request_id, again.position, again.result(0)) == (job.request_id, None, result)
    assert client.job(job.request_id).result(0) == result
    job.cancel()  # too late, which changes nothing
    assert {each.request_id for each in client.jobs()} == {each.request_id for each in (job, failing, cancelled)}
    assert [each.request_id for each in client.jobs(state="cancelled")] == [cancelled.request_id]
    named = [failing.request_id, "unknown", job.request_id]
    assert [each.request_id for each in client.jobs(ids=named)] == [failing.request_id, job.request_id]
    with pytest.raises(RequestRefused) as unknown:
        client.job("unknown")
    assert unknown.value.code == "NOT_FOUND"


def test_a_key_that_is_none(door: Gateway) -> None:
    """Is said at once."""
    with HttpClient(door.url, api_key("spk_nobody")) as client, pytest.raises(AccessDenied, match="UNAUTHENTICATED"):
        client.separate("music/a.mp3")
