"""Local files by the client over HTTP on the real stack: sent whole and once, whatever happens on the way."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import soundfile

from consumer.client import AccessDenied, RequestRefused, SeparationFailed, WaitTimeout
from consumer.client.http import AsyncHttpClient, HttpClient, HttpJob, Patience, api_key
from consumer.core.errors import Rejected
from consumer.core.events import SeparationProgress
from harness.clips import write_clip
from harness.gateway import KEY, Gateway, gateway, start_gateway
from harness.platform import Platform
from harness.waiting import wait_for
from tests.integration.gateway.relay import relay
from tests.unit.client.http.twin import twin

LIMIT = 8 << 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@contextmanager
def opened(kind: str, url: str, patience: Patience) -> Iterator[HttpClient]:
    """A client of either kind: what a test demands of one, it demands of its twin."""
    if kind == "threads":
        with HttpClient(url, api_key(KEY), patience=patience) as client:
            yield client
    else:
        with twin(AsyncHttpClient(url, api_key(KEY), patience=patience)) as quacking:
            yield cast(HttpClient, quacking)


@pytest.fixture(params=["threads", "asyncio"])
def client(request: pytest.FixtureRequest, door: Gateway) -> Iterator[HttpClient]:
    with opened(request.param, door.url, Patience()) as client:
        yield client


def stored(platform: Platform) -> dict[str, bytes]:
    """What lies where files are put, as another client sees it."""
    found = platform.minio.list_objects(platform.source_bucket, "uploads/", recursive=True)
    contents = {}
    for name in [item.object_name for item in found if item.object_name]:
        with platform.minio.get_object(platform.source_bucket, name) as response:
            contents[name] = response.read()
    return contents


def test_a_song_goes_in_and_its_stems_come_out(platform: Platform, client: HttpClient, tmp_path: Path) -> None:
    """From a local file to local files; progress, cancelling and taking up again are those of any other job."""
    song = write_clip(tmp_path / "a secret name.flac", seconds=2.0, seed=6)
    job = client.separate(song, format="flac", metadata={"n": "ü"}, idempotency_key="take-1")
    cancelled = client.separate(song, model="4stems")
    assert stored(platform) == {f"uploads/{each.request_id}": song.read_bytes() for each in (job, cancelled)}
    with pytest.raises(WaitTimeout) as waited:
        job.result(0.5)
    assert waited.value.request_id == job.request_id
    told = SeparationProgress(
        request_id=job.request_id, stage="separate", segments_done=3, segments_total=7, attempt=1,
        at=datetime.now(UTC).replace(microsecond=250_000) + timedelta(seconds=1),  # not of an earlier try
    )  # fmt: skip
    platform.send_to("PROGRESS", platform.codec.encode(told), job.request_id)
    wait_for(lambda: job.progress() is not None)
    assert job.progress() == told
    cancelled.cancel()
    platform.start_replica().wait_ready()

    again = client.separate(song, format="flac", metadata={"n": "ü"}, idempotency_key="take-1")
    taken_up = client.job(job.request_id)
    assert {each.request_id for each in (again, taken_up)} == {job.request_id}
    result = taken_up.result(100)
    assert (result, result.metadata) == (again.result(100), {"n": "ü"})
    files = taken_up.download(tmp_path / "stems")
    assert {path.name for path in (tmp_path / "stems").iterdir()} == {"vocals.flac", "accompaniment.flac"}
    assert {soundfile.info(path).frames for path in files.values()} == {2 * 44100}
    with pytest.raises(SeparationFailed) as ended:
        cancelled.result(100)
    assert ended.value.is_cancelled
    assert len(platform.requests()) == 2


def test_files_that_are_refused(platform: Platform, tmp_path: Path) -> None:
    """With the codes of the page on HTTP, once, and nothing of them stays in the store; a good one is still taken."""
    song = write_clip(tmp_path / "song.flac", seconds=1.0, seed=7)
    other = write_clip(tmp_path / "other.flac", seconds=1.0, seed=8)
    contents = {"empty": b"", "picture.mp3": PNG, "large.wav": song.read_bytes() + bytes(LIMIT)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with gateway(platform, MAX_OBJECT_BYTES=str(LIMIT)) as door, HttpClient(door.url, api_key(KEY)) as client:
        for name, code, status in (
            ("empty", "AUDIO_EMPTY", 422), ("picture.mp3", "FORMAT_NOT_ALLOWED", 415),
            ("large.wav", "OBJECT_TOO_LARGE", 413),
        ):  # fmt: skip
            with pytest.raises(RequestRefused) as refused:
                client.separate(tmp_path / name)
            assert (refused.value.code, refused.value.status) == (code, status)
        with pytest.raises(Rejected, match="metadata"):
            client.separate(song, metadata={"n": "x" * 70_000})
        assert (stored(platform), platform.requests()) == ({}, [])
        job = client.separate(song, idempotency_key="mine")
        with pytest.raises(RequestRefused) as in_flight:
            client.separate(other, idempotency_key="mine")
        assert in_flight.value.code == "IN_FLIGHT"
        job.cancel()
        platform.start_replica().wait_ready()
        with pytest.raises(SeparationFailed):
            job.result(100)
        with pytest.raises(RequestRefused) as reused:
            client.separate(other, idempotency_key="mine")
        assert (reused.value.code, reused.value.status) == ("IDEMPOTENCY_KEY_REUSED", 422)
    assert list(stored(platform).values()) == [song.read_bytes()]


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_a_gateway_that_dies_while_the_file_comes(platform: Platform, tmp_path: Path, kind: str) -> None:
    """Another one takes it anew under the same key: one object, whole, and one request in Kafka."""
    song = tmp_path / "song.wav"
    song.write_bytes(write_clip(tmp_path / "short.wav", seconds=1.0, seed=9).read_bytes() + os.urandom(12 << 20))
    with gateway(platform) as second:
        first = start_gateway(platform, {})
        first.wait_ready()
        ports = iter([first.port])
        with (
            relay(lambda: next(ports, second.process.port), cut_after_bytes=6 << 20, on_cut=first.process.kill) as port,
            opened(kind, f"http://127.0.0.1:{port}", Patience(first_wait_s=0.2)) as client,
        ):
            job = client.separate(song)
        assert first.process.wait(30) != 0
        assert [message.key() for message in platform.requests()] == [job.request_id.encode()]
        assert (
            hashlib.sha256(stored(platform)[f"uploads/{job.request_id}"]).digest()
            == hashlib.sha256(song.read_bytes()).digest()
        )


def test_who_lacks_a_right(platform: Platform, tmp_path: Path) -> None:
    """A key that may only read sends nothing, but sees its tenant's jobs; a revoked one nothing at all; a stranger's
    job is unknown.
    """
    file, song = tmp_path / "keys.json", write_clip(tmp_path / "song.flac", seconds=1.0, seed=7)
    options = {
        "writer": ("--tenant", "acme"), "reader": ("--tenant", "acme", "--scope", "separations:read"),
        "other": ("--tenant", "other"),
    }  # fmt: skip
    keys = {
        name: platform.run("keys", "create", name, "--file", str(file), *told).stdout.strip()
        for name, told in options.items()
    }
    with gateway(platform, API_KEYS_FILE=str(file)) as door:
        writer, reader, other = (HttpClient(door.url, api_key(keys[name])) for name in options)
        with writer, reader, other:
            job = writer.separate(song)
            with pytest.raises(AccessDenied, match="SCOPE_MISSING"):
                reader.separate(song)
            with pytest.raises(AccessDenied, match="SCOPE_MISSING"):
                reader.cancel(job.request_id)
            assert [each.request_id for each in reader.jobs()] == [job.request_id]
            assert not reader.job(job.request_id).done()
            for ask in (other.job, other.cancel):
                for request_id in (job.request_id, uuid.uuid4().hex):
                    with pytest.raises(RequestRefused) as unknown:
                        ask(request_id)
                    assert unknown.value.code == "NOT_FOUND"
            assert list(other.jobs()) == []
            revoked = platform.run("keys", "revoke", keys["writer"].split("_")[1], "--file", str(file))
            assert revoked.returncode == 0, revoked.stderr
            wait_for(lambda: is_denied(job))
        assert set(stored(platform)) == {f"uploads/{job.request_id}"}


def is_denied(job: HttpJob) -> bool:
    """Whether its key is none any more."""
    try:
        job.done()
    except AccessDenied:
        return True
    return False
