"""Finding the same content, and copying what was made of it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.core.content_index import SeparatedContent, content_key, parse_separated_content
from consumer.core.errors import Code, Rejected
from consumer.core.events import SourceObject
from consumer.core.model import Job, LocalTrack, ObjectFacts, Stems, StoredStems
from consumer.core.output_place import tenant_prefix
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.store import Store
from consumer.testing.store import MemoryStore
from harness.fakes import a_job, a_request, a_separation, forgotten_in

WEIGHTS = "0" * 64
SOURCE = ObjectFacts(bucket="in", key="a.mp3", etag="e1", size_bytes=3)
COPY = ObjectFacts(bucket="in", key="copy-of-a.mp3", etag="e2", size_bytes=3, version_id="v2")


class Shelf:
    """A store with the stems of request r1, found by their content."""

    def __init__(self, folder: Path, uploads: ThreadPoolExecutor, job: Job | None = None) -> None:
        self.objects = MemoryStore("out", "more", "elsewhere")
        self.reuse = Reuse(
            store=self.objects,
            bucket="out",
            prefix="stems/",
            buckets=["out", "more"],
            forgotten=forgotten_in(self.objects),
        )
        self.store = Store(store=self.objects, uploads=uploads, forgotten=forgotten_in(self.objects))
        self.first_track = track(folder, job or a_job(), SOURCE)
        separation = a_separation(folder, weights_sha256=WEIGHTS)
        self.first = self.store(Stems(track=self.first_track, separation=separation), {"fetch": 0.5})
        self.reuse.add_to_index(self.first_track, self.first)

    def again(self, other: LocalTrack, weights: str = WEIGHTS) -> StoredStems | None:
        reusable = self.reuse.find(other, weights)
        return self.store.copy(other, reusable, {"fetch": 0.1}) if reusable else None

    def bytes_of(self, stored: StoredStems) -> list[bytes | None]:
        return [self.objects.read(stem.bucket, stem.key) for stem in stored.manifest.stems]


def track(folder: Path, job: Job, source: ObjectFacts = COPY, sha256: str = "5" * 64) -> LocalTrack:
    return LocalTrack(job=job, source=source, path=folder / "source.mp3", sha256=sha256)


def another_job(request_id: str = "r2", fingerprint: str = "e" * 64, **fields: Any) -> Job:
    request_fields = {name: fields.pop(name) for name in [*fields] if name in a_request().__slots__}
    return a_job(a_request(request_id=request_id, **request_fields), fingerprint=fingerprint, **fields)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with ThreadPoolExecutor(4) as pool:
        yield Shelf(tmp_path, pool)


def test_the_same_content_is_copied(shelf: Shelf, tmp_path: Path) -> None:
    """Another request gets the same bytes under its own name, with a manifest that tells of its own source."""
    copied = shelf.again(track(tmp_path, another_job()))
    assert copied
    assert copied.deduplicated
    assert shelf.bytes_of(copied) == shelf.bytes_of(shelf.first)
    manifest = copied.manifest
    assert [stem.key for stem in manifest.stems] == ["stems/r2/vocals.wav", "stems/r2/accompaniment.wav"]
    assert [stem.sha256 for stem in manifest.stems] == [stem.sha256 for stem in shelf.first.manifest.stems]
    assert (manifest.request_id, manifest.fingerprint, manifest.timings_s) == ("r2", "e" * 64, {"fetch": 0.1})
    source = manifest.source
    assert (source.key, source.etag, source.version_id, source.format) == ("copy-of-a.mp3", "e2", "v2", "mp3")
    assert manifest.overviews == shelf.first.manifest.overviews
    assert shelf.objects.keys("out")[-1] == "stems/r2/manifest.json"
    assert shelf.objects.media_type("out", "stems/r2/vocals.wav") == "audio/wav"


def test_a_copy_is_as_good_as_what_was_made(shelf: Shelf, tmp_path: Path) -> None:
    """A copy is recalled for its own request, and may itself be copied once the first one is gone."""
    job = another_job()
    copied = shelf.again(track(tmp_path, job))
    assert copied
    recalled = Recall(store=shelf.objects, forgotten=forgotten_in(shelf.objects))(job)
    assert recalled
    assert recalled.manifest == copied.manifest
    for key in list(shelf.objects.keys("out")):
        if key.startswith("stems/r1/"):
            shelf.objects.remove("out", key)
    assert shelf.again(track(tmp_path, another_job("r3"))) is None
    shelf.reuse.add_to_index(track(tmp_path, job), copied)
    third = shelf.again(track(tmp_path, another_job("r3")))
    assert third
    assert shelf.bytes_of(third) == shelf.bytes_of(copied)


DIFFERENT: dict[str, dict[str, Any]] = {
    "tenant": {"tenant": "someone"},
    "model": {"model": "4stems"},
    "start": {"start_s": 1.0},
    "duration": {"duration_s": 1.0},
    "high frequencies": {"high_frequencies": "average"},
    "track": {"track": 0},
    "format": {"format": "flac"},
    "bitrate": {"bitrate": "192k"},
}


@pytest.mark.parametrize("fields", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_is_not_the_same(shelf: Shelf, tmp_path: Path, fields: dict[str, Any]) -> None:
    """Each option that the stems depend on, and the tenant, keeps requests apart."""
    assert shelf.reuse.find(track(tmp_path, another_job(**fields)), WEIGHTS) is None


def test_other_content_and_other_weights_are_not_the_same(shelf: Shelf, tmp_path: Path) -> None:
    """Content is told by its digest, and so are weights."""
    assert shelf.reuse.find(track(tmp_path, another_job(), sha256="6" * 64), WEIGHTS) is None
    assert shelf.reuse.find(track(tmp_path, another_job()), "1" * 64) is None
    assert shelf.reuse.find(track(tmp_path, another_job(start_s=0.0)), WEIGHTS)


@pytest.mark.parametrize("change", ["removed", "replaced", "manifest"])
def test_what_is_no_longer_there_is_not_found(shelf: Shelf, tmp_path: Path, change: str) -> None:
    """Where a stem or the manifest was removed or is another one, the stems are made."""
    match change:
        case "removed":
            shelf.objects.remove("out", "stems/r1/vocals.wav")
        case "replaced":
            shelf.objects.replace("out", "stems/r1/vocals.wav", b"slacov", media_type="", metadata={})
        case _:
            shelf.objects.remove("out", "stems/r1/manifest.json")
    assert shelf.reuse.find(track(tmp_path, another_job()), WEIGHTS) is None


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 10**5, b'{"bucket": "elsewhere", "manifest_key": "m"}'])
def test_a_strange_index_finds_nothing(shelf: Shelf, tmp_path: Path, data: bytes) -> None:
    """Whatever lies in the index, nothing is believed that is not in the buckets that may be copied from."""
    [key] = [key for key in shelf.objects.keys("out") if key.startswith("stems/.index/")]
    shelf.objects.create("elsewhere", "m", shelf.first.manifest.to_json(), media_type="", metadata={})
    shelf.objects.replace("out", key, data, media_type="", metadata={})
    assert shelf.reuse.find(track(tmp_path, another_job()), WEIGHTS) is None


def test_a_manifest_that_points_elsewhere_is_not_followed(shelf: Shelf, tmp_path: Path) -> None:
    """Stems outside the buckets that may be copied from are not copied."""
    stems = tuple(replace(stem, bucket="elsewhere") for stem in shelf.first.manifest.stems)
    for stem in stems:
        shelf.objects.create("elsewhere", stem.key, b"secret", media_type="", metadata={})
    moved = replace(shelf.first.manifest, stems=stems)
    shelf.objects.replace("out", "stems/r1/manifest.json", moved.to_json(), media_type="", metadata={})
    assert shelf.reuse.find(track(tmp_path, another_job()), WEIGHTS) is None


def test_stems_are_copied_into_another_bucket(shelf: Shelf, tmp_path: Path) -> None:
    """A request that wants its stems elsewhere, where it may, gets them there; the index stays where it is."""
    copied = shelf.again(track(tmp_path, another_job(output_bucket="more")))
    assert copied
    assert {stem.bucket for stem in copied.manifest.stems} == {"more"}
    assert shelf.objects.keys("more")[-1] == "stems/r2/manifest.json"


def test_a_request_is_not_its_own_twin(shelf: Shelf, tmp_path: Path) -> None:
    """The manifest of the request itself was looked at before, and is not copied onto itself."""
    assert shelf.reuse.find(shelf.first_track, WEIGHTS) is None


def test_a_stem_that_changes_in_between_is_made(shelf: Shelf, tmp_path: Path) -> None:
    """What was pinned and is another one by now is not copied: the stems are made in the usual way."""
    other = track(tmp_path, another_job())
    reusable = shelf.reuse.find(other, WEIGHTS)
    assert reusable
    shelf.objects.replace("out", "stems/r1/vocals.wav", b"other!", media_type="", metadata={})
    assert shelf.store.copy(other, reusable, {}) is None
    made = shelf.store(Stems(track=other, separation=a_separation(tmp_path, weights_sha256=WEIGHTS)), {})
    assert shelf.bytes_of(made) == [b"vocals", b"accompaniment"]


def test_an_interrupted_copy_is_completed(shelf: Shelf, tmp_path: Path) -> None:
    """Stems that an earlier attempt copied are adopted."""
    other = track(tmp_path, another_job())
    assert shelf.again(other)
    shelf.objects.remove("out", "stems/r2/manifest.json")
    shelf.objects.remove("out", "stems/r2/vocals.wav")
    copied = shelf.again(other)
    assert copied
    assert shelf.bytes_of(copied) == [b"vocals", b"accompaniment"]


def test_a_copy_does_not_take_anothers_id(shelf: Shelf, tmp_path: Path) -> None:
    """A request id under which another request has stems is refused, as where they are made."""
    assert shelf.again(track(tmp_path, another_job()))
    with pytest.raises(Rejected, match="used before") as caught:
        shelf.again(track(tmp_path, another_job(fingerprint="d" * 64)))
    assert caught.value.code == Code.REQUEST_INVALID


def test_the_index_names_the_manifest(shelf: Shelf) -> None:
    """An index object says which manifest has the stems, under a name that tells nothing."""
    [key] = [key for key in shelf.objects.keys("out") if key.startswith("stems/.index/")]
    assert json.loads(shelf.objects.read("out", key) or b"") == {
        "bucket": "out", "manifest_key": "stems/r1/manifest.json",
    }  # fmt: skip
    assert shelf.objects.keys("out").index(key) > shelf.objects.keys("out").index("stems/r1/manifest.json")


def test_stems_that_may_not_be_read_any_more_are_made_anew(shelf: Shelf, tmp_path: Path) -> None:
    """An index entry in a bucket that refuses us is as good as none."""

    def refuse(*_: object, **__: object) -> None:
        raise Rejected(Code.BUCKET_NOT_ALLOWED, "access denied")

    shelf.objects.read = refuse  # type: ignore[method-assign]
    assert shelf.reuse.find(track(tmp_path, another_job()), WEIGHTS) is None


def test_the_content_is_noted_for_its_tenant_alone(shelf: Shelf, tmp_path: Path) -> None:
    """Where its file lies, and for which request it was read; the latest counts, also where stems were only copied."""

    def noted(tenant: str | None) -> SeparatedContent | None:
        return parse_separated_content(shelf.objects.read("out", content_key("stems/", tenant, "5" * 64)))

    first = noted(None)
    assert first
    assert first.request_id == shelf.first_track.job.request.request_id
    assert first.asked == shelf.first_track.job.request.source
    assert first.read == SourceObject(bucket="in", key="a.mp3", etag="e1")
    assert noted("t") is None
    shelf.reuse.note_content(track(tmp_path, another_job(tenant="t")))
    shelf.reuse.note_content(track(tmp_path, another_job()))
    for tenant in (None, "t"):
        later = noted(tenant)
        assert later
        assert later.request_id == "r2"
        assert later.read == SourceObject(bucket="in", key="copy-of-a.mp3", etag="e2", version_id="v2")


@pytest.mark.parametrize("data", [None, b"", b"{}", b"\xff", b"[" * 5000, b'{"request_id": 1}'])
def test_what_is_no_note_of_a_content(data: bytes | None) -> None:
    """Is taken for none."""
    assert parse_separated_content(data) is None


@pytest.mark.attack
@pytest.mark.parametrize(("tenant", "is_found"), [("t", True), (None, False)])
def test_requests_without_a_tenant_are_kept_apart_where_that_is_said(
    tmp_path: Path, tenant: str | None, is_found: bool
) -> None:
    """DEDUPLICATE_WITHOUT_TENANT=false: nothing is noted of them, or found for them; a tenant's are as ever."""
    with ThreadPoolExecutor(4) as uploads:
        job = a_job(a_request(tenant=tenant), output_prefix=f"{tenant_prefix('stems/', tenant)}r1/")
        shelf = Shelf(tmp_path, uploads, job)
    apart = replace(shelf.reuse, without_tenant=False)
    other = track(tmp_path, another_job(tenant=tenant))
    assert shelf.reuse.find(other, WEIGHTS)
    assert (apart.find(other, WEIGHTS) is not None) == is_found
    for key in shelf.objects.keys("out", "stems/."):
        shelf.objects.remove("out", key)
    apart.add_to_index(shelf.first_track, shelf.first)
    assert bool(shelf.objects.keys("out", "stems/.")) == is_found
