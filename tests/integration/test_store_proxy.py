"""The proxy that stands in front of MinIO (deploy/nginx/minio.conf): real nginx, real MinIO, and forged writes."""

import base64
import hashlib
import io
import os
import shutil
import tarfile
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import httpx2
import pytest
import yaml
from minio import Minio
from minio.datatypes import PostPolicy
from minio.error import S3Error

from consumer.adapters.s3.minio import MinioStore
from consumer.core.cancellation import Cancellation
from devstack import system
from devstack.nginx import nginx
from devstack.service import Service, free_port
from tests.conftest import MinioServer

SHIPPED = Path(__file__).parents[2] / "deploy/nginx/minio.conf"
COMPOSED = Path(__file__).parents[2] / "deploy/compose/proxied.yml"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
NO_SIGNATURE = "0" * 64
PAYLOAD = b"written by nobody"


@pytest.fixture(scope="module")
def proxy(minio: MinioServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address; the shipped file, with the addresses of this test."""
    port, shipped = free_port(), SHIPPED.read_text()
    for told, own in (("listen 9443;", f"listen 127.0.0.1:{port};"), ("127.0.0.1:9000", minio.endpoint)):
        assert shipped.count(told) == 1
        shipped = shipped.replace(told, own)
    running = nginx(tmp_path_factory.mktemp("nginx"), port, shipped).start()
    yield f"127.0.0.1:{port}"
    running.stop()


def test_it_runs_as_compose_starts_it(minio: MinioServer, tmp_path: Path) -> None:
    """By its own lines, with its own nginx.conf; as that of Compose does, it writes to one folder alone."""
    service = yaml.safe_load(COMPOSED.read_text().replace("!reset", ""))["services"]["proxy"]
    port = free_port()
    shutil.copy(SHIPPED, tmp_path / "minio.conf.shipped")
    (tmp_path / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}"
        + COMPOSED.with_name("nginx.conf").read_text().replace("/tmp/", f"{tmp_path}/")
    )
    [lines] = service["command"]
    places = {
        "/setup/minio.conf": f"{tmp_path}/minio.conf.shipped", "/setup/nginx.conf": f"{tmp_path}/nginx.conf",
        "/tmp/minio.conf": f"{tmp_path}/minio.conf", "minio-itself:9000": minio.endpoint,
        "listen 9000": f"listen {port}",
    }  # fmt: skip
    for told, own in places.items():
        assert told in lines
        lines = lines.replace(told, own)
    system.provide({"nginx": "nginx-light"})

    def is_ready() -> bool:
        with suppress(httpx2.HTTPError):
            return httpx2.get(f"http://127.0.0.1:{port}/minio/health/ready").is_success
        return False

    running = Service(
        name="nginx of Compose", command=[*service["entrypoint"], lines], folder=tmp_path / "logs", is_ready=is_ready
    ).start()
    try:
        forger = Forger(minio.access_key)
        assert forger.write(f"127.0.0.1:{port}", "any-bucket", "query", "x-amz-content-sha256").status_code == 403
        client = Minio(f"127.0.0.1:{port}", minio.access_key, minio.secret_key, secure=False)
        assert not client.bucket_exists("no-such-bucket")
    finally:
        running.stop()


@pytest.fixture
def bucket(minio: MinioServer) -> str:
    name = f"proxied-{uuid.uuid4().hex[:8]}"
    Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False).make_bucket(name)
    return name


def keys_of(minio: MinioServer, bucket: str) -> list[str]:
    client = Minio(minio.endpoint, minio.access_key, minio.secret_key, secure=False)
    return [found.object_name or "" for found in client.list_objects(bucket, recursive=True)]


def chunked(data: bytes) -> bytes:
    """As AWS's chunked encoding with an unsigned trailer has it."""
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
    return b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(data), data, crc)


def a_tar() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("unpacked.txt")
        entry.size = len(PAYLOAD)
        archive.addfile(entry, io.BytesIO(PAYLOAD))
    return packed.getvalue()


class Forger:
    """Knows an access key's name, and no secret."""

    def __init__(self, access_key: str) -> None:
        now = datetime.now(UTC)
        self._at = now.strftime("%Y%m%dT%H%M%SZ")
        self._credential = f"{access_key}/{now:%Y%m%d}/us-east-1/s3/aws4_request"

    def query(self) -> dict[str, str]:
        return {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": self._credential, "X-Amz-Date": self._at,
            "X-Amz-Expires": "600", "X-Amz-SignedHeaders": "host", "X-Amz-Signature": NO_SIGNATURE,
        }  # fmt: skip

    def header(self) -> str:
        signed = "host;x-amz-content-sha256;x-amz-date"
        return f"AWS4-HMAC-SHA256 Credential={self._credential}, SignedHeaders={signed}, Signature={NO_SIGNATURE}"

    def write(self, endpoint: str, bucket: str, kind: str, sha256_header: str) -> httpx2.Response:
        """One of these kinds: query, snowball-query, snowball-header."""
        headers: dict[str, str] = {
            sha256_header: TRAILER,
            "x-amz-date": self._at,
            "x-amz-trailer": "x-amz-checksum-crc32",
        }
        body, query = a_tar(), self.query()
        if kind == "query":
            body = chunked(PAYLOAD)
            headers |= {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(PAYLOAD))}
        else:
            headers |= {"x-amz-meta-snowball-auto-extract": "true", "x-amz-decoded-content-length": str(len(body))}
        if kind == "snowball-header":
            query, headers = {}, {**headers, "authorization": self.header()}
        return httpx2.put(f"http://{endpoint}/{bucket}/forged", params=query, headers=headers, content=body, timeout=20)


