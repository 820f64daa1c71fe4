"""A store that does not keep `If-None-Match: *` is found out before anything rests on it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumer.adapters.s3.minio import MinioStore
from consumer.app.checks import check_create_only
from consumer.core.errors import StoreMisconfigured, StoreUnavailable
from consumer.testing.store import MemoryStore
from harness.store_faults import Fault, Request, StoreFaults, s3_error
from tests.contract.conftest import BUCKET, close

PREFIX = "conditions/"


@pytest.fixture
def proxy(real: tuple[str, str, str]) -> Iterator[StoreFaults]:
    with StoreFaults(real[0]) as faults:
        yield faults


@pytest.fixture
def store(real: tuple[str, str, str], proxy: StoreFaults) -> Iterator[MinioStore]:
    store = MinioStore(proxy.endpoint, *real[1:], secure=False)
    yield store
    close(store)


def puts(request: Request) -> bool:
    return request.method == "PUT" and "uploadId" not in request.words


def completes(request: Request) -> bool:
    return request.method == "POST" and "uploadId" in request.words


def left_in(store: MinioStore) -> list[str]:
    return [str(each.object_name) for each in store._client.list_objects(BUCKET, PREFIX, recursive=True)]


def uploads_in(store: MinioStore) -> int:
    return len(store._client._list_multipart_uploads(BUCKET, prefix=PREFIX).uploads)


def test_a_store_that_keeps_it_is_left_as_it_was(store: MinioStore, proxy: StoreFaults) -> None:
    """Nothing is raised, nothing stays, and it takes a dozen small requests at most."""
    check_create_only(store, BUCKET, PREFIX)
    assert len(proxy.seen) <= 12
    assert {request.headers.get("If-None-Match") for request in proxy.seen if puts(request) or completes(request)} == {
        "*"
    }
    assert left_in(store) == []
    assert uploads_in(store) == 0


@pytest.mark.parametrize(
    ("fits", "told"),
    [(puts, "when an object is put"), (completes, "when an upload in parts is completed")],
    ids=["put", "multipart"],
)
def test_a_store_that_leaves_it_out_is_told(
    store: MinioStore, proxy: StoreFaults, fits: Callable[[Request], bool], told: str
) -> None:
    """Where the header gets lost on the way, or is not known, in one of the two ways: one line says which, and why."""
    proxy.without = lambda request: frozenset({"if-none-match"}) if fits(request) else frozenset()
    with pytest.raises(StoreMisconfigured, match=f"^MINIO_ENDPOINT: object storage ignores If-None-Match {told}: two"):
        check_create_only(store, BUCKET, PREFIX)
    assert left_in(store) == []


@pytest.mark.parametrize(
    "answer", [(501, "NotImplemented"), (400, "InvalidArgument"), (400, "InvalidRequest"), (501, "")]
)
@pytest.mark.parametrize(
    ("fits", "told"),
    [(puts, "when an object is put"), (completes, "when an upload in parts is completed")],
    ids=["put", "multipart"],
)
def test_a_store_that_takes_no_condition_is_told(
    store: MinioStore, proxy: StoreFaults, fits: Callable[[Request], bool], told: str, answer: tuple[int, str]
) -> None:
    """Some say so."""
    proxy.fault = lambda request: s3_error(*answer) if fits(request) else None
    with pytest.raises(StoreMisconfigured, match=f"object storage takes no If-None-Match {told} "):
        check_create_only(store, BUCKET, PREFIX)


@pytest.mark.parametrize("fault", [s3_error(503, "SlowDown"), s3_error(500, "InternalError"), Fault(status=404)])
def test_trouble_says_nothing_about_conditions(store: MinioStore, proxy: StoreFaults, fault: Fault) -> None:
    """While the store does not answer properly, nobody knows: that waits, as any trouble does."""
    proxy.fault = lambda request: fault if completes(request) else None
    with pytest.raises(StoreUnavailable) as caught:
        check_create_only(store, BUCKET, PREFIX)
    assert not isinstance(caught.value, StoreMisconfigured)


def test_who_may_not_remove_may_still_probe(store: MinioStore, proxy: StoreFaults) -> None:
    """A right to remove is not asked for; then the probe's few bytes stay."""
    proxy.fault = lambda request: s3_error(403, "AccessDenied") if request.method == "DELETE" else None
    check_create_only(store, BUCKET, PREFIX)
    proxy.fault = lambda request: None
    [left] = left_in(store)
    assert left.startswith(f"{PREFIX}.probe-")
    store._client.remove_object(BUCKET, left)


def test_any_number_may_probe_at_once(store: MinioStore) -> None:
    """Replicas that start together don't see each other's probes."""
    together = threading.Barrier(8)

    def probe() -> None:
        together.wait(60)
        check_create_only(store, BUCKET, PREFIX)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(probe) for _ in range(8)]:
            done.result()
    assert left_in(store) == []


def test_a_store_without_a_probe_answers_for_itself() -> None:
    """Its adapter keeps the promise by what it is made of."""
    memory = MemoryStore(BUCKET)
    check_create_only(memory, BUCKET, PREFIX)
    assert memory.read(BUCKET, PREFIX) is None


@pytest.mark.parametrize("answer", [(501, "NotImplemented"), (400, "InvalidArgument"), (501, "")])
def test_where_no_condition_is_taken_on_what_stands_it_is_replaced(
    store: MinioStore, proxy: StoreFaults, answer: tuple[int, str]
) -> None:
    """Such a store can't tell what somebody has just put there."""
    proxy.fault = lambda request: s3_error(*answer) if "If-Match" in request.headers and puts(request) else None
    seen = store.replace(BUCKET, f"{PREFIX}standing", b"1", media_type="text/plain", metadata={})
    made = store.exchange(seen, b"2", media_type="text/plain", metadata={})
    assert made is not None
    assert store.read(BUCKET, seen.key) == b"2"
    store._client.remove_object(BUCKET, seen.key)


@pytest.mark.parametrize("fault", [s3_error(503, "SlowDown"), s3_error(500, "InternalError")])
def test_trouble_is_no_exchange(store: MinioStore, proxy: StoreFaults, fault: Fault) -> None:
    """It is told as such, and what stands is left as it is; what is asked for afterwards has no condition of it."""
    seen = store.replace(BUCKET, f"{PREFIX}standing", b"1", media_type="text/plain", metadata={})
    proxy.fault = lambda request: fault if puts(request) else None
    with pytest.raises(StoreUnavailable):
        store.exchange(seen, b"2", media_type="text/plain", metadata={})
    proxy.fault = lambda request: None
    assert store.read(BUCKET, seen.key) == b"1"
    assert store.create(BUCKET, f"{PREFIX}other", b"3", media_type="text/plain", metadata={}) is not None
    for key in (seen.key, f"{PREFIX}other"):
        store._client.remove_object(BUCKET, key)
