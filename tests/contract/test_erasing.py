"""Listing and taking away for good, on every store that claims to do so."""

import io
import uuid
from collections.abc import Iterator

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.credentials.providers import StaticProvider
from minio.versioningconfig import VersioningConfig

from consumer.adapters.s3.client import StoreAccess
from consumer.adapters.s3.erasing import MinioErasing
from consumer.core.errors import StoreUnavailable
from consumer.core.model import StoredVersion
from consumer.core.ports import ErasableStore, ObjectStore
from consumer.testing.store import MemoryStore
from tests.contract.conftest import BUCKET

KEYS = ["a/b", "a/b2/c", "a/bc", "a/d e+ü%2F", "a/e/f", "a/e/g", "b"]


@pytest.fixture
def prefix() -> str:
    """Of this test alone."""
    return f"{uuid.uuid4().hex}/"


@pytest.fixture(params=["memory", "moto", "minio"])
def shelf(request: pytest.FixtureRequest, prefix: str) -> Iterator[ErasableStore]:
    """A store with these keys below the prefix."""
    if request.param == "memory":
        store = MemoryStore(BUCKET)
        for key in KEYS:
            store.replace(BUCKET, f"{prefix}{key}", b"x", media_type="", metadata={})
        assert isinstance(store, ErasableStore)
        assert isinstance(store, ObjectStore)
        yield store
        return
    endpoint, key, secret = request.getfixturevalue("moto" if request.param == "moto" else "real")
    client = Minio(endpoint, key, secret, secure=False)
    for name in KEYS:
        client.put_object(BUCKET, f"{prefix}{name}", io.BytesIO(b"x"), 1)
    erasing = MinioErasing(endpoint, StoreAccess(credentials=StaticProvider(key, secret)), secure=False)
    yield erasing
    client._http.clear()
    erasing._client._http.clear()


def test_listing(shelf: ErasableStore, prefix: str) -> None:
    """In the order of keys: what lies directly below a prefix, what folders are there, and all."""

    def listed(below: str) -> list[str]:
        return [each.key.removeprefix(prefix) for each in shelf.versions(BUCKET, f"{prefix}{below}")]

    assert listed("a/") == ["a/b", "a/bc", "a/d e+ü%2F"]
    assert listed("a/b") == ["a/b", "a/bc"]
    assert listed("a/b2/") == ["a/b2/c"]
    assert listed("none/") == []
    assert [each.removeprefix(prefix) for each in shelf.folders(BUCKET, f"{prefix}a/")] == ["a/b2/", "a/e/"]
    assert sorted(shelf.keys(BUCKET, f"{prefix}a/")) == sorted(f"{prefix}{key}" for key in KEYS if key != "b")


def test_erasing(shelf: ErasableStore, prefix: str) -> None:
    """Only what was named goes, and again is no error."""
    for _ in range(2):
        shelf.erase(StoredVersion(bucket=BUCKET, key=f"{prefix}a/b"))
    for each in shelf.versions(BUCKET, f"{prefix}a/d"):
        shelf.erase(each)
    gone = {"a/b", "a/d e+ü%2F"}
    assert set(shelf.keys(BUCKET, prefix)) == {f"{prefix}{key}" for key in KEYS if key not in gone}


def test_pages(real: tuple[str, str, str], prefix: str) -> None:
    """What is removed while it is listed holds nothing up, however many pages there are."""
    endpoint, key, secret = real
    erasing = MinioErasing(endpoint, StoreAccess(credentials=StaticProvider(key, secret)), secure=False)
    many = [f"{prefix}many/{number:04}" for number in range(1100)]
    for name in many:
        erasing._client.put_object(BUCKET, name, io.BytesIO(b""), 0)
    found = []
    for each in erasing.versions(BUCKET, f"{prefix}many/"):
        erasing.erase(each)
        found.append(each.key)
    assert found == many
    assert list(erasing.keys(BUCKET, f"{prefix}many/")) == []
    erasing._client._http.clear()


@pytest.mark.parametrize("server", ["moto", "real"])
def test_versions(request: pytest.FixtureRequest, server: str) -> None:
    """Each version of an object, and each mark that it was deleted, until nothing of it is left."""
    endpoint, key, secret = request.getfixturevalue(server)
    client, bucket = Minio(endpoint, key, secret, secure=False), f"versions-{uuid.uuid4().hex[:8]}"
    client.make_bucket(bucket)
    client.put_object(bucket, "k", io.BytesIO(b"0"), 1)  # before it kept versions
    client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    client.put_object(bucket, "k", io.BytesIO(b"1"), 1)
    client.remove_object(bucket, "k")
    client.put_object(bucket, "k2", io.BytesIO(b"2"), 1)
    erasing = MinioErasing(endpoint, StoreAccess(credentials=StaticProvider(key, secret)), secure=False)
    found = [each for each in erasing.versions(bucket, "k") if each.key == "k"]
    assert sorted(each.is_latest for each in found) == [False, False, True]
    assert list(erasing.keys(bucket, "k")) == ["k2"]
    for each in found:
        erasing.erase(each)
    left = [item.object_name for item in client.list_objects(bucket, include_version=True)]
    assert left == ["k2"]
    client._http.clear()


@pytest.mark.parametrize("server", ["moto", "real"])
def test_uploads(request: pytest.FixtureRequest, server: str, prefix: str) -> None:
    """Those that were begun to one key are told, and given up; another's stay."""
    endpoint, key, secret = request.getfixturevalue(server)
    client, name = Minio(endpoint, key, secret, secure=False), f"{prefix}vocals.wav"
    begun = {client._create_multipart_upload(BUCKET, name, {}) for _ in range(2)}
    other = client._create_multipart_upload(BUCKET, f"{prefix}other", {})
    erasing = MinioErasing(endpoint, StoreAccess(credentials=StaticProvider(key, secret)), secure=False)
    found = [each for each in erasing.started_uploads(BUCKET, name) if each.key == name]
    assert {each.upload_id for each in found} == begun
    for each in [*found, *found]:
        erasing.erase(each)
    assert list(erasing.started_uploads(BUCKET, name)) == []
    assert [each.upload_id for each in erasing.started_uploads(BUCKET, f"{prefix}other")] == [other]
    client._http.clear()


def test_a_store_that_is_away() -> None:
    """Is told as that, by whatever is asked first."""
    access = StoreAccess(credentials=StaticProvider("k", "s"))
    erasing = MinioErasing("127.0.0.1:9", access, secure=False)
    for asked in (
        lambda: list(erasing.versions(BUCKET, "a")),
        lambda: list(erasing.folders(BUCKET, "a")),
        lambda: list(erasing.keys(BUCKET, "a")),
        lambda: list(erasing.started_uploads(BUCKET, "a")),
        lambda: erasing.erase(StoredVersion(bucket=BUCKET, key="a")),
    ):
        with pytest.raises(StoreUnavailable):
            asked()
