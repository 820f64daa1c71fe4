"""What a replica replaces of its own on a real store: what it has looked at, and not what was put there meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consumer.adapters.s3.minio import MinioStore
from consumer.core.errors import StoreUnavailable
from consumer.core.model import LocalTrack, ObjectFacts, Stems
from consumer.pipeline.stages.store import Store
from harness.fakes import a_job, a_request, a_separation, forgotten_in
from tests.contract.conftest import BUCKET, close

SOURCE = ObjectFacts(bucket="in", key="a.mp3", etag="e1", size_bytes=3)


class Raced(MinioStore):
    """Somebody puts `theirs` at the key `between` as soon as that was looked at, once."""

    between, theirs = "", b"theirs"

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        found = super().stat(bucket, key, version_id=version_id)
        if key == self.between:
            self.between = ""
            self.replace(bucket, key, self.theirs, media_type="text/plain", metadata={})
        return found


@pytest.fixture
def store(real: tuple[str, str, str]) -> Iterator[Raced]:
    store = Raced(*real, secure=False)
    yield store
    close(store)


Attempt = Callable[[str], object]


@pytest.fixture
def attempt(store: Raced, tmp_path: Path) -> Iterator[Attempt]:
    """An attempt at one request, whose stems have this salt."""
    request = a_request(request_id=tmp_path.name)
    job = a_job(request, output_bucket=BUCKET)
    with ThreadPoolExecutor(4) as uploads:
        stage = Store(store=store, uploads=uploads, forgotten=forgotten_in(store))

        def run(salt: str) -> object:
            folder = tmp_path / salt
            folder.mkdir()
            track = LocalTrack(job=job, source=SOURCE, path=folder / "source.mp3", sha256=salt * 64)
            separation = a_separation(folder, salt=salt.encode())
            return stage(Stems(track=track, separation=separation), {})

        yield run


def test_a_stem_that_was_put_there_meanwhile_is_not_replaced(store: Raced, attempt: Attempt, tmp_path: Path) -> None:
    """A leftover of the request's own is to give way, and is another one by then: that is looked at again."""
    stem, manifest = (f"stems/{tmp_path.name}/{name}" for name in ("vocals.wav", "manifest.json"))
    attempt("1")
    store._client.remove_object(BUCKET, manifest)
    store.between = stem
    with pytest.raises(StoreUnavailable, match="is another one by now"):
        attempt("2")
    assert store.between == ""
    assert store.read(BUCKET, stem) == store.theirs


def test_a_manifest_that_was_put_there_meanwhile_is_not_replaced(
    store: Raced, attempt: Attempt, tmp_path: Path
) -> None:
    """One whose stems are gone is to give way; what is there by then was not read, if it was written in between."""
    stem, manifest = (f"stems/{tmp_path.name}/{name}" for name in ("vocals.wav", "manifest.json"))
    attempt("1")
    standing = store.read(BUCKET, manifest)
    assert standing
    store.theirs, store.between = standing + b" ", manifest  # the same, and another object
    store._client.remove_object(BUCKET, stem)
    with pytest.raises(StoreUnavailable, match="is another one by now"):
        attempt("2")
    assert store.between == ""
    assert store.read(BUCKET, manifest) == store.theirs


def test_what_nobody_touched_is_replaced(store: Raced, attempt: Attempt, tmp_path: Path) -> None:
    stem, manifest = (f"stems/{tmp_path.name}/{name}" for name in ("vocals.wav", "manifest.json"))
    attempt("1")
    before = store.read(BUCKET, manifest)
    store._client.remove_object(BUCKET, stem)
    attempt("2")
    assert store.read(BUCKET, stem) == b"vocals2"
    assert store.read(BUCKET, manifest) not in (None, before)
