"""Files by HTTP on the real stack: what is taken is stored whole and once, of everything else nothing is left."""

import hashlib
import http.client
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.clips import write_clip
from harness.gateway import KEY, Gateway, gateway
from harness.platform import Platform
from harness.replica_process import series
from harness.waiting import wait_for
from tests.conftest import MinioServer

OPTIONS = {"model": "2stems", "output": {"format": "flac"}}
BOUNDARY = "a-boundary"
LIMIT = 24 << 20
SMALL = {"MAX_OBJECT_BYTES": str(LIMIT), "UPLOAD_IDLE_S": "10s", "RATE_LIMIT_BURST": "1000"}


@pytest.fixture
def door(platform: Platform) -> Iterator[Gateway]:
    """A gateway that takes files of 24 MiB, and waits for ten seconds, which a busy machine may well take."""
    with gateway(platform, **SMALL) as running:
        yield running


class Shelf:
    """What lies in the bucket that files are put into, as another client sees it."""

    def __init__(self, platform: Platform, minio: MinioServer) -> None:
        self._platform = platform
        command: Any = minio.running.process.args
        self._data = Path(command[-1])

    def keys(self) -> set[str]:
        found = self._platform.minio.list_objects(self._platform.source_bucket, "uploads/", recursive=True)
        return {item.object_name for item in found if item.object_name}

    def under_way(self) -> set[str]:
        """Multipart uploads of all buckets, from the server's own disk: MinIO lists those of one key alone."""
        return {str(path) for path in (self._data / ".minio.sys/multipart").glob("*/*") if any(path.iterdir())}


@pytest.fixture
def shelf(platform: Platform, minio: MinioServer) -> Shelf:
    return Shelf(platform, minio)


def form(file: bytes, options: object = OPTIONS, *, name: str = "song.flac") -> dict[str, Any]:
    """What httpx2 makes a form of."""
    text = options if isinstance(options, str) else json.dumps(options)
    return {"files": [("request", (None, text, "application/json")), ("file", (name, file, "audio/flac"))]}


