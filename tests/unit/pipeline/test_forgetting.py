"""What of a request is found and taken away, and what replicas keep to once it was forgotten."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.core.content_index import content_key, index_entries_key
from consumer.core.errors import Code, Rejected, StoreUnavailable
from consumer.core.events import OutputOptions, SourceObject
from consumer.core.manifest import parse_manifest
from consumer.core.model import Job, LocalTrack, ObjectFacts, StartedUpload, Stems, StoredVersion
from consumer.pipeline.forgetting import Eraser, ErasingPlace, StemsPlace, place_of, stem_files
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.store import Store
from consumer.testing.store import MemoryStore
from harness.fakes import NOON, a_job, a_request, a_separation, forgotten_in

SHA256 = "5" * 64


class Shelf:
    """A store, and what replicas do with it."""

    def __init__(self, folder: Path, uploads: ThreadPoolExecutor, store: MemoryStore | None = None) -> None:
        self.objects = store or MemoryStore("out", "more", "in")
        self.folder, self.forgotten = folder, forgotten_in(self.objects)
        self.recall = Recall(store=self.objects, forgotten=self.forgotten)
        self.store = Store(store=self.objects, uploads=uploads, forgotten=self.forgotten)
        self.reuse = Reuse(
            store=self.objects, bucket="out", prefix="stems/", buckets=["out", "more"], forgotten=self.forgotten
        )
        place = ErasingPlace(bucket="out", prefix="stems/", upload_bucket="in")
        self.eraser = Eraser(self.objects, self.objects, place)

    def separate(self, job: Job) -> LocalTrack:
        """As a replica does it, with its entries in the indexes."""
        source = ObjectFacts(bucket="in", key=job.request.source.key, etag="e", size_bytes=3)
        track = LocalTrack(job=job, source=source, path=self.folder / "source", sha256=SHA256)
        stored = self.store(Stems(track=track, separation=a_separation(self.folder)), {})
        self.reuse.add_to_index(track, stored)
        return track

    def mark(self, job: Job) -> None:
        assert self.forgotten.tombstones.put(job.request.tenant, job.request.request_id, NOON)

    def left(self) -> set[str]:
        """All that lies there but for tombstones."""
        return {key for bucket in ("out", "more", "in") for key in self.objects.keys(bucket) if "forgotten/" not in key}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with ThreadPoolExecutor(4) as pool:
        yield Shelf(tmp_path, pool)


def job_of(request_id: str = "r1", **fields: Any) -> Job:
    request = a_request(request_id=request_id, source=SourceObject(bucket="in", key=f"uploads/{request_id}"), **fields)
    folder = f"stems/{request_id}/" if request.tenant is None else f"stems/{request.tenant}/{request_id}/"
    return a_job(request, output_prefix=folder, fingerprint=f"fingerprint of {request_id}")


def put(store: MemoryStore, bucket: str, *keys: str) -> None:
    for key in keys:
        store.replace(bucket, key, b"x", media_type="", metadata={})


def test_all_of_it_goes_and_nothing_else(shelf: Shelf) -> None:
    """Stems, manifest, entries, the upload with its record; not what only begins alike, and not the next one's."""
    put(shelf.objects, "in", "uploads/r1", "uploads/parts/r1.json", "uploads/r12", "uploads/parts/r12.json", "song.mp3")
    shelf.separate(job_of("r1"))
    put(shelf.objects, "out", "stems/r12/vocals.wav", "stems/r1/tenants/vocals.wav", "stems/r1x", "stems/r")
    kept = {
        "uploads/r12", "uploads/parts/r12.json", "song.mp3",
        "stems/r12/vocals.wav", "stems/r1/tenants/vocals.wav", "stems/r1x", "stems/r",
    }  # fmt: skip
    before = shelf.left()
    listed = list(shelf.eraser.remains([place_of(job_of("r1"))]))
    assert {each.key for each in listed} == before - kept
    assert shelf.left() == before
    assert shelf.eraser.erase([place_of(job_of("r1"))]) == len(before - kept)
    assert shelf.left() == kept
    assert shelf.eraser.erase([place_of(job_of("r1"))]) == 0


