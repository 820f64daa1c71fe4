"""What ports.ObjectStore promises, asked of each store that claims to keep it."""

import gzip
import hashlib
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minio import Minio

from consumer.adapters.s3.minio import MinioStore
from consumer.app.checks import check_bucket
from consumer.core.cancellation import Cancellation
from consumer.core.errors import BucketUnusable, Cancelled, Code, Rejected, StoreMisconfigured, StoreUnavailable
from consumer.core.limits import MOST_DOCUMENT_BYTES
from consumer.core.model import ObjectFacts
from consumer.core.ports import BoundedReads, ExchangingStore, ObjectStore
from tests.contract.conftest import BUCKET, close

KEYS = ("plain", "a/b/größe und mehr (1)+&=%20.wav", "a/b/.hidden")
# The first in one request, the second in parts.
SIZES = (0, 5_000, (16 << 20) + 1)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """A key of this test's own."""
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]


def put(store: ObjectStore, key: str, content: Path | bytes = b"first", **metadata: str) -> ObjectFacts:
    return store.replace(BUCKET, key, content, media_type="audio/wav", metadata=metadata)


def create(store: ObjectStore, key: str, content: Path | bytes, **metadata: str) -> ObjectFacts | None:
    return store.create(BUCKET, key, content, media_type="audio/wav", metadata=metadata)


def rejection(store: ObjectStore, facts: ObjectFacts, path: Path) -> Code:
    with pytest.raises(Rejected) as caught:
        store.fetch(facts, path, Cancellation())
    return caught.value.code


def test_where_there_is_nothing_nothing_is_found(store: ObjectStore, key: str) -> None:
    """An object or a bucket that is not there is None, not an error."""
    for bucket in (BUCKET, "no-such-bucket"):
        assert store.stat(bucket, key) is None
        assert store.read(bucket, key) is None


@pytest.mark.parametrize("size", SIZES)
def test_what_was_stored_comes_back(store: ObjectStore, key: str, tmp_path: Path, size: int) -> None:
    """A file and its digest survive the way there and back, whatever its size."""
    path, back = tmp_path / "there", tmp_path / "back"
    path.write_bytes(bytes(range(251)) * (size // 251 + 1))
    with path.open("r+b") as file:
        file.truncate(size)
    stored = put(store, key, path)
    found = store.stat(BUCKET, key)
    assert found
    assert (found.bucket, found.key, found.etag, found.size_bytes) == (BUCKET, key, stored.etag, size)
    assert '"' not in found.etag
    assert store.fetch(found, back, Cancellation()) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert back.read_bytes() == path.read_bytes() == store.read(BUCKET, key)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "aws-chunked", "x-unknown"])
@pytest.mark.parametrize("store", ["minio"], indirect=True)
def test_bytes_come_as_they_were_stored(
    store: ObjectStore, real: tuple[str, str, str], key: str, tmp_path: Path, encoding: str
) -> None:
    """What an object's Content-Encoding says of its bytes changes none of them, and neither their number."""
    content = gzip.compress(b"song" * 100_000)
    client = Minio(real[0], *real[1:], secure=False)
    client.put_object(BUCKET, key, io.BytesIO(content), len(content), metadata={"Content-Encoding": encoding})
    facts = store.stat(BUCKET, key)
    assert facts
    assert facts.size_bytes == len(content)
    assert store.fetch(facts, tmp_path / "x", Cancellation()) == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "x").read_bytes() == content == store.read(BUCKET, key)
    client._http.clear()


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_taken_as_they_are(store: ObjectStore, key: str, name: str) -> None:
    """A key may hold spaces, signs and letters of any language."""
    put(store, f"{key}/{name}", b"x")
    facts = store.stat(BUCKET, f"{key}/{name}")
    assert facts
    assert facts.key == f"{key}/{name}"
    assert store.read(BUCKET, f"{key}/{name}") == b"x"


