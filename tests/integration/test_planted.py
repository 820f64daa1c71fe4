"""What somebody plants who may write to the output bucket, or who chooses ids and prefixes, on real servers."""

import io
import json
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from consumer.core.errors import Code
from consumer.core.events import DeadLetter, OutputOptions, SeparationRequest, SeparationResult, SourceUsed, Stem
from consumer.core.manifest import Manifest
from consumer.pipeline.stages.validate import fingerprint_of
from harness.clips import write_clip
from harness.fakes import NOON
from harness.gateway import gateway
from harness.platform import Platform

KEY = "a-key-of-the-tests-with-enough-characters"
SECRET = b"RIFF a private object, which no request may be answered with"
HUGE_BYTES = 256 << 20


@pytest.fixture
def song(platform: Platform, tmp_path: Path) -> str:
    return platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))


def put(platform: Platform, bucket: str, key: str, data: bytes, **metadata: str) -> None:
    platform.minio.put_object(bucket, key, io.BytesIO(data), len(data), metadata=dict(metadata))


def got(platform: Platform, bucket: str, key: str) -> bytes:
    response = platform.minio.get_object(bucket, key)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


class Sender:
    """Sends one request after the other, and waits for the outcome of each."""

    def __init__(self, platform: Platform, song: str) -> None:
        self._platform, self._song = platform, song
        self._seen: list[SeparationResult | DeadLetter] = []

    def _send(self, request_id: str, prefix: str | None, tenant: str | None) -> SeparationResult | DeadLetter:
        output = OutputOptions(prefix=prefix)
        self._platform.request(self._song, request_id=request_id, tenant=tenant, output=output)
        outcomes = self._platform.outcomes(len(self._seen) + 1)
        [new] = [outcome for outcome in outcomes if outcome not in self._seen]
        self._seen = outcomes
        return new

    def result(self, request_id: str, prefix: str | None = None, tenant: str | None = None) -> SeparationResult:
        outcome = self._send(request_id, prefix, tenant)
        assert isinstance(outcome, SeparationResult), outcome
        return outcome

    def letter(self, request_id: str, prefix: str | None = None, tenant: str | None = None) -> DeadLetter:
        outcome = self._send(request_id, prefix, tenant)
        assert isinstance(outcome, DeadLetter), outcome
        return outcome


@pytest.fixture
def sender(platform: Platform, song: str) -> Sender:
    return Sender(platform, song)


def planted(request: SeparationRequest, *stems: Stem) -> Manifest:
    """As the service would write it for that request, but for where the stems lie."""
    source = SourceUsed(bucket=request.source.bucket, key=request.source.key, format="wav", duration_s=3.0, channels=2)
    return Manifest(
        request_id=request.request_id, fingerprint=fingerprint_of(request), source=source, model="2stems",
        weights_sha256="0" * 64, stems=stems, timings_s={}, completed_at=NOON,
    )  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("key", [None, KEY], ids=["without", "with"])
def test_a_planted_manifest_hands_out_nothing(platform: Platform, song: str, sender: Sender, key: str | None) -> None:
    """Neither in a result, nor at the gateway as document, stem, part, archive or waveform; and it stays as it is."""
    keys = {"MANIFEST_KEY": key} if key else {}
    private = Stem(
        name="vocals", bucket=platform.source_bucket, key="private.wav", size_bytes=len(SECRET), sha256="a" * 64
    )
    put(platform, private.bucket, private.key, SECRET)
    beside = replace(private, bucket=platform.output_bucket, key="stems/other/vocals.wav")
    put(platform, beside.bucket, beside.key, SECRET)
    platform.start_replica(**keys)
    with gateway(platform, **keys) as door:
        for request_id, stem in (("first", private), ("second", beside)):
            data = planted(platform.a_request(song, request_id=request_id), stem).to_json()
            place = f"stems/{request_id}/manifest.json"
            put(platform, platform.output_bucket, place, data)
            pages = [f"/v1/separations/{request_id}{page}" for page in ("/stems/vocals", "/archive", "/waveform")]
            for page in (f"/v1/separations/{request_id}", *pages):
                assert door.http.get(page, headers={"Range": "bytes=0-9"}).status_code == 404
            refused = sender.letter(request_id)
            assert (refused.code, refused.request_id) == (Code.REQUEST_INVALID, request_id)
            assert "not written by this service" in refused.message
            assert got(platform, platform.output_bucket, place) == data
            for page in pages:
                told = door.http.get(page)
                assert told.status_code in (404, 409)
                assert SECRET not in told.content


