import errno
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumer.adapters import model_sources as sources_module
from consumer.adapters.model_sources import BucketModelSource, HttpModelSource, SpleeterRelease, model_sources
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import Code, ModelSourceUnavailable, Rejected
from consumer.core.model_digests import RELEASE, RELEASED_ARCHIVES, parse_model_digests
from consumer.pipeline.model_store import FORGET_FAILURE_S, ModelStore
from consumer.testing.store import MemoryStore
from harness.clock import ManualClock
from harness.fakes import serve

INDEX, DATA = b"index", b"weights" * 1000
FILES = {"model.index": INDEX, "model.data-00000-of-00001": DATA, "checkpoint": b'model_checkpoint_path: "model"\n'}
DIGEST = hashlib.sha256(INDEX + DATA).hexdigest()


def archive(files: dict[str, bytes], link: str | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
    return out.getvalue()


def published(content: bytes, checksum: str | None = None) -> dict[str, tuple[int, bytes]]:
    """A release's pages, with the archive's own checksum unless another is given."""
    checksums = {"2stems": checksum or hashlib.sha256(content).hexdigest()}
    return {"/v1/checksum.json": (200, json.dumps(checksums).encode()), "/v1/2stems.tar.gz": (200, content)}


@contextmanager
def weights_from(
    pages: dict[str, tuple[int, bytes]], model_path: Path, clock: Clock = SYSTEM_CLOCK
) -> Iterator[tuple[ModelStore, list[str]]]:
    with serve(pages) as (address, asked), capture_logs():
        yield ModelStore(model_path, [HttpModelSource(f"{address}/v1/")], clock=clock), asked


def refused(ensure: Callable[[str], str], model: str = "2stems") -> str:
    with pytest.raises(Rejected) as caught:
        ensure(model)
    assert caught.value.code == Code.MODEL_UNAVAILABLE
    return caught.value.message


def away(ensure: Callable[[str], str]) -> str:
    with pytest.raises(ModelSourceUnavailable) as caught:
        ensure("2stems")
    return str(caught.value)


def test_a_missing_model_is_fetched_checked_and_kept(tmp_path: Path) -> None:
    """A model is fetched once; its two bands, and whoever comes later, find the same checkpoint on disk."""
    with weights_from(published(archive(FILES)), tmp_path / "models") as (weights, asked):
        assert weights.ensure("2stems") == weights.ensure("2stems-16kHz") == DIGEST
    assert sorted(asked) == ["/v1/2stems.tar.gz", "/v1/checksum.json"]
    assert {path.name for path in (tmp_path / "models" / "2stems").iterdir()} == {*FILES, ".probe"}
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["2stems"]
    assert ModelStore(tmp_path / "models", []).ensure("2stems") == DIGEST


def test_what_is_on_disk_is_not_asked_for(tmp_path: Path) -> None:
    """A checkpoint under MODEL_PATH is used as it is, under whatever name its own state file gives it."""
    folder = tmp_path / "4stems"
    folder.mkdir()
    (folder / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/tuned"\n')
    (folder / "tuned.index").write_bytes(INDEX)
    (folder / "tuned.data-00000-of-00001").write_bytes(DATA)
    with weights_from({}, tmp_path) as (weights, asked):
        assert weights.ensure("4stems") == DIGEST
    assert asked == []


BROKEN = archive({"big": bytes(range(256)) * 4000, **FILES})
UNUSABLE = {
    "checksum": (published(archive(FILES), checksum="0" * 64), "published checksum"),
    "truncated": (published(BROKEN[:-50]), "can't be unpacked"),
    "damaged": (published(BROKEN[:100] + bytes(200) + BROKEN[300:]), "can't be unpacked"),
    "not_an_archive": (published(b"<html>login</html>"), "can't be unpacked"),
    "traversal": (published(archive({**FILES, "../evil": b"x"})), "can't be unpacked"),
    "absolute_link": (published(archive(FILES, link="/etc/passwd")), "can't be unpacked"),
    "no_checkpoint": (published(archive({"readme": b"x"})), "no checkpoint"),
    "no_archive": ({"/v1/checksum.json": (200, b'{"2stems": "00"}')}, "not in this source"),
    "no_checksums": ({}, "not in this source"),
    "odd_checksums": ({**published(b""), "/v1/checksum.json": (200, b"[]")}, "no checksum"),
    "html_checksums": ({**published(b""), "/v1/checksum.json": (200, b"<html>")}, "no checksum"),
    "unlisted": ({**published(b""), "/v1/checksum.json": (200, b"{}")}, "no checksum"),
}


@pytest.mark.parametrize(("pages", "told"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_source_that_can_not_be_trusted_leaves_nothing(
    tmp_path: Path, pages: dict[str, tuple[int, bytes]], told: str
) -> None:
    """Whatever is wrong with a source, the model is unavailable, the reason is told, and the disk is as before."""
    with weights_from(pages, tmp_path / "models") as (weights, _):
        message = refused(weights.ensure)
    assert told in message
    assert "release: " in message
    assert "127.0.0.1" not in message
    assert list((tmp_path / "models").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_source_that_does_not_answer_is_passed_over(tmp_path: Path) -> None:
    """The next source is asked where one is away or lacks the model; a bucket serves as well as a release."""
    store = MemoryStore("models")
    for page, (_, content) in published(archive(FILES)).items():
        store.create("models", f"mirror/{page.rpartition('/')[2]}", content, media_type="", metadata={})
    with serve({}) as (address, _):
        empty = address
    sources = model_sources([empty, "none", "s3://models/elsewhere", "s3://models/mirror/"], store)
    assert [source.name for source in sources] == ["release", "s3://models/elsewhere", "s3://models/mirror/"]
    with capture_logs() as logs:
        assert ModelStore(tmp_path, sources).ensure("2stems") == DIGEST
    assert logs[-1]["source"] == "s3://models/mirror/"


def test_sources_in_a_bucket_need_a_store() -> None:
    """Without object storage only releases are asked, and an object that vanishes counts as a source that is away."""
    assert [source.name for source in model_sources(["s3://models/x", "https://a", "none"], None)] == ["release"]

    class Vanishing(MemoryStore):
        def fetch(self, *_: object) -> str:
            raise Rejected(Code.OBJECT_CHANGED, "gone")

    store = Vanishing("models")
    store.create("models", "checksum.json", b"{}", media_type="", metadata={})
    with pytest.raises(ModelSourceUnavailable, match="gone"):
        BucketModelSource(store, "models", "").fetch("checksum.json", Path("unused"))


def test_a_failure_is_remembered_for_a_while(tmp_path: Path) -> None:
    """A source that failed is not asked for every record; after a while it is."""
    pages, clock = published(archive(FILES), checksum="0" * 64), ManualClock()
    with weights_from(pages, tmp_path, clock) as (weights, asked):
        refused(weights.ensure)
        requests = len(asked)
        clock.advance(FORGET_FAILURE_S - 1)
        refused(weights.ensure)
        assert len(asked) == requests
        pages.update(published(archive(FILES)))
        clock.advance(1)
        assert weights.ensure("2stems") == DIGEST


def test_an_outage_of_a_source_is_no_requests_fault(tmp_path: Path) -> None:
    """While a source does not answer, and no other has the model, nobody knows that it can't be had; it is asked again.

    The disk is left as it was.
    """
    pages: dict[str, tuple[int, bytes]] = {"/v1/checksum.json": (500, b"")}
    with serve({}) as (empty, _), weights_from(pages, tmp_path) as (weights, asked):
        weights._sources = [HttpModelSource(empty), *weights._sources]
        told = away(weights.ensure)
        assert told.startswith("model 2stems: not under MODEL_PATH; release: model 2stems: not in this source; ")
        assert "can't be reached" in told
        assert "127.0.0.1" not in told
        assert list(tmp_path.iterdir()) == []
        requests = len(asked)
        away(weights.ensure)
        assert len(asked) > requests
        pages.update(published(archive(FILES)))
        assert weights.ensure("2stems") == DIGEST


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up while an archive is written or unpacked is no fault of the archive; it may be emptied."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with weights_from(published(archive(FILES)), tmp_path) as (weights, _):
        for owner, name in ((shutil, "copyfileobj"), (Path, "open")):
            with monkeypatch.context() as patched:
                patched.setattr(owner, name, full)
                told = away(weights.ensure)
            assert told.endswith("release: MODEL_PATH can't be written to (No space left on device)")
            assert list(tmp_path.iterdir()) == []
        assert weights.ensure("2stems") == DIGEST


def test_what_dead_processes_left_behind_is_removed(tmp_path: Path) -> None:
    """A folder of a fetch that began more than a day ago is removed before the next; a younger one may be at work."""
    for name, age_s in ((".fetching-old", 2 * 86400), (".fetching-young", 3600), ("others", 2 * 86400)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "archive.tar.gz").write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    with weights_from(published(archive(FILES)), tmp_path) as (weights, _):
        weights.ensure("2stems")
    assert {path.name for path in tmp_path.iterdir()} == {".fetching-young", "others", "2stems"}


def test_who_needs_another_model_does_not_wait(tmp_path: Path) -> None:
    """While one model is being fetched, however slowly, one that is there is told of."""
    (tmp_path / "4stems").mkdir()
    for name, data in FILES.items():
        (tmp_path / "4stems" / name).write_bytes(data)
    asked, go_on = threading.Event(), threading.Event()

    class Slow:
        name = "slow"

        def fetch(self, file: str, path: Path) -> bool:
            asked.set()
            assert go_on.wait(60)
            return False

    weights, found = ModelStore(tmp_path, [Slow()]), []
    fetching = threading.Thread(target=lambda: found.append(refused(weights.ensure)))
    fetching.start()
    other = threading.Thread(target=lambda: found.append(weights.ensure("4stems")))
    assert asked.wait(60)
    other.start()
    other.join(60)
    assert found == [DIGEST]
    go_on.set()
    fetching.join(60)
    assert "not in this source" in found[1]


@pytest.mark.parametrize("model", ["7stems", "../2stems", ""])
def test_an_unknown_model_is_not_looked_for(tmp_path: Path, model: str) -> None:
    """Only the models of the catalog have folders."""
    with weights_from(published(archive(FILES)), tmp_path) as (weights, asked):
        assert "unknown" in refused(weights.ensure, model)
    assert asked == []


def test_a_model_path_that_can_not_be_written_to_is_named(tmp_path: Path) -> None:
    """Where the model can't be put anywhere, the variable is named."""
    (tmp_path / "file").write_text("")
    with weights_from(published(archive(FILES)), tmp_path / "file" / "models") as (weights, _):
        assert "MODEL_PATH can't be written to" in away(weights.ensure)


def test_a_model_is_prepared_once_before_it_is_told_of(tmp_path: Path) -> None:
    """Who wants to make something of a new model hears of it with its digest, once, however often it is asked for."""
    folder = tmp_path / "2stems"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    told: list[tuple[str, Path, str]] = []
    weights = ModelStore(tmp_path, [], prepare=lambda *model: told.append(model))
    assert weights.ensure("2stems") == weights.ensure("2stems") == DIGEST
    assert told == [("2stems", folder, DIGEST)]


def test_threads_fetch_a_model_once(tmp_path: Path) -> None:
    """Workers that need the same model at once share one download."""
    found: list[str] = []
    with weights_from(published(archive(FILES)), tmp_path) as (weights, asked):
        threads = [threading.Thread(target=lambda: found.append(weights.ensure("2stems"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == [DIGEST] * 6
    assert len(asked) == 2


@pytest.mark.parametrize("is_there", [True, False])
def test_another_process_may_be_faster(tmp_path: Path, *, is_there: bool) -> None:
    """Where the model's folder has come to stand meanwhile it is used; what else is in the way is told."""
    pages = published(archive(FILES))
    folder = tmp_path / "models" / "2stems"

    class Slow(HttpModelSource):
        def fetch(self, file: str, path: Path) -> bool:
            found = super().fetch(file, path)
            folder.parent.mkdir(exist_ok=True)
            if is_there:
                folder.mkdir(exist_ok=True)
                for name, content in FILES.items():
                    (folder / name).write_bytes(content)
            else:
                folder.write_text("a file")
            return found

    with serve(pages) as (address, _), capture_logs():
        store = ModelStore(tmp_path / "models", [Slow(f"{address}/v1/")])
        if is_there:
            assert store.ensure("2stems") == DIGEST
        else:
            assert "MODEL_PATH can't be written to" in away(store.ensure)


@pytest.mark.attack
def test_a_release_whose_archive_and_checksum_were_both_replaced_is_refused(tmp_path: Path) -> None:
    """Who answers in Spleeter's place answers with a checksum that fits; the digest in this repository does not."""
    with serve(published(archive(FILES))) as (address, asked):
        store = ModelStore(tmp_path / "models", [SpleeterRelease(f"{address}/v1/")])
        told = refused(store.ensure)
    assert told.endswith("release: model 2stems: its archive does not have the pinned digest of Spleeter's own")
    assert "/v1/2stems.tar.gz" in asked
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("address", [RELEASE, f"{RELEASE}/", RELEASE.upper(), RELEASE.replace("https", "http")])
def test_spleeters_own_release_is_known_however_it_is_spelt(address: str) -> None:
    """Its archives' digests are those that its own project tests for; a mirror's may be anybody's."""
    assert [type(source) for source in model_sources([address], None)] == [SpleeterRelease]
    assert [type(source) for source in model_sources([f"{RELEASE}.1", "https://mirror/v1.4.0"], None)] == [
        HttpModelSource,
        HttpModelSource,
    ]
    assert sorted(RELEASED_ARCHIVES) == ["2stems", "4stems", "5stems"]


def fetched_as(pages: dict[str, tuple[int, bytes]], model_path: Path, **digests: str) -> list[str]:
    with serve(pages) as (address, _), capture_logs() as logs:
        store = ModelStore(model_path, [HttpModelSource(f"{address}/v1/")], digests=digests)
        assert store.ensure("2stems") == DIGEST
    return [line["checked_by"] for line in logs if line["event"] == "model.fetched"]


def test_it_is_told_what_a_digest_was_held_against(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a checksum beside the archive is all there is, the log says so."""
    pages = published(archive(FILES))
    assert fetched_as(pages, tmp_path / "a") == ["checksum.json beside the archive alone"]
    assert fetched_as(pages, tmp_path / "b", **{"2stems": DIGEST}) == ["MODEL_SHA256"]
    monkeypatch.setitem(
        dict_of_pins := dict(RELEASED_ARCHIVES), "2stems", hashlib.sha256(pages["/v1/2stems.tar.gz"][1]).hexdigest()
    )
    monkeypatch.setattr("consumer.pipeline.model_store.RELEASED_ARCHIVES", dict_of_pins)
    assert fetched_as(pages, tmp_path / "c") == ["pinned digest"]


@pytest.mark.attack
def test_weights_of_another_digest_than_model_sha256_are_neither_pulled_nor_used(tmp_path: Path) -> None:
    """A mirror's own checksum does not help, and what was put under MODEL_PATH by hand is refused as well."""
    wanted = {"2stems": "0" * 64}
    variable = "which is not the one in MODEL_SHA256"
    with serve(published(archive(FILES))) as (address, _), capture_logs():
        store = ModelStore(tmp_path / "models", [HttpModelSource(f"{address}/v1/")], digests=wanted)
        told = refused(store.ensure)
        assert f"its checkpoint has the digest {DIGEST}, {variable}" in told
        assert "\n" not in told
    assert list((tmp_path / "models").iterdir()) == []
    folder = tmp_path / "models" / "2stems"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    prepared: list[str] = []
    there = ModelStore(tmp_path / "models", [], lambda model, *_: prepared.append(model), digests=wanted)
    assert variable in refused(there.ensure)
    assert variable in refused(there.ensure, "2stems-16kHz")
    assert prepared == []
    assert ModelStore(tmp_path / "models", [], digests={"4stems": "0" * 64}).ensure("2stems") == DIGEST


def test_digests_are_read_from_text() -> None:
    """Each for the folder of its model; whatever else it says is refused."""
    one, other = "aB" * 32, "0" * 64
    assert parse_model_digests("") == {}
    assert parse_model_digests(f" 2stems={one}, 4stems-16kHz = {other} ,") == {"2stems": one.lower(), "4stems": other}
    assert parse_model_digests(f"2stems={one},2stems-16kHz={one.lower()}") == {"2stems": one.lower()}
    for text, why in {
        f"3stems={one}": "no model '3stems'",
        "2stems": "model=sha256",
        "2stems=": "model=sha256",
        f"2stems={one[1:]}": "64 hexadecimal",
        f"2stems={one}0": "64 hexadecimal",
        f"2stems={'g' * 64}": "64 hexadecimal",
        f"2stems={one},2stems-16kHz={other}": "two digests for the weights in 2stems/",
    }.items():
        with pytest.raises(ValueError, match=why):
            parse_model_digests(text)


@pytest.mark.attack
def test_a_source_that_never_ends_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is fetched up to a size, from the web as from a bucket, and the disk is as before."""
    monkeypatch.setitem(sources_module._MOST_BYTES, ".gz", 4000)
    pages = published(archive({**FILES, "model.meta": os.urandom(5000)}))
    with weights_from(pages, tmp_path / "models") as (weights, _):
        told = refused(weights.ensure)
        assert "model 2stems: 2stems.tar.gz has more than 4000 bytes in this source" in told
    assert list((tmp_path / "models").iterdir()) == []
    store = MemoryStore("models")
    for page, (_, content) in pages.items():
        store.create("models", page.rpartition("/")[2], content, media_type="", metadata={})
    bucket = ModelStore(tmp_path / "models", [BucketModelSource(store, "models", "")])
    assert "more than 4000 bytes" in refused(bucket.ensure)


@pytest.mark.attack
def test_a_source_that_trickles_is_left(tmp_path: Path) -> None:
    """However slowly it goes on, an hour is enough; another source may be faster."""

    class Slow(ManualClock):
        def monotonic(self) -> float:
            self.advance(3601)
            return super().monotonic()

    with serve(published(archive(FILES))) as (address, _):
        source = HttpModelSource(f"{address}/v1", clock=Slow())
        with pytest.raises(ModelSourceUnavailable, match="did not come within 3600 s"):
            source.fetch("2stems.tar.gz", tmp_path / "archive")
