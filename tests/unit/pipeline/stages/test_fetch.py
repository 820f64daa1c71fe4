import errno
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from consumer.core.cancellation import Cancellation
from consumer.core.errors import Cancelled, Code, Rejected, ScratchUnavailable
from consumer.core.events import SourceObject
from consumer.core.model import ObjectFacts
from consumer.pipeline.scratch import MARGIN_BYTES, Scratch
from consumer.pipeline.stages.fetch import Fetch
from consumer.testing.store import MemoryStore
from harness.fakes import a_job, a_request

SONG = b"song" * 100


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore("in")
    for key in ("a.mp3", "a.$(rm)", "b/.MP3", "noise.tar.gz"):
        store.create("in", key, SONG, media_type="audio/mpeg", metadata={})
    return store


def fetch(store: MemoryStore, scratch: Path, cancel: Cancellation | None = None, **source: Any) -> Any:
    job = a_job(a_request(source=SourceObject(**{"bucket": "in", "key": "a.mp3"} | source)))
    return Fetch(store=store, scratch=Scratch(scratch), max_object_bytes=len(SONG))(job, cancel or Cancellation())


@pytest.mark.parametrize("quote", ["", '"'])
def test_the_object_is_brought_pinned_to_its_etag(store: MemoryStore, tmp_path: Path, quote: str) -> None:
    """A track is the whole object, with its digest, in a folder of its own; a wanted etag may have its quotes."""
    facts = store.stat("in", "a.mp3")
    assert facts
    etag = facts.etag
    track = fetch(store, tmp_path, etag=f"{quote}{etag}{quote}")
    assert track.path.read_bytes() == SONG
    assert track.sha256 == hashlib.sha256(SONG).hexdigest()
    assert (track.source.etag, track.source.size_bytes) == (etag, len(SONG))
    assert track.folder.parent == tmp_path
    assert track.folder != fetch(store, tmp_path).folder


@pytest.mark.parametrize(
    ("key", "name"),
    [("a.mp3", "source.mp3"), ("a.$(rm)", "source"), ("b/.MP3", "source"), ("noise.tar.gz", "source.gz")],
)
def test_only_a_harmless_extension_is_kept(store: MemoryStore, tmp_path: Path, key: str, name: str) -> None:
    """The file's name is ours; of the key it has at most a plain extension."""
    assert fetch(store, tmp_path, key=key).path.name == name


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"key": "gone.mp3"}, Code.OBJECT_NOT_FOUND),
        ({"version_id": "v1"}, Code.OBJECT_NOT_FOUND),
        ({"etag": "other"}, Code.OBJECT_CHANGED),
    ],
)
def test_what_is_not_there_is_rejected(store: MemoryStore, tmp_path: Path, source: dict[str, Any], code: Code) -> None:
    """An object that is missing, or is not the one that was meant, is the message's fault."""
    with pytest.raises(Rejected) as caught:
        fetch(store, tmp_path, **source)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_an_object_over_the_limit_is_not_fetched(store: MemoryStore, tmp_path: Path) -> None:
    """One byte more than MAX_OBJECT_BYTES is too much, and nothing of it is read."""
    store.replace("in", "a.mp3", SONG + b"!", media_type="", metadata={})
    with pytest.raises(Rejected, match="MAX_OBJECT_BYTES") as caught:
        fetch(store, tmp_path)
    assert caught.value.code == Code.OBJECT_TOO_LARGE
    assert list(tmp_path.iterdir()) == []


def test_a_fetch_that_fails_leaves_nothing(store: MemoryStore, tmp_path: Path) -> None:
    """The folder of a track that was cancelled, or that changed in between, is removed."""
    cancelled = Cancellation()
    cancelled.cancel("test")
    with pytest.raises(Cancelled):
        fetch(store, tmp_path, cancelled)

    class Changing(MemoryStore):
        def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
            path.write_bytes(b"half")
            return store.fetch(replace(source, etag="old"), path, cancel)

    changing = Changing("in")
    changing.create("in", "a.mp3", SONG, media_type="", metadata={})
    with pytest.raises(Rejected) as caught:
        fetch(changing, tmp_path)
    assert caught.value.code == Code.OBJECT_CHANGED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "SCRATCH_DIR: No space left"), (errno.EMFILE, "ulimit -n"), (errno.EIO, "SCRATCH")],
)
def test_this_machines_trouble_is_not_the_stores(tmp_path: Path, number: int, told: str) -> None:
    """A disk that is full, or a limit that is reached, is told with its setting's name, and nothing is left behind."""

    class Full(MemoryStore):
        def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
            raise OSError(number, os.strerror(number))

    full = Full("in")
    full.create("in", "a.mp3", SONG, media_type="", metadata={})
    with pytest.raises(ScratchUnavailable, match=told):
        fetch(full, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ScratchUnavailable, match="SCRATCH_DIR"):
        fetch(full, tmp_path / "gone")


def test_what_no_wait_would_make_room_for_is_too_large(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that is larger than the disk is the message's fault: who waits for it would wait for ever."""
    disk = SimpleNamespace(free=MARGIN_BYTES, total=MARGIN_BYTES + len(SONG) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    with pytest.raises(Rejected, match="SCRATCH_DIR") as caught:
        fetch(store, tmp_path)
    assert caught.value.code == Code.OBJECT_TOO_LARGE
    disk.total += 1
    with pytest.raises(ScratchUnavailable, match="SCRATCH_DIR"):
        fetch(store, tmp_path)