def test_metadata_comes_back_with_names_in_lower_case(store: ObjectStore, key: str) -> None:
    """User metadata is the object's: words of 1.5 KB come back, and are replaced together with it."""
    stem = '{"name":"vocals","sha256":"' + "a" * 1500 + '"}'
    put(store, key, b"x", attempt="1", Stem=stem)
    facts = store.stat(BUCKET, key)
    assert facts
    assert dict(facts.metadata) == {"attempt": "1", "stem": stem}
    put(store, key, b"y")
    again = store.stat(BUCKET, key)
    assert again
    assert dict(again.metadata) == {}


def test_creating_does_not_overwrite(store: ObjectStore, key: str) -> None:
    """`create` stores where there is nothing; where there is something it returns None and changes nothing."""
    created = create(store, key, b"first", who="a")
    assert created
    assert create(store, key, b"second", who="b") is None
    found = store.stat(BUCKET, key)
    assert found
    assert (found.etag, dict(found.metadata)) == (created.etag, {"who": "a"})
    assert store.read(BUCKET, key) == b"first"


def test_creating_a_large_object_does_not_overwrite_either(store: ObjectStore, key: str, tmp_path: Path) -> None:
    """What goes up in parts is subject to the same condition."""
    large = tmp_path / "large"
    large.write_bytes(b"x" * SIZES[-1])
    assert create(store, key, large)
    assert create(store, key, large) is None
    put(store, key, b"small")
    assert create(store, key, large) is None
    assert store.read(BUCKET, key) == b"small"


def test_replacing_overwrites(store: ObjectStore, key: str) -> None:
    """`replace` stores whether or not there is something, and other bytes have another etag."""
    first, second = put(store, key, b"first"), put(store, key, b"second")
    assert first.etag != second.etag
    assert store.read(BUCKET, key) == b"second"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("store", ["memory", "minio"], indirect=True)
def test_exchanging_is_pinned_to_an_etag(store: ObjectStore, key: str, size: int) -> None:
    """What was looked at is replaced; what has taken its place since, or nothing, is left as it is."""
    assert isinstance(store, ExchangingStore)
    seen, content = put(store, key), b"n" * size
    made = store.exchange(seen, content, media_type="audio/wav", metadata={"by": "us"})
    assert made is not None
    assert store.stat(BUCKET, key) == made
    assert made.metadata == {"by": "us"}
    assert store.exchange(seen, b"x" * size, media_type="audio/wav", metadata={}) is None
    assert store.read(BUCKET, key) == content
    gone = ObjectFacts(bucket=BUCKET, key=f"{key}-gone", etag=seen.etag, size_bytes=5)
    assert store.exchange(gone, b"x" * size, media_type="audio/wav", metadata={}) is None
    assert store.stat(BUCKET, gone.key) is None


@pytest.mark.parametrize("store", ["memory", "minio"], indirect=True)
def test_of_many_who_exchange_one_wins(store: ObjectStore, key: str) -> None:
    """All have looked at the same object."""
    assert isinstance(store, ExchangingStore)
    seen, together = put(store, key), threading.Barrier(8)

    def exchange(number: int) -> int | None:
        together.wait(60)
        made = store.exchange(seen, f"{number}".encode(), media_type="audio/wav", metadata={})
        return None if made is None else number

    with ThreadPoolExecutor(8) as pool:
        [winner] = [number for number in pool.map(exchange, range(8)) if number is not None]
    assert store.read(BUCKET, key) == f"{winner}".encode()