def send(door: Gateway, *pieces: bytes, close: bool = False, **headers: str) -> tuple[int, dict[str, Any]]:
    """A form as it is given, byte by byte; (0, {}) where the connection is closed before all is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", door.process.port, timeout=60)
    connection.putrequest("POST", "/v1/separations")
    own = {"X-API-KEY": KEY, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    for header, value in {**own, **headers}.items():
        connection.putheader(header.replace("_", "-"), value)
    connection.endheaders()
    try:
        for piece in pieces:
            connection.send(piece)
        if close:
            return 0, {}
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def opened(options: object = OPTIONS) -> bytes:
    """A form up to where its file begins."""
    begin = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    return (f'{begin}"request"\r\n\r\n{json.dumps(options)}\r\n{begin}"file"; filename="a"\r\n\r\n').encode()


END = f"\r\n--{BOUNDARY}--\r\n".encode()


def test_a_file_from_the_form_to_its_stems(platform: Platform, door: Gateway, shelf: Shelf, tmp_path: Path) -> None:
    """One object under the id and no other name; the same again is the same job, another file is not; and afterwards
    its digest is enough to be answered.
    """
    small = write_clip(tmp_path / "song.flac", seconds=3, seed=1).read_bytes()
    large = write_clip(tmp_path / "song.wav", seconds=45, seed=2).read_bytes()
    assert len(small) < 5 << 20 < len(large)
    jobs = []
    for number, file in enumerate((small, large)):
        key = {"Idempotency-Key": f"take-{number}"}
        accepted = door.http.post("/v1/separations", **form(file, name="../../etc/\x01passwd\u202e.mp3"), headers=key)
        assert accepted.status_code == 202, accepted.text
        job = accepted.json()
        jobs.append(job)
        stored = f"uploads/{job['id']}"
        assert (job["request"]["source"]["bucket"], job["request"]["source"]["key"]) == (platform.source_bucket, stored)
        response = platform.minio.get_object(platform.source_bucket, stored)
        assert response.data == file
        response.close()
        found = platform.minio.stat_object(platform.source_bucket, stored)
        assert (found.metadata or {})["x-amz-meta-sha256"] == hashlib.sha256(file).hexdigest()
        again = door.http.post("/v1/separations", **form(file, name="another"), headers=key)
        assert (again.status_code, again.json()["id"]) == (200, job["id"])
        other = door.http.post("/v1/separations", **form(file + b"x"), headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "IN_FLIGHT")
    assert shelf.keys() == {f"uploads/{job['id']}" for job in jobs}
    assert len(platform.requests()) == 2
    by_digest = {"source": {"sha256": hashlib.sha256(small).hexdigest()}, **OPTIONS}
    assert door.http.post("/v1/separations", json=by_digest).status_code == 404

    platform.start_replica(DEDUPLICATE_CONTENT="true").wait_ready()
    platform.outcomes(2)
    wait_for(lambda: len(platform.objects("stems/.content/")) == 2)
    wait_for(lambda: all(door.http.get(f"/v1/separations/{job['id']}").json()["done"] for job in jobs))
    at_once = door.http.post("/v1/separations", json=by_digest)
    assert (at_once.status_code, at_once.json()["id"]) == (200, jobs[0]["id"]), at_once.text
    assert at_once.json()["result"]["stems"]
    otherwise = door.http.post(
        "/v1/separations", json={**by_digest, "metadata": {"a": "b"}}, headers={"Prefer": "wait=60"}
    )
    assert otherwise.status_code == 200, otherwise.text
    assert otherwise.json()["id"] != jobs[0]["id"]
    assert otherwise.json()["result"]["deduplicated"] is True
    platform.minio.remove_object(platform.source_bucket, f"uploads/{jobs[0]['id']}")
    again = door.http.post("/v1/separations", **form(small), headers={"Idempotency-Key": "take-0"})
    assert (again.status_code, again.json()["state"]) == (200, "succeeded")
    gone = door.http.post("/v1/separations", json={**by_digest, "model": "4stems"})
    assert (gone.status_code, gone.json()["code"]) == (404, "NOT_FOUND")


def test_what_is_refused_leaves_nothing(platform: Platform, door: Gateway, shelf: Shelf) -> None:
    """Each with its status and a problem document, whatever has come of it before; and nothing of it is in Kafka."""
    before = shelf.under_way()
    audio = b"fLaC" + os.urandom(LIMIT)
    refused: list[tuple[int, Callable[[], tuple[int, dict[str, Any]]]]] = [
        (413, lambda: posted(form(audio))),
        (413, lambda: send(door, opened(), *[audio[:1000]] * 0, Content_Length=str(1 << 40))),
        (413, lambda: send(door, *chunked([opened(), audio, END]), Transfer_Encoding="chunked")),
        (415, lambda: posted(form(b"%PDF-1.7 " + audio[: 9 << 20]))),
        (415, lambda: posted({"content": b"x", "headers": {"Content-Type": "text/plain"}})),
        (422, lambda: posted(form(b""))),
        (422, lambda: posted(form(audio[:100], {"model": "9stems"}))),
        (422, lambda: posted(form(audio[:100], {**OPTIONS, "source": {"bucket": "a", "key": "b"}}))),
        (400, lambda: posted(form(audio[:100], "no json"))),
        (400, lambda: posted({"files": [("file", ("a", audio[:100])), ("request", (None, "{}"))]})),
        (400, lambda: posted({"files": [*form(audio[: 12 << 20])["files"], ("more", ("a", b"x"))]})),
        (413, lambda: posted(form(audio[:100], {**OPTIONS, "metadata": {"a": "x" * (2 << 20)}}))),
        (411, lambda: send(door)),
        (400, lambda: send(door, opened() + audio[: 12 << 20], Content_Length=str(len(opened()) + (12 << 20)))),
        (408, lambda: send(door, opened() + audio[: 12 << 20], Content_Length=str(20 << 20))),
        (400, lambda: posted({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}})),
    ]

    def posted(sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = door.http.post("/v1/separations", **sent)
        return answer.status_code, answer.json()

    for number, (status, ask) in enumerate(refused):
        found, problem = ask()
        assert found == status, (number, problem)
        assert {"type", "title", "status", "detail", "instance", "code"} <= set(problem), problem
    for sent in (0, 1 << 20, 12 << 20, LIMIT - 100):
        send(door, opened() + audio[:sent], close=True, Content_Length=str(LIMIT))
    uploaded = door.process.get("/metrics")
    assert uploaded
    assert series(uploaded.text, "http_upload_bytes_total")["", -1] > LIMIT
    wait_for(lambda: (shelf.keys(), shelf.under_way() - before) == (set(), set()))
    assert platform.requests() == []


def chunked(pieces: list[bytes]) -> list[bytes]:
    """As HTTP sends what has no length."""
    return [*(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


def test_large_files_by_links_and_through_the_gateway(platform: Platform, shelf: Shelf, tmp_path: Path) -> None:
    """Parts to the store where clients reach it, to the gateway elsewhere; then they are a source like any other."""
    file = write_clip(tmp_path / "song.wav", seconds=60, seed=3).read_bytes()
    begun = {"size_bytes": len(file), "sha256": hashlib.sha256(file).hexdigest()}
    platform.start_replica().wait_ready()
    for settings in ({"MINIO_PUBLIC_ENDPOINT": platform.environment["MINIO_ENDPOINT"]}, {}):
        with gateway(platform, **SMALL, **settings) as door, door.client() as nobody:
            assert door.http.post("/v1/uploads", json={"size_bytes": LIMIT + 1}).status_code == 413
            assert door.http.post("/v1/uploads", json={"size_bytes": 0}).status_code == 422
            created = door.http.post("/v1/uploads", json=begun)
            assert created.status_code == 201, created.text
            upload = created.json()
            source = {"source": {"upload_id": upload["upload_id"]}, **OPTIONS}
            complete = f"/v1/uploads/{upload['upload_id']}/complete"
            assert (early := door.http.post("/v1/separations", json=source)).status_code == 409, early.text
            assert door.http.post(complete).status_code == 409
            assert len(upload["parts"]) == 2
            at = 0
            client = nobody if settings else door.http
            for part in upload["parts"]:
                data = file[at : at + part["size_bytes"]]
                at += len(data)
                if not settings:
                    assert client.put(part["url"], content=data + b"x").status_code == 413
                    assert client.put(part["url"], content=data[1:]).status_code == 400
                    assert nobody.put(part["url"], content=data).status_code == 401
                assert client.put(part["url"], content=data).status_code in (200, 204)
            assert at == len(file)
            done = door.http.post(complete)
            assert (done.status_code, done.json()["sha256"]) == (200, begun["sha256"]), done.text
            assert door.http.post(complete).json() == done.json()
            job = door.http.post("/v1/separations", json=source, headers={"Prefer": "wait=60"})
            assert job.json()["state"] == "succeeded", job.text
            assert door.http.delete(f"/v1/uploads/{upload['upload_id']}").status_code == 204
            for answer in (
                door.http.delete(f"/v1/uploads/{upload['upload_id']}"),
                door.http.post(complete),
                door.http.post("/v1/separations", json=source),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert shelf.keys() == set()


def test_a_gateway_that_is_stopped_in_the_middle(platform: Platform, shelf: Shelf) -> None:
    """Its senders are cut, and nothing of their files is left."""
    before = shelf.under_way()
    audio = b"fLaC" + os.urandom(12 << 20)
    with gateway(platform, SHUTDOWN_GRACE_S="1s") as door:
        connection = http.client.HTTPConnection("127.0.0.1", door.process.port, timeout=60)
        headers = {
            "X-API-KEY": KEY,
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(20 << 20),
        }
        connection.request("POST", "/v1/separations", opened() + audio, headers)
        wait_for(lambda: shelf.under_way() - before)
    connection.close()
    assert shelf.keys() == set()
    assert shelf.under_way() - before == set()


def test_the_description_tells_of_files(door: Gateway) -> None:
    """Both parts of the form, and every way of an upload."""
    document = door.http.get("/openapi.json").json()
    content = document["paths"]["/v1/separations"]["post"]["requestBody"]["content"]
    form_schema = document["components"]["schemas"][content["multipart/form-data"]["schema"]["$ref"].split("/")[-1]]
    assert list(form_schema["properties"]) == form_schema["required"] == ["request", "file"]
    methods = {path: set(found) for path, found in document["paths"].items() if path.startswith("/v1/uploads")}
    assert methods == {
        "/v1/uploads": {"post"},
        "/v1/uploads/{id}": {"delete"},
        "/v1/uploads/{id}/parts/{number}": {"put"},
        "/v1/uploads/{id}/complete": {"post"},
    }