def test_entries_that_tell_of_another_stay(shelf: Shelf) -> None:
    """The latest request for a content has its entries, whoever had them before."""
    shelf.separate(job_of("r1"))
    second = job_of("r2")
    shelf.separate(second)  # the same content, made anew: its entries take the place of the first one's
    shelf.eraser.erase([place_of(job_of("r1"))])
    keys = shelf.left()
    assert content_key("stems/", None, SHA256) in keys
    assert len([key for key in keys if ".index/" in key]) == 1
    assert not any("/r1/" in key for key in keys)
    assert index_entries_key("stems/", "out", "stems/r1/") not in keys
    shelf.eraser.erase([place_of(second)])
    assert shelf.left() == set()


def test_only_entries_of_the_indexes_are_removed(shelf: Shelf) -> None:
    """Whoever can write an object may name any key in it."""
    names = b'{"keys": ["stems/r2/manifest.json", "stems/.index/../r2/x.json", "forgotten/stems/r3.json", ""]}'
    where = index_entries_key("stems/", "out", "stems/r1/")
    put(shelf.objects, "out", "stems/r2/manifest.json", "stems/.index/../r2/x.json", "forgotten/stems/r3.json")
    shelf.objects.replace("out", where, names, media_type="", metadata={})
    assert shelf.eraser.erase([place_of(job_of("r1"))]) == 1
    assert "forgotten/stems/r3.json" in shelf.objects.keys("out")
    assert shelf.left() == {"stems/r2/manifest.json", "stems/.index/../r2/x.json"}


@pytest.mark.parametrize("key", ["uploads/", "uploads/parts/x.json", "uploads/staging/x", "music/uploads/x", "song"])
def test_only_uploads_are_removed_of_sources(shelf: Shelf, key: str) -> None:
    """Source audio is its owner's, and what lies beside uploads is others'."""
    put(shelf.objects, "in", key)
    put(shelf.objects, "more", "uploads/x")
    sources = [SourceObject(bucket="in", key=key), SourceObject(bucket="more", key="uploads/x")]
    assert shelf.eraser.erase([], sources) == 0


def test_another_requests_stems_in_the_same_place_stay(shelf: Shelf) -> None:
    """Where requests name prefixes, two may have named one place."""
    job = job_of("r1")
    shelf.separate(job)
    before = shelf.left()
    stranger = StemsPlace(bucket="out", folder="stems/r1/", fingerprint="another")
    assert shelf.eraser.erase([stranger]) == 0
    assert shelf.left() == before
    assert place_of(replace(job, request=a_request(output=OutputOptions(prefix="p/")))).fingerprint == job.fingerprint
    assert shelf.eraser.erase([replace(stranger, fingerprint=job.fingerprint)]) == len(before)


def test_stopped_anywhere_the_same_again_takes_the_rest(tmp_path: Path) -> None:
    """After each thing that goes, a new start finds all that is left."""
    with ThreadPoolExecutor(2) as pool:
        for stop in range(1, 8):
            store = _Stopping("out", "more", "in")
            shelf = Shelf(tmp_path, pool, store)
            put(store, "in", "uploads/r1", "uploads/parts/r1.json")
            shelf.separate(job_of("r1"))
            store.left = stop
            with pytest.raises(StoreUnavailable):
                shelf.eraser.erase([place_of(job_of("r1"))])
            assert shelf.left()
            store.left = 100
            shelf.eraser.erase([place_of(job_of("r1"))])
            assert shelf.left() == set(), stop


def test_what_is_written_meanwhile_goes_too(tmp_path: Path) -> None:
    """It is looked again until nothing is found; what never ends is told."""
    with ThreadPoolExecutor(2) as pool:
        store = _Busy("out", "more", "in")
        shelf = Shelf(tmp_path, pool, store)
        shelf.separate(job_of("r1"))
        store.writes = 3
        shelf.eraser.erase([place_of(job_of("r1"))])
        assert store.writes == 0
        assert shelf.left() == set()
        store.writes = 10_000
        put(store, "out", "stems/r1/other.wav")
        with pytest.raises(StoreUnavailable, match="again and again"):
            shelf.eraser.erase([place_of(job_of("r1"))])


def test_a_forgotten_request_is_refused_before_anything(shelf: Shelf) -> None:
    """Also one that has stems; they are gone then. Another tenant's of the same id goes on."""
    mine, theirs = job_of("r1", tenant="a"), job_of("r1", tenant="b")
    for job in (mine, theirs):
        shelf.separate(job)
    shelf.mark(mine)
    with pytest.raises(Rejected) as rejected:
        shelf.recall(mine)
    assert rejected.value.code == Code.CANCELLED
    assert not any(key.startswith("stems/a/") for key in shelf.left())
    assert shelf.recall(theirs)


