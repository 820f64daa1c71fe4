"""The access keys that the Compose file makes for consumers and gateway are enough for them, and for nothing else."""

import io
import json
import os
import runpy
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from minio import Minio
from minio.credentials.providers import StaticProvider
from minio.error import S3Error

from consumer.adapters.s3.client import StoreAccess
from consumer.adapters.s3.erasing import MinioErasing
from consumer.adapters.s3.links import make_minio_links
from consumer.adapters.s3.minio import MinioStore
from consumer.core.cancellation import Cancellation
from consumer.pipeline.forgetting import Remains
from consumer.pipeline.forgotten import Tombstones
from harness.fakes import NOON
from tests.conftest import MinioServer

SCRIPT = Path(__file__).parents[2] / "deploy/compose/buckets.py"
KEY, SECRET = f"consumer-{uuid.uuid4().hex[:8]}", "consumer-secret"
GATEWAY_KEY, GATEWAY_SECRET = f"gateway-{uuid.uuid4().hex[:8]}", "gateway-secret"
LINKS_KEY, LINKS_SECRET = f"links-{uuid.uuid4().hex[:8]}", "links-secret"
SOURCE, FURTHER, OUTPUT, MODELS, FOREIGN = (
    f"{name}-{uuid.uuid4().hex[:8]}" for name in ("music", "archive", "stems", "models", "foreign")
)


def set_up(minio: MinioServer) -> str:
    environment = {
        "MINIO_ENDPOINT": minio.endpoint, "MINIO_SECURE": "false", "MINIO_ROOT_USER": minio.access_key,
        "MINIO_ROOT_PASSWORD": minio.secret_key, "MINIO_ACCESS_KEY": KEY, "MINIO_SECRET_KEY": SECRET,
        "GATEWAY_ACCESS_KEY": GATEWAY_KEY, "GATEWAY_SECRET_KEY": GATEWAY_SECRET,
        "LINKS_ACCESS_KEY": LINKS_KEY, "LINKS_SECRET_KEY": LINKS_SECRET,
        "ALLOWED_SOURCE_BUCKETS": f"{SOURCE},{FURTHER}", "OUTPUT_BUCKET": OUTPUT, "MODEL_SOURCES": f"s3://{MODELS}/spleeter",
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def admin(minio: MinioServer) -> Iterator[Minio]:
    """The root user; everything is set up, twice, and each bucket holds `song`."""
    assert set_up(minio) == set_up(minio)
    client = Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False)
    client.make_bucket(FOREIGN)
    for bucket in (SOURCE, FURTHER, OUTPUT, MODELS, FOREIGN):
        client.put_object(bucket, "song", io.BytesIO(b"la la"), 5)
    yield client
    client._http.clear()


def store_of(minio: MinioServer, key: str, secret: str) -> Iterator[MinioStore]:
    store = MinioStore(minio.endpoint, key, secret, secure=False)
    yield store
    for client in (store._client, store._creator, store._prober):
        client._http.clear()


@pytest.fixture
def store(minio: MinioServer, admin: Minio) -> Iterator[MinioStore]:
    """The consumers'."""
    yield from store_of(minio, KEY, SECRET)


@pytest.fixture
def gateway_store(minio: MinioServer, admin: Minio) -> Iterator[MinioStore]:
    yield from store_of(minio, GATEWAY_KEY, GATEWAY_SECRET)


def test_key_is_enough(store: MinioStore, tmp_path: Path) -> None:
    """Sources and models are read; stems are looked for, made, in parts too, copied, read and replaced."""
    store.check(OUTPUT)
    for bucket in (SOURCE, MODELS):
        facts = store.stat(bucket, "song")
        assert facts
        store.fetch(facts, tmp_path / bucket, Cancellation())
        assert (tmp_path / bucket).read_bytes() == b"la la"
        assert store.stat(bucket, "missing") is None
    (tmp_path / "large").write_bytes(bytes((16 << 20) + 1))
    for name in ("small", "large"):
        content = tmp_path / "large" if name == "large" else b"{}"
        made = store.create(OUTPUT, f"stems/{name}", content, media_type="audio/wav", metadata={})
        assert made
        assert store.copy(made, OUTPUT, f"copied/{name}", media_type="audio/wav", metadata={})
    assert store.read(OUTPUT, "stems/small") == b"{}"
    assert store.read(OUTPUT, "stems/missing") is None
    assert store.replace(OUTPUT, "stems/small", b"[]", media_type="text/plain", metadata={})


