"""What is planted where the service keeps what it knows: manifests, entries of the indexes, tombstones."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.core.errors import Code, NotOurs, Rejected
from consumer.core.forgotten import tombstone_key
from consumer.core.limits import MOST_DOCUMENT_BYTES
from consumer.core.manifest import Manifest, parse_manifest
from consumer.core.model import Job, LocalTrack, ObjectFacts, Stems, StoredStems
from consumer.core.output_place import tenant_prefix
from consumer.core.seal import UNSEALED, Seal
from consumer.pipeline.documents import Documents
from consumer.pipeline.forgetting import Eraser, ErasingPlace
from consumer.pipeline.forgotten import ForgottenRequests, Tombstones
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.reuse import Reuse
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate
from consumer.testing.store import MemoryStore
from harness.fakes import NOON, a_job, a_request, a_separation

SEALED = Seal(keys=lambda: (b"k" * 32,))
MANIFEST = "stems/r1/manifest.json"
SOURCE = ObjectFacts(bucket="in", key="a.mp3", etag="e1", size_bytes=3)


@pytest.fixture
def uploads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Service:
    """A replica's stages on a store in memory."""

    def __init__(self, folder: Path, uploads: ThreadPoolExecutor, seal: Seal = UNSEALED) -> None:
        self.objects, self.seal = MemoryStore("out", "private"), seal
        self._folder = folder
        place = ErasingPlace(bucket="out", prefix="stems/", seal=seal)
        self.tombstones = Tombstones(store=self.objects, bucket="out", prefix="stems/", seal=seal)
        self.forgotten = ForgottenRequests(tombstones=self.tombstones, eraser=Eraser(self.objects, self.objects, place))
        self.recall = Recall(store=self.objects, forgotten=self.forgotten, seal=seal)
        self.store = Store(store=self.objects, uploads=uploads, forgotten=self.forgotten, seal=seal)
        self.reuse = Reuse(
            store=self.objects, bucket="out", prefix="stems/", buckets=("out",), forgotten=self.forgotten, seal=seal
        )

    def track(self, job: Job) -> LocalTrack:
        return LocalTrack(job=job, source=SOURCE, path=self._folder / "source.mp3", sha256="5" * 64)

    def separate(self, job: Job) -> StoredStems:
        track = self.track(job)
        stored = self.store(Stems(track=track, separation=a_separation(self._folder)), {})
        self.reuse.add_to_index(track, stored)
        return stored

    def plant(self, key: str, data: bytes, bucket: str = "out", **metadata: str) -> None:
        self.objects.replace(bucket, key, data, media_type="", metadata=metadata)


def changed(stored: StoredStems, **fields: Any) -> Manifest:
    """The manifest with its first stem described otherwise."""
    first, *others = stored.manifest.stems
    return replace(stored.manifest, etags={}, stems=(replace(first, **fields), *others))


@pytest.mark.attack
@pytest.mark.parametrize(
    "lie",
    [
        {"bucket": "private", "key": "secret.wav"},
        {"key": "stems/r2/vocals.wav"},
        {"key": "stems/r1/../r2/vocals.wav"},
        {"key": "stems/r1/manifest.json"},
        {"key": "stems/r1/vocals.flac"},
        {"name": "drums", "key": "stems/r1/drums.wav"},
        {"name": "accompaniment", "key": "stems/r1/accompaniment.wav"},
        {"name": "../r2/vocals", "key": "stems/r1/../r2/vocals.wav"},
        {"name": ""},
    ],
    ids=str,
)
def test_a_planted_manifest_that_names_other_objects_is_not_believed(
    tmp_path: Path, uploads: ThreadPoolExecutor, lie: dict[str, str]
) -> None:
    """Without any key: stems lie beside their manifest, under their names, in the job's format, or it is none."""
    service, job = Service(tmp_path, uploads), a_job()
    stored = service.separate(job)
    planted = changed(stored, **lie)
    for bucket, key in {(stem.bucket, stem.key) for stem in planted.stems}:
        if service.objects.stat(bucket, key) is None:
            facts = service.objects.stat("out", stored.manifest.stems[0].key)
            assert facts
            service.plant(key, b"vocals", bucket, **facts.metadata)
    service.plant(MANIFEST, planted.to_json())
    with pytest.raises(NotOurs):
        service.recall(job)
    assert service.reuse.find(service.track(a_job(a_request(request_id="r2"))), "0" * 64) is None


