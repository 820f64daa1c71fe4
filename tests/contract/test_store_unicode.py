"""Any key and prefix that S3 allows works on a real store, from the request to stems that a second attempt adopts."""

import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.adapters.s3.minio import MinioStore
from consumer.core.cancellation import Cancellation
from consumer.core.events import OutputOptions, SourceObject, Stem
from consumer.core.manifest import carried_stem, stem_to_carry
from consumer.core.model import Stems, StoredStems
from consumer.pipeline.scratch import Scratch
from consumer.pipeline.stages.fetch import Fetch
from consumer.pipeline.stages.recall import Recall
from consumer.pipeline.stages.store import Store
from consumer.pipeline.stages.validate import Validate
from harness.fakes import a_request, a_separation, forgotten_in
from tests.contract.conftest import BUCKET, close

# S3: any UTF-8, without control characters; MinIO keeps a key's parts as names of files, of 255 bytes at most.
LETTERS = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/")
PARTS = st.text(LETTERS, min_size=1, max_size=60).filter(lambda part: part not in (".", ".."))
KEYS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
ODD = ("Müller", "no\u00a0break", "narrow\u202fno-break", "wide\u3000space", "join\u200ded", "\u202ertl", "\U0001f3b5",
       "e\u0301", " ", "a+b %2F?#&=<>\"'", "音楽", "\ufeff")  # fmt: skip


@pytest.fixture(scope="module")
def minio_store(real: tuple[str, str, str]) -> Iterator[MinioStore]:
    store = MinioStore(*real, secure=False)
    yield store
    close(store)


def walk(store: MinioStore, key: str, prefix: str, folder: Path) -> tuple[StoredStems, StoredStems]:
    """What two attempts at one request store, of which the second finds no manifest."""
    store.replace(BUCKET, key, b"song", media_type="audio/wav", metadata={})
    validate = Validate(source_buckets=(BUCKET,), output_bucket=BUCKET, output_prefix="")
    request = a_request(
        request_id=uuid.uuid4().hex, source=SourceObject(bucket=BUCKET, key=key), output=OutputOptions(prefix=prefix)
    )
    job = validate(request)
    track = Fetch(store=store, scratch=Scratch(folder), max_object_bytes=100)(job, Cancellation())
    stems = Stems(track=track, separation=a_separation(folder))
    with ThreadPoolExecutor(2) as uploads:
        first = Store(store=store, uploads=uploads, forgotten=forgotten_in(store))(stems, {})
        recalled = Recall(store=store, forgotten=forgotten_in(store))(job)
        assert recalled
        assert recalled.manifest.stems == first.manifest.stems
        store._client.remove_object(BUCKET, job.manifest_key)
        return first, Store(store=store, uploads=uploads, forgotten=forgotten_in(store))(stems, {})


def check(store: MinioStore, key: str, prefix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = walk(store, key, prefix, Path(folder))
    assert first.manifest.source.key == key
    assert first.manifest.stems == second.manifest.stems
    for stem in first.manifest.stems:
        assert stem.key.startswith(prefix)
        assert store.read(BUCKET, stem.key) == stem.name.encode()
        facts = store.stat(BUCKET, stem.key)
        assert facts
        assert carried_stem(facts.metadata, bucket=BUCKET, key=stem.key) == stem


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(key=KEYS, prefix=KEYS)
def test_any_key_and_prefix_work(minio_store: MinioStore, key: str, prefix: str) -> None:
    """The source is fetched, the stems are stored, recalled and adopted, whatever letters their keys are made of."""
    check(minio_store, f"source/{key}", f"stems/{prefix}/")


@pytest.mark.parametrize("name", ODD)
def test_odd_letters_work(minio_store: MinioStore, name: str) -> None:
    """What people's names, other scripts and copied text bring along."""
    check(minio_store, f"source/{name}.wav", f"stems/{name}/")


@given(key=KEYS, prefix=KEYS)
def test_what_a_stem_carries_fits_into_a_header(key: str, prefix: str) -> None:
    """It is ASCII and short, however long and foreign its key is; and it comes back."""
    stem = Stem(
        name="vocals", bucket=prefix, key=key, size_bytes=1 << 40, sha256="0" * 64, duration_s=7200.123456789,
        peak=0.123456789012, loudness_lufs=-23.123456789, clipped_samples=1 << 40,
    )  # fmt: skip
    carried = stem_to_carry(stem)
    assert carried.isascii()
    assert len(carried) < 1024  # of the 2 KB that S3 allows for all of an object's metadata
    assert carried_stem({"stem": carried}, bucket=prefix, key=key) == stem