@pytest.mark.parametrize("store", ["memory", "minio", "folder"], indirect=True)
def test_of_many_creators_one_wins(store: ObjectStore, key: str) -> None:
    """However many create an object at once, exactly one does, and its bytes stand."""
    together = threading.Barrier(8, timeout=60)

    def attempt(number: int) -> bool:
        together.wait(30)
        return create(store, key, b"%d" % number) is not None

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert won.count(True) == 1
    assert store.read(BUCKET, key) == b"%d" % won.index(True)


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_is_the_same_under_its_own_name(store: ObjectStore, key: str, size: int) -> None:
    """`copy` brings content along, and gives it the type and metadata that it is given; the source stays as it was."""
    source = put(store, f"{key}-{size}", b"s" * size, of="source")
    copied = store.copy(source, BUCKET, f"{key}-{size}-copy", media_type="audio/flac", metadata={"of": "copy"})
    found = store.stat(BUCKET, f"{key}-{size}-copy")
    assert copied
    assert found
    assert (found.etag, found.size_bytes, dict(found.metadata)) == (copied.etag, size, {"of": "copy"})
    assert store.read(BUCKET, f"{key}-{size}-copy") == b"s" * size
    assert store.stat(BUCKET, f"{key}-{size}") == store.stat(BUCKET, source.key)


def test_a_copy_in_several_parts_is_whole(store: ObjectStore, key: str) -> None:
    """An object that is copied part by part comes out in order."""
    content = b"".join(bytes([number]) * (1 << 20) for number in range(13)) + b"end"
    assert store.copy(put(store, key, content), BUCKET, f"{key}-copy", media_type="audio/wav", metadata={})
    assert store.read(BUCKET, f"{key}-copy") == content


def test_copying_does_not_overwrite(store: ObjectStore, key: str) -> None:
    """Where there is something `copy` returns None and changes nothing."""
    source, standing = put(store, key, b"source"), put(store, f"{key}-copy", b"standing")
    assert store.copy(source, BUCKET, f"{key}-copy", media_type="audio/wav", metadata={}) is None
    assert store.read(BUCKET, f"{key}-copy") == b"standing"
    found = store.stat(BUCKET, f"{key}-copy")
    assert found
    assert found.etag == standing.etag


@pytest.mark.parametrize("store", ["memory", "minio", "folder"], indirect=True)
def test_copying_is_pinned_to_an_etag(store: ObjectStore, key: str) -> None:
    """A source that was replaced is OBJECT_CHANGED, one that was removed OBJECT_NOT_FOUND, and nothing is stored."""
    before = put(store, key, b"first")
    put(store, key, b"other")
    gone = ObjectFacts(bucket=BUCKET, key=f"{key}-gone", etag=before.etag, size_bytes=5)
    for source, code in ((before, Code.OBJECT_CHANGED), (gone, Code.OBJECT_NOT_FOUND)):
        with pytest.raises(Rejected) as caught:
            store.copy(source, BUCKET, f"{key}-copy", media_type="audio/wav", metadata={})
        assert caught.value.code == code
    assert store.stat(BUCKET, f"{key}-copy") is None
    with pytest.raises(StoreUnavailable, match="no-such-bucket"):
        store.copy(put(store, key), "no-such-bucket", key, media_type="audio/wav", metadata={})


def test_fetching_is_pinned_to_an_etag(store: ObjectStore, key: str, tmp_path: Path) -> None:
    """An object that was replaced after it was looked at is OBJECT_CHANGED; one that was removed, OBJECT_NOT_FOUND."""
    before = put(store, key, b"first")
    put(store, key, b"second")
    assert rejection(store, before, tmp_path / "a") == Code.OBJECT_CHANGED
    gone = ObjectFacts(bucket=BUCKET, key=f"{key}-gone", etag=before.etag, size_bytes=5)
    assert rejection(store, gone, tmp_path / "b") == Code.OBJECT_NOT_FOUND


@pytest.mark.parametrize("store", ["memory", "minio", "folder"], indirect=True)
def test_a_version_that_is_not_there_is_not_found(store: ObjectStore, key: str) -> None:
    """Asking for a version that the object does not have finds nothing."""
    put(store, key, b"first")
    assert store.stat(BUCKET, key, version_id="3fdf1a8e-6a46-4d8c-9f0b-0d7d0b6e8a55") is None