def test_what_is_stored_after_that_does_not_stay(shelf: Shelf) -> None:
    """Whoever was about to store stems, or entries, takes them away again."""
    job = job_of("r1")
    shelf.mark(job)
    with pytest.raises(Rejected, match="forgotten"):
        shelf.separate(job)
    assert shelf.left() == set()
    source = ObjectFacts(bucket="in", key="k", etag="e", size_bytes=3)
    track = LocalTrack(job=job, source=source, path=shelf.folder / "s", sha256=SHA256)
    shelf.reuse.note_content(track)
    assert shelf.left() == set()


def test_nothing_is_copied_from_a_forgotten_one(shelf: Shelf) -> None:
    """Although its stems and its entries may still be there."""
    shelf.separate(job_of("r1"))
    second = job_of("r2")
    source = ObjectFacts(bucket="in", key="uploads/r2", etag="e2", size_bytes=3)
    track = LocalTrack(job=second, source=source, path=shelf.folder / "s", sha256=SHA256)
    weights = parse_manifest(shelf.objects.read("out", "stems/r1/manifest.json") or b"")
    assert weights
    reusable = shelf.reuse.find(track, weights.weights_sha256)
    assert reusable
    shelf.mark(job_of("r1"))
    assert shelf.reuse.find(track, weights.weights_sha256) is None
    shelf.mark(second)  # which had begun to copy
    with pytest.raises(Rejected, match="forgotten"):
        shelf.store.copy(track, reusable, {})
    assert not any(key.startswith("stems/r2/") for key in shelf.left())


def test_the_names_of_stems() -> None:
    """Those that the model makes, with the format's ending; none of what nobody knows."""
    assert set(stem_files("2stems", "m4a")) == {"vocals.m4a", "accompaniment.m4a"}
    assert stem_files("9stems", "wav") == stem_files("2stems", "doc") == ()


class _Stopping(MemoryStore):
    """Goes away after so many removals."""

    left = 100

    def erase(self, found: StoredVersion | StartedUpload) -> None:
        if self.left == 0:
            raise StoreUnavailable("away")
        self.left -= 1
        super().erase(found)


class _Busy(MemoryStore):
    """Something is written each time something is removed."""

    writes = 0

    def erase(self, found: StoredVersion | StartedUpload) -> None:
        super().erase(found)
        if self.writes:
            self.writes -= 1
            put(self, "out", "stems/r1/late.wav")


@pytest.mark.attack
@pytest.mark.parametrize("files", [("albums/r1/vocals.wav",), ("albums/r1/manifest.json",), ("albums/r1/cover.jpg",)])
def test_forgetting_leaves_somebodys_album(shelf: Shelf, files: tuple[str, ...]) -> None:
    """Where a request's prefix led among others' objects: it was rejected there, and has nothing to take away."""
    job = job_of(output=OutputOptions(prefix="albums/"))
    job = replace(job, output_prefix="albums/r1/")
    put(shelf.objects, "out", *files, "albums/r1/readme.txt")
    shelf.eraser.erase([place_of(job)])
    assert shelf.left() == {*files, "albums/r1/readme.txt"}


def test_forgetting_takes_half_made_stems_from_among_others(shelf: Shelf) -> None:
    """They bear the request's fingerprint; the manifest did not come to be."""
    job = replace(job_of(output=OutputOptions(prefix="albums/")), output_prefix="albums/r1/")
    shelf.separate(job)
    shelf.objects.remove("out", job.manifest_key)
    put(shelf.objects, "out", "albums/r1/cover.jpg")
    shelf.eraser.erase([place_of(job)])
    assert shelf.left() == {"albums/r1/cover.jpg"}


@pytest.mark.attack
def test_forgetting_leaves_the_upload_of_another_request_in_the_same_place(shelf: Shelf) -> None:
    """That stands in the manifest of the one that came first."""
    first = replace(job_of(output=OutputOptions(prefix="p/")), output_prefix="p/r1/")
    put(shelf.objects, "in", "uploads/r1")
    shelf.separate(first)
    before = shelf.left()
    assert shelf.eraser.erase([place_of(replace(first, fingerprint="another"))]) == 0
    assert shelf.left() == before