@pytest.mark.attack
def test_a_manifest_without_our_signature_is_not_believed(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """With a key, not even one that tells the truth; it is not replaced either."""
    service, job = Service(tmp_path, uploads, SEALED), a_job()
    stored = service.separate(job)
    recalled = service.recall(job)
    assert recalled
    assert recalled.manifest == stored.manifest
    for data in (stored.manifest.to_json(), Seal(keys=lambda: (b"z" * 32,)).close("out", MANIFEST, b'{"version":1}')):
        service.plant(MANIFEST, data)
        with pytest.raises(NotOurs):
            service.recall(job)
        with pytest.raises(NotOurs):
            service.store._seal(job, stored.manifest)
        assert service.objects.read("out", MANIFEST) == data


@pytest.mark.attack
def test_a_signed_manifest_is_not_believed_in_another_place(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Copied to where another request has its own, as it is."""
    service = Service(tmp_path, uploads, SEALED)
    service.separate(a_job())
    signed = service.objects.read("out", MANIFEST)
    assert signed
    service.plant("stems/r2/manifest.json", signed)
    with pytest.raises(NotOurs):
        service.recall(a_job(a_request(request_id="r2")))


@pytest.mark.attack
def test_an_index_entry_without_our_signature_is_not_followed(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Nor a true one that was copied to the place of another tenant's content."""
    service = Service(tmp_path, uploads, SEALED)
    service.separate(a_job())
    other = service.track(a_job(a_request(request_id="r2")))
    assert service.reuse.find(other, "0" * 64)
    [key] = service.objects.keys("out", "stems/.index/")
    signed = service.objects.read("out", key)
    assert signed
    entry = {name: value for name, value in json.loads(signed).items() if name != "mac"}
    service.plant(key, json.dumps(entry).encode())
    assert service.reuse.find(other, "0" * 64) is None
    stranger = service.track(a_job(a_request(request_id="r2", tenant="b")))
    service.plant(service.reuse._key(stranger, "0" * 64), signed)
    assert service.reuse.find(stranger, "0" * 64) is None


@pytest.mark.attack
def test_an_index_entry_does_not_lead_to_another_tenant(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Without any key too: planted for a tenant, it leads into that tenant's own place or out of all of them."""
    service = Service(tmp_path, uploads)
    folder = f"{tenant_prefix('stems/', 'a')}r1/"
    service.separate(a_job(a_request(tenant="a"), output_prefix=folder))
    [key] = service.objects.keys("out", "stems/.index/")
    entry = service.objects.read("out", key)
    assert entry
    stranger = service.track(a_job(a_request(request_id="r2", tenant="b")))
    service.plant(service.reuse._key(stranger, "0" * 64), entry)
    assert service.reuse.find(stranger, "0" * 64) is None


@pytest.mark.attack
@pytest.mark.parametrize("seal", [UNSEALED, SEALED], ids=["without", "with"])
def test_a_stem_whose_bytes_are_others_is_not_copied(tmp_path: Path, uploads: ThreadPoolExecutor, seal: Seal) -> None:
    """Of the same size and under the same metadata, as only reading it, or its etag, can tell."""
    service = Service(tmp_path, uploads, seal)
    stored = service.separate(a_job())
    other = service.track(a_job(a_request(request_id="r2")))
    assert service.reuse.find(other, "0" * 64)
    first = stored.manifest.stems[0]
    facts = service.objects.stat("out", first.key)
    assert facts
    service.plant(first.key, b"secret", **facts.metadata)
    if not seal.is_set:  # whoever can plant the one can plant the other
        service.plant(MANIFEST, changed(stored).to_json())
    assert service.reuse.find(other, "0" * 64) is None


@pytest.mark.attack
@pytest.mark.parametrize("seal", [UNSEALED, SEALED], ids=["without", "with"])
def test_a_huge_document_is_refused(tmp_path: Path, uploads: ThreadPoolExecutor, seal: Seal) -> None:
    """Be it a manifest, an entry or a tombstone, however true its beginning is."""
    service, job = Service(tmp_path, uploads, seal), a_job()
    service.separate(job)
    other = service.track(a_job(a_request(request_id="r2")))
    documents = Documents(store=service.objects, seal=seal)
    for key in (MANIFEST, *service.objects.keys("out", "stems/.index/")):
        document = service.objects.read("out", key)
        assert document
        service.plant(key, b" " * MOST_DOCUMENT_BYTES + document)
        with pytest.raises(NotOurs):
            documents.read("out", key)
    with pytest.raises(NotOurs):
        service.recall(job)
    assert service.reuse.find(other, "0" * 64) is None


@pytest.mark.attack
def test_a_planted_tombstone_takes_nothing_away(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """By one that bears no signature a request is hidden and refused, and its stems stay."""
    service, job = Service(tmp_path, uploads, SEALED), a_job()
    service.separate(job)
    there = service.objects.keys("out")
    service.plant(tombstone_key("stems/", None, "r1"), b'{"tenant":null,"forgotten_at":"2026-01-01T00:00:00Z"}')
    with pytest.raises(NotOurs):
        service.recall(job)
    assert set(there) <= set(service.objects.keys("out"))
    assert service.tombstones.stands(None, "r1")
    assert not service.tombstones.put(None, "r1", NOON)  # whoever may forget it signs what stands
    with pytest.raises(Rejected, match="forgotten") as caught:
        service.recall(job)
    assert caught.value.code is Code.CANCELLED
    assert not service.objects.keys("out", "stems/r1/")


@pytest.mark.attack
@pytest.mark.parametrize("prefix", [None, "shared/"])
def test_a_tenant_under_anothers_id_does_not_get_its_stems(
    tmp_path: Path, uploads: ThreadPoolExecutor, prefix: str | None
) -> None:
    """Where the same is asked for under the same id, even of a place that both name."""
    service = Service(tmp_path, uploads)
    validate = Validate(source_buckets=("in",), output_bucket="out", output_prefix="stems/")
    asked = a_request(tenant="a")
    asked = replace(asked, output=replace(asked.output, prefix=prefix))
    service.separate(validate(asked))
    assert service.recall(validate(asked))
    theirs = validate(replace(asked, tenant="b"))
    if prefix is None:
        assert service.recall(theirs) is None
    else:
        with pytest.raises(Rejected, match="used before"):
            service.recall(theirs)


@pytest.mark.attack
@pytest.mark.parametrize("prefix", ["stems/", "stems/a/", "stems/a/deeper/", "stems/b2/", "stems/.index/"])
def test_a_tenant_names_no_place_among_other_tenants(prefix: str) -> None:
    """Its own, and those outside of OUTPUT_PREFIX, it may."""
    validate = Validate(source_buckets=("in",), output_bucket="out", output_prefix="stems/")
    request = a_request(tenant="b")

    def place(prefix: str) -> str:
        return validate(replace(request, output=replace(request.output, prefix=prefix))).output_prefix

    with pytest.raises(Rejected, match="other tenants") as caught:
        place(prefix)
    assert caught.value.code is Code.BUCKET_NOT_ALLOWED
    assert place("stems/b/albums/") == "stems/b/albums/r1/"
    assert place("albums/") == "albums/r1/"


def test_what_a_tenant_stored_before_fingerprints_told_of_it_is_recalled(
    tmp_path: Path, uploads: ThreadPoolExecutor
) -> None:
    """In the tenant's own folder, where nobody else's can lie."""
    service = Service(tmp_path, uploads)
    validate = Validate(source_buckets=("in",), output_bucket="out", output_prefix="stems/")
    request = a_request(tenant="a")
    job = validate(request)
    earlier = validate(replace(request, tenant=None)).fingerprint
    service.separate(replace(job, fingerprint=earlier, earlier_fingerprint=None))
    assert service.recall(job)


@pytest.mark.parametrize(
    "change",
    [
        (b'"size_bytes": 6', b'"size_bytes": -1'),
        (b'"size_bytes": 6', b'"size_bytes": 99999999999999999999'),
        (b'"size_bytes": 6', b'"size_bytes": 6.5'),
        (b'"size_bytes": 6', b'"size_bytes": true'),
        (b'"peak": 0.5', b'"peak": NaN'),
        (b'"peak": 0.5', b'"peak": 1e999'),
        (b'"duration_s": 1.5', b'"duration_s": -1.5'),
        (b'"crc32": ', b'"crc32": -'),
        (b'"sha256": "', b'"sha256": "x'),
        (b'"channels": 2', b'"channels": 99999999999'),
    ],
)
def test_a_number_that_no_result_can_hold_makes_it_none(
    tmp_path: Path, uploads: ThreadPoolExecutor, change: tuple[bytes, bytes]
) -> None:
    """It is published again as it is, so that it has to fit."""
    data = Service(tmp_path, uploads).separate(a_job()).manifest.to_json()
    assert parse_manifest(data)
    assert change[0] in data
    assert parse_manifest(data.replace(*change, 1)) is None


@pytest.mark.attack
def test_a_stem_whose_bytes_were_exchanged_is_not_recalled(tmp_path: Path, uploads: ThreadPoolExecutor) -> None:
    """Of the same size and under the same metadata: the store's ETag tells, and the stem is made again."""
    service, job = Service(tmp_path, uploads, SEALED), a_job()
    stored = service.separate(job)
    first = stored.manifest.stems[0]
    facts = service.objects.stat("out", first.key)
    assert facts
    service.plant(first.key, b"secret", **facts.metadata)
    assert service.recall(job) is None
    service.separate(job)
    assert service.objects.read("out", first.key) == b"vocals"
    assert service.recall(job)
