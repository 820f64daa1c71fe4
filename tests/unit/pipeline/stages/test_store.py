import contextlib
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.core.errors import Code, NotOurs, Rejected, StoreUnavailable
from consumer.core.manifest import Manifest, parse_manifest
from consumer.core.model import Job, LocalTrack, ObjectFacts, Stems, StoredStems
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.store import Store
from consumer.testing.store import MemoryStore
from harness.fakes import a_job, a_separation, forgotten_in

SOURCE = ObjectFacts(bucket="in", key="a.mp3", etag="e1", size_bytes=3, version_id="v1")
KEYS = ["stems/r1/vocals.wav", "stems/r1/accompaniment.wav"]
MANIFEST = "stems/r1/manifest.json"


@pytest.fixture
def uploads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def some_stems(folder: Path, job: Job | None = None, *, salt: bytes = b"", **separation: Any) -> Stems:
    folder.mkdir(exist_ok=True)
    track = LocalTrack(job=job or a_job(), source=SOURCE, path=folder / "source.mp3", sha256="5" * 64)
    return Stems(track=track, separation=a_separation(folder, salt=salt, **separation))


class Recorder(MemoryStore):
    """Notes every write that was made, in its order; `fail_at` is the write that the store fails at, from 0."""

    def __init__(self, *buckets: str, fail_at: int = -1) -> None:
        super().__init__(*buckets)
        self.writes: list[tuple[str, str]] = []
        self._fail_at = fail_at

    def _put(self, bucket: str, key: str, *args: Any, may_exist: bool) -> ObjectFacts | None:
        if len(self.writes) == self._fail_at:
            self._fail_at = -1
            raise StoreUnavailable("away")
        self.writes.append(("replace" if may_exist else "create", key))
        return super()._put(bucket, key, *args, may_exist=may_exist)


def run(store: MemoryStore, uploads: ThreadPoolExecutor, stems: Stems) -> StoredStems:
    return Store(store=store, uploads=uploads, forgotten=forgotten_in(store))(stems, {"fetch": 0.5})


def standing(store: MemoryStore) -> Manifest:
    manifest = parse_manifest(store.read("out", MANIFEST) or b"")
    assert manifest
    return manifest


def is_whole(store: MemoryStore, manifest: Manifest) -> bool:
    """Whether the objects are those that the manifest tells of."""
    return all(
        hashlib.sha256(store.read(stem.bucket, stem.key) or b"").hexdigest() == stem.sha256 for stem in manifest.stems
    )