@pytest.mark.attack
@pytest.mark.parametrize("sha256_header", ["x-amz-content-sha256", "X-AMZ-Content-SHA256"])
@pytest.mark.parametrize("kind", ["query", "snowball-query", "snowball-header"])
def test_a_forged_write_does_not_reach_the_store(
    minio: MinioServer, proxy: str, bucket: str, kind: str, sha256_header: str
) -> None:
    """By an access key's name and a signature of zeros; MinIO itself stores it, which is what the wall is for."""
    forger = Forger(minio.access_key)
    assert forger.write(proxy, bucket, kind, sha256_header).status_code == 403
    assert keys_of(minio, bucket) == []
    assert forger.write(minio.endpoint, bucket, kind, sha256_header).status_code == 200
    assert keys_of(minio, bucket) == ["forged" if kind == "query" else "unpacked.txt"]


@pytest.mark.attack
@pytest.mark.parametrize(
    "headers",
    [
        [("x-amz-content-sha256", TRAILER.lower())],
        [("x-amz-content-sha256", f"  {TRAILER}\t")],
        [("x-amz-content-sha256", TRAILER), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")],
        [("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("x-amz-content-sha256", TRAILER)],
        [("x_amz_content_sha256", TRAILER), ("x-amz-content-sha256", TRAILER)],
        [("x-amz-meta-snowball-auto-extract", "True"), ("x-amz-content-sha256", TRAILER)],
    ],
    ids=["lower case", "blanks", "first of two", "second of two", "underscores", "snowball"],
)
@pytest.mark.parametrize("query", ["", "?partNumber=1&uploadId=x"])
def test_no_other_way_to_write_it_passes(
    minio: MinioServer, proxy: str, bucket: str, headers: list[tuple[str, str]], query: str
) -> None:
    """Whoever refuses it, nothing is stored."""
    forger = Forger(minio.access_key)
    told = [
        *headers, ("x-amz-decoded-content-length", str(len(PAYLOAD))), ("content-encoding", "aws-chunked"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ]  # fmt: skip
    url = httpx2.URL(f"http://{proxy}/{bucket}/forged{query}").copy_merge_params(forger.query())
    with closing(HTTPConnection(proxy, timeout=20)) as connection:  # which sends headers as they are
        connection.putrequest("PUT", url.raw_path.decode())
        for name, value in (*told, ("content-length", str(len(chunked(PAYLOAD))))):
            connection.putheader(name, value)
        connection.endheaders(chunked(PAYLOAD))
        assert connection.getresponse().status in (400, 403)
    assert keys_of(minio, bucket) == []


def test_what_clients_sign_passes_as_it_is(minio: MinioServer, proxy: str, bucket: str, tmp_path: Path) -> None:
    """Our own adapter: conditions, parts, copies, ranges, metadata, keys of all letters; objects larger than a part."""
    store = MinioStore(proxy, minio.access_key, minio.secret_key, secure=False, copied_part_bytes=5 << 20)
    store.check(bucket)
    store.probe_create_only(bucket, "stems/")
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (40 << 12))
    for key in ("plain", "a b+c&d=ü/(é)!*'.wav", "per%2Fcent"):
        metadata = {"stem": '{"name":"vocals"}', "under_score": "1"}
        made = store.create(bucket, key, large, media_type="audio/wav", metadata=metadata)
        assert made
        assert store.create(bucket, key, b"another", media_type="audio/wav", metadata={}) is None
        facts = store.stat(bucket, key)
        assert facts
        assert (facts.etag, dict(facts.metadata)) == (made.etag, metadata)
        assert store.copy(facts, bucket, f"{key}.copy", media_type="audio/wav", metadata={})
        sha256 = hashlib.sha256(large.read_bytes()).hexdigest()
        for each in (facts, store.stat(bucket, f"{key}.copy")):
            assert each
            assert store.fetch(each, tmp_path / "fetched", Cancellation()) == sha256
        assert b"".join(store.read_range(facts, 100, 50)) == large.read_bytes()[100:150]


def test_links_and_forms_that_were_signed_pass(minio: MinioServer, proxy: str, bucket: str) -> None:
    """As clients use them who have no key: the host that they sign is the proxy's."""
    client = Minio(proxy, minio.access_key, minio.secret_key, secure=False, region="us-east-1")
    put = client.presigned_put_object(bucket, "put", expires=timedelta(minutes=1))
    assert httpx2.put(put, content=b"by a link").status_code == 200
    get = client.presigned_get_object(bucket, "put", expires=timedelta(minutes=1))
    part = httpx2.get(get, headers={"Range": "bytes=3-"})
    assert (part.status_code, part.content) == (206, b"a link")
    assert httpx2.get(get.replace("X-Amz-Signature=", "X-Amz-Signature=0")).status_code == 403
    policy = PostPolicy(bucket, datetime.now(UTC) + timedelta(minutes=1))
    policy.add_equals_condition("key", "form")
    policy.add_content_length_range_condition(1, 100)
    fields: Mapping[str, str] = {"key": "form", **client.presigned_post_policy(policy)}
    sent = httpx2.post(f"http://{proxy}/{bucket}", data=fields, files={"file": b"by a form"})
    assert sent.status_code == 204, sent.text
    assert client.get_object(bucket, "form").read() == b"by a form"
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        Minio(proxy, "nobody", "nobody-nobody", secure=False, region="us-east-1").put_object(
            bucket, "none", io.BytesIO(b"x"), 1
        )
