"""Every object store that claims to keep ports.ObjectStore's promises, one a parameter of the fixture `store`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio
from moto.server import ThreadedMotoServer

from consumer.adapters.factories import make_store
from consumer.adapters.s3.minio import MinioStore
from consumer.core.ports import ObjectStore
from consumer.testing.store import MemoryStore
from harness import folder_store

BUCKET = "stems"
COPIED_PART_BYTES = 5 << 20  # as little as S3 allows: the largest is copied in parts


def make_bucket(endpoint: str, access_key: str, secret_key: str) -> None:
    client = Minio(endpoint, access_key, secret_key, secure=False)
    if not client.bucket_exists(BUCKET):
        client.make_bucket(BUCKET)
    client._http.clear()


def close(store: MinioStore) -> None:
    for client in (store._client, store._creator, store._prober):
        client._http.clear()


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, str, str]]:
    """An S3 server in this process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    make_bucket(f"{host}:{port}", "any", "anything")
    yield f"{host}:{port}", "any", "anything"
    server.stop()
    assert server._server
    server._server.server_close()


@pytest.fixture(scope="module")
def real(minio: object) -> tuple[str, str, str]:
    """A MinIO server."""
    found = (minio.endpoint, minio.access_key, minio.secret_key)  # type: ignore[attr-defined]
    make_bucket(*found)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A backend that is none of the service's own: one file in a temporary folder, named by OBJECT_STORE."""
    shutil.copy(folder_store.__file__, tmp_path / "another_store.py")
    (tmp_path / "buckets" / BUCKET).mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OBJECT_STORE", "another_store:make_store")
    monkeypatch.setenv("OBJECT_STORE_FOLDER", str(tmp_path / "buckets"))
    return make_store()


@pytest.fixture(params=["memory", "moto", "minio", "folder"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore(BUCKET)
        return
    if request.param == "folder":
        yield request.getfixturevalue("folder")
        return
    server = request.getfixturevalue("moto" if request.param == "moto" else "real")
    store = MinioStore(*server, secure=False, copied_part_bytes=COPIED_PART_BYTES)
    yield store
    close(store)