def test_the_manifest_has_the_track(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Which of the file's audio tracks was separated; where an earlier manifest says nothing, the first."""
    store, stems = MemoryStore("out"), some_stems(tmp_path)
    audio = replace(stems.separation.audio, track=2)
    stored = run(store, uploads, replace(stems, separation=replace(stems.separation, audio=audio)))
    assert (stored.manifest.source.track, standing(store).source.track) == (2, 2)
    earlier = json.loads(stored.manifest.to_json())
    del earlier["source"]["track"]
    without = parse_manifest(json.dumps(earlier).encode())
    assert without
    assert without.source.track == 0


def test_the_manifest_has_the_warnings(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """What the separator left out is told wherever the result is told of."""
    stems = some_stems(tmp_path)
    told = replace(stems, separation=replace(stems.separation, warnings=("no cover",)))
    store = Recorder("out")
    assert run(store, uploads, told).manifest.warnings == standing(store).warnings == ("no cover",)


def test_the_manifest_is_written_last(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Stems are stored first; the manifest behind them tells of each with size, digest and what was heard in it."""
    store = Recorder("out")
    stored = run(store, uploads, some_stems(tmp_path))
    assert sorted(store.writes[:-1]) == sorted(("create", key) for key in KEYS)
    assert store.writes[-1] == ("create", MANIFEST)
    assert standing(store) == stored.manifest
    assert is_whole(store, stored.manifest)
    assert not stored.deduplicated
    vocals = stored.manifest.stems[0]
    assert (vocals.name, vocals.key, vocals.size_bytes, vocals.peak) == ("vocals", KEYS[0], 6, 0.5)
    assert stored.manifest.source.etag == "e1"
    assert stored.manifest.timings_s == {"fetch": 0.5, "decode": 0.1}
    assert stored.manifest.overviews["vocals"] == (0.1, 0.5)
    assert [store.media_type("out", key) for key in (*KEYS, MANIFEST)] == ["audio/wav"] * 2 + ["application/json"]


def test_a_second_run_changes_nothing(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """The same attempt again, though its bytes differ, adopts what stands: the first one's result stays true."""
    store = Recorder("out")
    first = run(store, uploads, some_stems(tmp_path / "a"))
    store.writes.clear()
    second = run(store, uploads, some_stems(tmp_path / "b", salt=b"another encoder run"))
    assert second.manifest == first.manifest == standing(store)
    assert is_whole(store, first.manifest)
    assert "replace" not in [kind for kind, _ in store.writes]


@pytest.mark.parametrize("fail_at", range(3))
def test_a_run_that_was_interrupted_is_completed(tmp_path: Path, uploads: ThreadPoolExecutor, fail_at: int) -> None:
    """Wherever the store failed, no manifest stands before the stems are whole, and the next run completes it."""
    store = Recorder("out", fail_at=fail_at)
    with pytest.raises(StoreUnavailable):
        run(store, uploads, some_stems(tmp_path / "a"))
    assert store.read("out", MANIFEST) is None
    stored = run(store, uploads, some_stems(tmp_path / "b", salt=b"2"))
    assert standing(store) == stored.manifest
    assert is_whole(store, stored.manifest)


def test_leftovers_of_an_earlier_attempt_are_replaced(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Stems that the same request made with other weights, and without coming to an end, give way to ours."""
    store = Recorder("out")
    run(store, uploads, some_stems(tmp_path / "a", salt=b"old", weights_sha256="1" * 64))
    store.remove("out", MANIFEST)
    stored = run(store, uploads, some_stems(tmp_path / "b", salt=b"new"))
    assert store.read("out", KEYS[0]) == b"vocalsnew"
    assert standing(store) == stored.manifest
    assert is_whole(store, stored.manifest)


def test_an_attempt_that_comes_second_takes_the_firsts_result(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Stems that a manifest of the same request tells of stay as they are, though ours are of other weights."""
    store = Recorder("out")
    first = run(store, uploads, some_stems(tmp_path / "a", weights_sha256="1" * 64))
    second = run(store, uploads, some_stems(tmp_path / "b", salt=b"new"))
    assert second.manifest == first.manifest == standing(store)
    assert is_whole(store, first.manifest)


@pytest.mark.parametrize("is_finished", [True, False])
def test_of_two_requests_with_one_id_the_second_is_refused(
    tmp_path: Path, uploads: ThreadPoolExecutor, is_finished: bool
) -> None:
    """What another request under this id has stored is not touched, whether or not its manifest stands yet."""
    store = Recorder("out")
    first = run(store, uploads, some_stems(tmp_path / "a", salt=b"first"))
    if not is_finished:
        store.remove("out", MANIFEST)
    store.writes.clear()
    with pytest.raises(Rejected, match="used before") as caught:
        run(store, uploads, some_stems(tmp_path / "b", a_job(fingerprint="e" * 64), salt=b"second"))
    assert caught.value.code == Code.REQUEST_INVALID
    assert "replace" not in [kind for kind, _ in store.writes]
    assert is_whole(store, first.manifest)


def test_of_two_requests_at_once_one_wins_and_tells_the_truth(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """However the writes of two requests with one id interleave, whoever gets a result finds its stems unchanged."""
    for number in range(20):
        store = MemoryStore("out")
        attempts = [
            some_stems(tmp_path / f"{number}-{who}", a_job(fingerprint=who * 64), salt=who.encode()) for who in "ef"
        ]

        def attempt(stems: Stems, store: MemoryStore = store) -> StoredStems | None:
            with contextlib.suppress(Rejected):
                return run(store, uploads, stems)
            return None

        with ThreadPoolExecutor(2) as replicas:
            results = [result for result in replicas.map(attempt, attempts) if result]
        assert len(results) <= 1
        assert all(is_whole(store, result.manifest) for result in results)


def test_a_manifest_of_stems_that_are_gone_is_replaced(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Where stems were removed, the manifest that the same request wrote of them gives way to that of new ones."""
    store = Recorder("out")
    run(store, uploads, some_stems(tmp_path / "a"))
    store.remove("out", KEYS[0])
    stored = run(store, uploads, some_stems(tmp_path / "b", salt=b"new"))
    assert standing(store) == stored.manifest
    assert is_whole(store, standing(store))


@pytest.mark.attack
@pytest.mark.parametrize("key", [*KEYS, MANIFEST])
@pytest.mark.parametrize("metadata", [{}, {"stem": "{"}, {"album": "theirs"}], ids=["bare", "broken", "described"])
def test_an_object_that_no_request_made_is_never_replaced(
    tmp_path: Path, uploads: ThreadPoolExecutor, key: str, metadata: dict[str, str]
) -> None:
    """A request whose id and prefix lead to somebody's album is rejected, and the album stays as it is."""
    store = Recorder("out")
    store.create("out", key, b"somebody's", media_type="audio/wav", metadata=metadata)
    for attempt in ("a", "b"):  # also when it is tried again, after the stems beside it were stored
        with pytest.raises(NotOurs, match="not written by this service") as caught:
            run(store, uploads, some_stems(tmp_path / attempt, salt=attempt.encode()))
        assert caught.value.code == Code.REQUEST_INVALID
    assert store.read("out", key) == b"somebody's"
    assert ("replace", key) not in store.writes


@pytest.mark.attack
def test_a_stem_that_lies_about_its_bytes_is_not_adopted(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Bytes under the metadata of another attempt, which tell of other bytes, get into no manifest."""
    store = Recorder("out")
    run(store, uploads, some_stems(tmp_path / "a"))
    facts = store.stat("out", KEYS[0])
    assert facts
    store.remove("out", MANIFEST)
    store.replace("out", KEYS[0], b"planted!"[: facts.size_bytes], media_type="", metadata=facts.metadata)
    stored = run(store, uploads, some_stems(tmp_path / "b"))
    assert is_whole(store, stored.manifest)


def test_another_requests_stems_are_not_claimed(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """A request id whose manifest stands for another wish is refused, and its stems stay as they are."""
    store = Recorder("out")
    first = run(store, uploads, some_stems(tmp_path / "a"))
    other = a_job(fingerprint="e" * 64, format="flac")
    with pytest.raises(Rejected, match="used before") as caught:
        run(store, uploads, some_stems(tmp_path / "b", other, salt=b"other"))
    assert caught.value.code == Code.REQUEST_INVALID
    assert standing(store) == first.manifest
    assert is_whole(store, first.manifest)


def test_a_stem_that_vanishes_in_between_is_tried_again(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """A stem that was in the way and then was not is the world's fault."""

    class Vanishing(MemoryStore):
        def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
            return None

    store = Vanishing("out")
    store.create("out", KEYS[0], b"x", media_type="", metadata={})
    with pytest.raises(StoreUnavailable):
        run(store, uploads, some_stems(tmp_path))


def test_many_attempts_at_once_agree(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Attempts that run side by side all end with the one manifest that stands, and its stems are whole."""
    store = MemoryStore("out")
    with ThreadPoolExecutor(6) as replicas:
        attempts = [some_stems(tmp_path / str(n), salt=b"%d" % n) for n in range(6)]
        results = list(replicas.map(lambda stems: run(store, uploads, stems), attempts))
    assert {result.manifest.stems for result in results} == {standing(store).stems}
    assert is_whole(store, standing(store))


def test_what_was_stored_is_recalled(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """A request that was answered before is answered from its manifest, as long as the stems are there."""
    store, job = MemoryStore("out"), a_job()
    recall = Recall(store=store, forgotten=forgotten_in(store))
    assert recall(job) is None
    stored = run(store, uploads, some_stems(tmp_path))
    recalled = recall(job)
    assert recalled
    assert (recalled.manifest, recalled.deduplicated) == (stored.manifest, True)
    with pytest.raises(Rejected, match="used before") as caught:
        recall(a_job(fingerprint="e" * 64))
    assert caught.value.code == Code.REQUEST_INVALID
    store.replace("out", KEYS[0], b"shorter or longer", media_type="", metadata={})
    assert recall(job) is None
    store.remove("out", KEYS[0])
    assert recall(job) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[" * 100_000, b"\xff", b'{"request_id": "\xff"}', b'{"request_id": 1}'],
    ids=["empty", "object", "deep", "binary", "not_utf8", "types"],
)
def test_a_strange_manifest_is_not_replaced(data: bytes) -> None:
    """Whatever else lies where the manifest should: the request is rejected before anything is done for it."""
    store = MemoryStore("out")
    store.create("out", MANIFEST, data, media_type="", metadata={})
    with pytest.raises(NotOurs):
        Recall(store=store, forgotten=forgotten_in(store))(a_job())
    assert store.read("out", MANIFEST) == data


def test_a_later_versions_manifest_is_not_believed(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """A manifest of a version that is not ours is as good as none."""
    store = MemoryStore("out")
    manifest = run(store, uploads, some_stems(tmp_path)).manifest
    data = manifest.to_json()
    assert parse_manifest(data) == manifest
    assert parse_manifest(data.replace(b'"version": 1', b'"version": 2')) is None
