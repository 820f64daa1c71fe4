"""How a gateway gets to know what others have forgotten."""

import asyncio
import threading
from collections.abc import Iterable, Iterator

import pytest

from consumer.core.errors import StoreUnavailable, Transient
from consumer.core.forgotten import tombstone_key
from consumer.gateway.forgotten import Forgotten, ForgottenBook, ForgottenWatch
from consumer.pipeline.forgotten import Tombstones
from consumer.testing.store import MemoryStore
from harness.fakes import NOON

WAIT_S = 60.0


class Flaky(MemoryStore):
    """A store that may be away."""

    is_away = False
    reads = 0

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        self._ask()
        return super().keys(bucket, prefix)

    def read(self, bucket: str, key: str) -> bytes | None:
        self._ask()
        self.reads += 1
        return super().read(bucket, key)

    def _ask(self) -> None:
        if self.is_away:
            raise StoreUnavailable("away")


class Heard:
    """What a watch tells."""

    def __init__(self) -> None:
        self.all: set[Forgotten] = set()
        self.changed = threading.Event()

    def __call__(self, found: Iterable[Forgotten]) -> None:
        self.all.update(found)
        self.changed.set()


@pytest.fixture
def store() -> Flaky:
    return Flaky("out")


@pytest.fixture
def tombstones(store: Flaky) -> Tombstones:
    return Tombstones(store=store, bucket="out", prefix="stems/")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watch(store: Flaky, heard: Heard) -> Iterator[ForgottenWatch]:
    made = ForgottenWatch(store, "out", "stems/", heard)
    yield made
    made.stop()


def test_all_is_told_at_the_start_and_more_later(tombstones: Tombstones, watch: ForgottenWatch, heard: Heard) -> None:
    """What is no tombstone is passed over, such as another deployment's."""
    tombstones.put(None, "r1", NOON)
    tombstones.put("acme", "r2", NOON)
    tombstones.store.create("out", "forgotten/stems/x", b"", media_type="", metadata={})
    tombstones.store.create("out", tombstone_key("other/", None, "r3"), b"", media_type="", metadata={})
    watch.start()
    assert heard.all == {(None, "r1"), ("acme", "r2")}
    watch.check()
    tombstones.put("acme", "r4", NOON)
    while ("acme", "r4") not in heard.all:
        heard.changed.clear()
        assert heard.changed.wait(WAIT_S)


def test_a_store_that_is_away_at_the_start(
    store: Flaky, tombstones: Tombstones, watch: ForgottenWatch, heard: Heard
) -> None:
    """Not ready until it was asked: before that what is forgotten would be listed."""
    tombstones.put(None, "r1", NOON)
    store.is_away = True
    watch.start()
    with pytest.raises(Transient, match="not read yet"):
        watch.check()
    store.is_away = False
    assert heard.changed.wait(WAIT_S)
    assert heard.all == {(None, "r1")}


def test_one_is_asked_for_each_time_until_it_is_forgotten(store: Flaky, tombstones: Tombstones) -> None:
    """So no gateway answers for what another has just forgotten; that it is so is remembered, also while the store is
    away. What is not known then is no answer.
    """

    async def ask() -> None:
        book = ForgottenBook(tombstones)
        assert not await book.has("t", "r1")
        tombstones.put("t", "r1", NOON)
        assert await book.has("t", "r1")
        assert not await book.has(None, "r1")
        reads, store.is_away = store.reads, True
        assert await book.has("t", "r1")
        assert store.reads == reads
        with pytest.raises(StoreUnavailable):
            await book.has("t", "r2")

    asyncio.run(ask())