@pytest.mark.usefixtures("admin")
def test_key_is_for_nothing_else(minio: MinioServer) -> None:
    """It writes no sources and no models, reads nothing foreign, and makes no buckets."""
    client = Minio(minio.endpoint, KEY, SECRET, secure=False, region="us-east-1")
    tries = (
        lambda: client.put_object(SOURCE, "mine", io.BytesIO(b"x"), 1),
        lambda: client.remove_object(SOURCE, "song"),
        lambda: client.remove_object(OUTPUT, "song"),
        lambda: client.put_object(MODELS, "mine", io.BytesIO(b"x"), 1),
        lambda: client.stat_object(FOREIGN, "song"),
        lambda: client.put_object(FOREIGN, "mine", io.BytesIO(b"x"), 1),
        lambda: client.make_bucket("another"),
        lambda: client.remove_bucket(OUTPUT),
    )
    for forbidden in tries:
        with pytest.raises(S3Error, match=r"AccessDenied"):
            forbidden()
    client._http.clear()


def test_gateway_s_key_is_enough(gateway_store: MinioStore, tmp_path: Path) -> None:
    """Sources and stems are looked for and read; what is uploaded is put beside the sources, in parts too."""
    gateway_store.check(OUTPUT)
    for bucket in (SOURCE, FURTHER, OUTPUT):
        assert gateway_store.stat(bucket, "song")
        assert gateway_store.read(bucket, "song") == b"la la"
        assert gateway_store.stat(bucket, "missing") is None
    (tmp_path / "large").write_bytes(bytes((16 << 20) + 1))
    contents: dict[str, bytes | Path] = {"small": b"la", "large": tmp_path / "large"}
    for name, content in contents.items():
        assert gateway_store.create(SOURCE, f"uploads/{name}", content, media_type="audio/wav", metadata={})


@pytest.mark.usefixtures("admin")
def test_gateway_s_key_is_enough_for_parts(minio: MinioServer) -> None:
    """An upload is begun, its parts are put and listed, and it is completed or given up."""
    client = Minio(minio.endpoint, GATEWAY_KEY, GATEWAY_SECRET, secure=False, region="us-east-1")
    for name in ("whole", "given-up"):
        place = (SOURCE, f"uploads/{name}")
        upload = client._create_multipart_upload(*place, {})
        client._upload_part(*place, b"la la", None, upload, 1)
        listed = client._list_parts(*place, upload).parts
        assert [part.part_number for part in listed] == [1]
        if name == "whole":
            client._complete_multipart_upload(*place, upload, listed)
        else:
            client._abort_multipart_upload(*place, upload)
    assert client.stat_object(SOURCE, "uploads/whole").size == len(b"la la")
    client.remove_object(SOURCE, "uploads/whole")
    client._http.clear()


@pytest.mark.parametrize("key", [(KEY, SECRET), (GATEWAY_KEY, GATEWAY_SECRET)], ids=["consumer", "gateway"])
def test_keys_are_enough_to_forget(minio: MinioServer, admin: Minio, key: tuple[str, str]) -> None:
    """Whatever version of stems there is, and parts of them; the gateway's, also what was uploaded."""
    erasing = MinioErasing(minio.endpoint, StoreAccess(credentials=StaticProvider(*key)), secure=False)
    places = [(OUTPUT, "stems/r1/vocals.wav")] + [(SOURCE, "uploads/r1")] * (key[0] == GATEWAY_KEY)
    for bucket, name in places:
        admin.put_object(bucket, name, io.BytesIO(b"la"), 2)
        upload = admin._create_multipart_upload(bucket, name, {})
        admin._upload_part(bucket, name, b"la la", None, upload, 1)
        found: list[Remains] = [*erasing.versions(bucket, name), *erasing.started_uploads(bucket, name)]
        assert len(found) == 2
        for each in found:
            erasing.erase(each)
        assert [*erasing.versions(bucket, name), *erasing.started_uploads(bucket, name)] == []
        assert list(admin.list_objects(bucket, name)) == []
    with contextmanager(store_of)(minio, *key) as store:
        tombstones = Tombstones(store=store, bucket=OUTPUT, prefix="stems/")
        assert not tombstones.stands("t", "r1")
        assert tombstones.put("t", key[0], NOON)
        assert tombstones.stands("t", key[0])