@pytest.mark.parametrize("store", ["moto", "minio"], indirect=True)
def test_a_version_that_can_not_be_is_the_messages_fault(store: ObjectStore, key: str) -> None:
    """A version id that the store does not understand is REQUEST_INVALID."""
    put(store, key, b"first")
    with pytest.raises(Rejected) as caught:
        store.stat(BUCKET, key, version_id="v1")
    assert caught.value.code == Code.REQUEST_INVALID


def test_a_cancelled_fetch_ends(store: ObjectStore, key: str, tmp_path: Path) -> None:
    """A fetch whose job is cancelled raises Cancelled."""
    facts, cancel = put(store, key, b"x" * 100), Cancellation()
    cancel.cancel("test")
    with pytest.raises(Cancelled):
        store.fetch(facts, tmp_path / "x", cancel)


def test_a_bucket_can_be_checked(store: ObjectStore, key: str) -> None:
    """`check` is silent where the bucket is there, and names it where it is not; writing there fails too.

    Whoever knows which setting named the bucket puts that before the reason.
    """
    store.check(BUCKET)
    with pytest.raises(BucketUnusable, match=r"no-such-bucket"):
        store.check("no-such-bucket")
    with pytest.raises(StoreMisconfigured, match=r"OUTPUT_BUCKET: .*no-such-bucket"):
        check_bucket(store, "no-such-bucket", setting="OUTPUT_BUCKET")
    with pytest.raises(StoreUnavailable, match="no-such-bucket"):
        store.create("no-such-bucket", key, b"x", media_type="", metadata={})


def test_a_store_that_is_away_is_unavailable(key: str, tmp_path: Path) -> None:
    """Where nobody answers, every method says so, and nothing else."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = MinioStore(f"127.0.0.1:{nobody.getsockname()[1]}", "a", "secretsecret", secure=False)
        facts = ObjectFacts(bucket=BUCKET, key=key, etag="e", size_bytes=1)
        for call in (
            lambda: store.stat(BUCKET, key),
            lambda: store.read(BUCKET, key),
            lambda: store.fetch(facts, tmp_path / "x", Cancellation()),
            lambda: create(store, key, b"x"),
            lambda: put(store, key),
            lambda: store.copy(facts, BUCKET, key, media_type="", metadata={}),
            lambda: store.check(BUCKET),
        ):
            with pytest.raises(StoreUnavailable, match="can't be reached"):
                call()
        close(store)


@pytest.mark.parametrize("wrong", [0, 1], ids=["access_key", "secret_key"])
def test_wrong_credentials_are_named(real: tuple[str, str, str], key: str, wrong: int) -> None:
    """Credentials that the store does not know are our fault, and named; no message is rejected for them."""
    credentials = [*real[1:]]
    credentials[wrong] = "wrongwrong"
    store = MinioStore(real[0], *credentials, secure=False)
    for call in (lambda: store.read(BUCKET, key), lambda: put(store, key), lambda: store.check(BUCKET)):
        with pytest.raises(StoreMisconfigured, match="MINIO_ACCESS_KEY, MINIO_SECRET_KEY"):
            call()
    close(store)


@pytest.mark.attack
@pytest.mark.parametrize("store", ["moto", "minio"], indirect=True)
def test_a_document_is_read_up_to_a_bound(store: ObjectStore, key: str) -> None:
    """As large as that it is read; one byte more, and no more of it is fetched."""
    assert isinstance(store, BoundedReads)
    put(store, key, bytes(MOST_DOCUMENT_BYTES))
    assert store.read_at_most(BUCKET, key, MOST_DOCUMENT_BYTES) == bytes(MOST_DOCUMENT_BYTES)
    put(store, key, bytes(MOST_DOCUMENT_BYTES + 1))
    with pytest.raises(Rejected) as caught:
        store.read_at_most(BUCKET, key, MOST_DOCUMENT_BYTES)
    assert caught.value.code is Code.OBJECT_TOO_LARGE
