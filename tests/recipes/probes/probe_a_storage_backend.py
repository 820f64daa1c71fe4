"""A store of our own: every command uses it by one setting, and a replica works on it."""

from pathlib import Path

import pytest

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.factories import make_store
from consumer.app.wiring import make_replica
from consumer.core.events import SeparationResult
from consumer.testing import MemoryBroker, MemoryOutbox, MemorySource, SilentSeparator
from consumer.testing.replica import memory_adapters, memory_settings, write_models
from harness.fakes import a_request
from tests.recipes.copies import command, running


@pytest.fixture
def buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its buckets, and the environment that names it, with nothing of MinIO's."""
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OBJECT_STORE", "our_store:make_store")
    monkeypatch.setenv("OBJECT_STORE_FOLDER", str(tmp_path))
    for bucket in ("in", "stems"):
        (tmp_path / bucket).mkdir()
    return tmp_path


def test_a_replica_works_on_it(buckets: Path, tmp_path: Path) -> None:
    """A request for an object there ends as a result whose stems lie there."""
    store, broker = make_store(), MemoryBroker("separation.requests")
    settings = memory_settings(tmp_path / "own", source_buckets=["in"])
    weights_sha256 = write_models(settings.separator.model_path, "2stems")
    adapters = memory_adapters(
        source=MemorySource(broker),
        outbox=MemoryOutbox(broker),
        store=store,
        separators=[SilentSeparator(weights_sha256=weights_sha256)],
    )
    store.replace("in", "a.mp3", b"song", media_type="audio/mpeg", metadata={})
    broker.send("separation.requests", AvroCodec().encode(a_request()), key=b"r1")
    with running(make_replica(settings, adapters)):
        broker.wait_for(lambda: broker.published)
    result = AvroCodec().decode(SeparationResult, broker.published[0].value)
    assert {stem.name for stem in result.stems} == {"vocals", "accompaniment"}
    for stem in result.stems:
        found = store.stat("stems", stem.key)
        assert found is not None
        assert found.size_bytes == stem.size_bytes


def test_its_settings_are_asked_for(buckets: Path) -> None:
    """Without the store's own setting a command ends with one line that names it."""
    done = command(
        "run", code=1, OBJECT_STORE_FOLDER="", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", ALLOWED_SOURCE_BUCKETS="in",
        OUTPUT_BUCKET="stems",
    )  # fmt: skip
    assert done.stderr == "spleeter-consumer: OBJECT_STORE_FOLDER must be set\n"