@pytest.mark.usefixtures("admin")
def test_gateway_s_key_is_for_nothing_else(minio: MinioServer) -> None:
    """It writes no stems, removes nothing beside them, and of sources writes uploads alone; models and what is foreign
    it does not see.
    """
    client = Minio(minio.endpoint, GATEWAY_KEY, GATEWAY_SECRET, secure=False, region="us-east-1")
    tries = (
        lambda: client.put_object(OUTPUT, "mine", io.BytesIO(b"x"), 1),
        lambda: client.remove_object(OUTPUT, "song"),
        lambda: client.put_object(SOURCE, "mine", io.BytesIO(b"x"), 1),
        lambda: client.remove_object(SOURCE, "song"),
        lambda: client.put_object(FURTHER, "mine", io.BytesIO(b"x"), 1),
        lambda: client.stat_object(MODELS, "song"),
        lambda: client.stat_object(FOREIGN, "song"),
        lambda: client.make_bucket("another"),
    )
    for forbidden in tries:
        with pytest.raises(S3Error, match=r"AccessDenied"):
            forbidden()
    client._http.clear()


@pytest.mark.attack
def test_a_link_reads_a_stem_and_its_key_nothing_else(
    minio: MinioServer, admin: Minio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the gateway signs them by MINIO_LINKS_*: whoever got hold of that key reads stems, and that is all."""
    settings = {
        "MINIO_ENDPOINT": minio.endpoint, "MINIO_PUBLIC_ENDPOINT": minio.endpoint, "MINIO_SECURE": "false",
        "MINIO_ACCESS_KEY": GATEWAY_KEY, "MINIO_SECRET_KEY": GATEWAY_SECRET,
        "MINIO_LINKS_ACCESS_KEY": LINKS_KEY, "MINIO_LINKS_SECRET_KEY": LINKS_SECRET,
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    admin.put_object(OUTPUT, "stems/r1/vocals.wav", io.BytesIO(b"la la"), 5)
    admin.put_object(OUTPUT, "forgotten/stems/none/r1.json", io.BytesIO(b"{}"), 2)
    links = make_minio_links()

    def read(bucket: str, key: str) -> int:
        link = links.object_url(bucket, key, expires_s=60, headers={})
        assert link
        assert LINKS_KEY in link
        assert GATEWAY_KEY not in link
        return httpx2.get(link).status_code

    assert read(OUTPUT, "stems/r1/vocals.wav") == 200
    for bucket, key in (
        (OUTPUT, "song"),
        (OUTPUT, "forgotten/stems/none/r1.json"),
        (SOURCE, "song"),
        (FOREIGN, "song"),
    ):
        assert read(bucket, key) == 403
    client = Minio(minio.endpoint, LINKS_KEY, LINKS_SECRET, secure=False)
    tries = (
        lambda: client.put_object(OUTPUT, "stems/r1/vocals.wav", io.BytesIO(b"x"), 1),
        lambda: client.remove_object(OUTPUT, "stems/r1/vocals.wav"),
        lambda: list(client.list_objects(OUTPUT)),
        lambda: client.get_object(SOURCE, "song"),
    )
    for forbidden in tries:
        with pytest.raises(S3Error, match=r"AccessDenied"):
            forbidden()
    client._http.clear()


@pytest.mark.parametrize("who", ["consumer", "gateway"])
def test_policies_as_files_are_those_of_the_script(who: str) -> None:
    """For buckets `music` and `stems`; none asks for a bucket's location, and what is removed is stems and uploads."""
    script = runpy.run_path(str(SCRIPT))
    made = script["policy" if who == "consumer" else "gateway_policy"](["music"], "stems")
    text = (SCRIPT.parents[1] / f"store/{who}.json").read_text()
    assert json.loads(text) == made
    assert "GetBucketLocation" not in text
    removing = [each for each in made["Statement"] if "s3:DeleteObject" in each["Action"]]
    wanted = {"arn:aws:s3:::stems/stems/*"} | ({"arn:aws:s3:::music/uploads/*"} if who == "gateway" else set())
    assert {place for each in removing for place in each["Resource"]} == wanted