@pytest.mark.attack
def test_somebodys_album_is_not_replaced(platform: Platform, sender: Sender) -> None:
    """By an id and a prefix of the sender's choice; the next request, to a place that is free, gets its stems."""
    album = {"albums/best/vocals.wav": b"an album", "albums/rest/manifest.json": b'{"name": "a page of somebody\'s"}'}
    for key, data in album.items():
        put(platform, platform.output_bucket, key, data)
    platform.start_replica()
    for request_id in ("best", "rest"):
        assert sender.letter(request_id, "albums/").code == Code.REQUEST_INVALID
    for key, data in album.items():
        assert got(platform, platform.output_bucket, key) == data
    assert not sender.result("free", "albums/").deduplicated
    assert sender.result("free", "albums/").deduplicated


@pytest.mark.attack
def test_a_tenant_gets_nothing_under_anothers_id(platform: Platform, sender: Sender) -> None:
    """The same wish, the same id: stems of its own in its own place, and none where both name one place."""
    platform.start_replica()
    for tenant, prefix, folder in (("a", None, "stems/a/"), ("b", None, "stems/b/"), ("a", "shared/", "shared/")):
        made = sender.result("same", prefix, tenant)
        assert not made.deduplicated
        assert all(stem.key.startswith(f"{folder}same/") for stem in made.stems)
    assert "used before" in sender.letter("same", "shared/", "b").message
    refused = sender.letter("same", "stems/a/", "b")
    assert (refused.code, "other tenants" in refused.message) == (Code.BUCKET_NOT_ALLOWED, True)


@pytest.mark.attack
def test_a_huge_manifest_is_not_read(platform: Platform, song: str, sender: Sender) -> None:
    """256 MiB of blanks before a true one: refused, by replica and gateway, in a few MiB of memory."""
    data = b" " * HUGE_BYTES + planted(platform.a_request(song, request_id="huge")).to_json()
    put(platform, platform.output_bucket, "stems/huge/manifest.json", data)
    put(platform, platform.output_bucket, "forgotten/stems/none/tomb.json", data)
    replica = platform.start_replica()
    replica.wait_ready()
    with gateway(platform) as door:
        processes = [psutil.Process(each.process.pid) for each in (replica, door.process)]
        assert door.http.get("/v1/separations/nobody").status_code == 404
        before = [process.memory_info().rss for process in processes]
        for number in range(3):
            assert door.http.get("/v1/separations/huge").status_code == (404 if number == 0 else 200)
            assert door.http.get("/v1/separations/tomb").status_code == 410
            assert sender.letter("huge").code == Code.REQUEST_INVALID
        grown = [process.memory_info().rss - was for process, was in zip(processes, before, strict=True)]
        assert max(grown) < HUGE_BYTES / 4


def test_signed_manifests_are_recalled_while_keys_rotate(platform: Platform, sender: Sender, tmp_path: Path) -> None:
    """By a key in a file that is followed; what was there before the first key is, where that is accepted."""
    replica = platform.start_replica()
    sender.result("unsigned")
    replica.process.terminate()
    replica.process.wait(60)
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    platform.start_replica(MANIFEST_KEY_FILE=str(keys), MANIFEST_UNSIGNED="accept")
    sender.result("signed")
    assert "mac" in json.loads(got(platform, platform.output_bucket, "stems/signed/manifest.json"))
    keys.write_text(f"{KEY[::-1]},{KEY}\n")
    assert sender.result("unsigned").deduplicated
    assert sender.result("signed").deduplicated
    keys.write_text(f"{KEY[::-1]}\n")
    assert sender.letter("signed").code == Code.REQUEST_INVALID


@pytest.mark.attack
def test_a_tenant_keeps_to_its_places(platform: Platform, song: str, sender: Sender, tmp_path: Path) -> None:
    """As TENANTS_FILE has them: in Kafka a dead letter, over HTTP 403."""
    file = tmp_path / "tenants.json"
    own = {"tenant": "own", "sources": [{"bucket": platform.source_bucket}]}
    other = {"tenant": "other", "sources": [{"bucket": platform.source_bucket, "prefix": "other/"}]}
    file.write_text(json.dumps({"version": 1, "tenants": [own, other]}))
    platform.start_replica(TENANTS_FILE=str(file))
    for tenant in ("other", None):
        refused = sender.letter(f"of-{tenant}", None, tenant)
        assert (refused.code, "may not read" in refused.message) == (Code.BUCKET_NOT_ALLOWED, True)
    with gateway(platform, TENANTS_FILE=str(file)) as door:  # whose key has no tenant
        body = {"source": {"bucket": platform.source_bucket, "key": song}}
        told = door.http.post("/v1/separations", json=body)
        assert (told.status_code, told.json()["code"]) == (403, "BUCKET_NOT_ALLOWED")
    sender.result("of-own", None, "own")
