"""Another object store than the service's own: one file and one setting, and no MINIO_* anywhere."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from consumer.core.events import SeparationResult
from consumer.core.manifest import parse_manifest
from harness import folder_store
from harness.clips import write_clip
from harness.folder_store import FolderStore
from harness.platform import Platform
from tests.integration.test_doctor import told


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """`environment` is what makes a process use it."""

    store: FolderStore
    environment: Mapping[str, str]


@pytest.fixture
def backend(platform: Platform, tmp_path: Path) -> Backend:
    """Written into a temporary folder, as its author would install it; its buckets are the platform's."""
    (tmp_path / "installed").mkdir()
    shutil.copy(folder_store.__file__, tmp_path / "installed" / "another_store.py")
    buckets = tmp_path / "buckets"
    for bucket in (platform.source_bucket, platform.output_bucket, "models"):
        (buckets / bucket).mkdir(parents=True)
    environment = {
        "OBJECT_STORE": "another_store:make_store",
        "OBJECT_STORE_FOLDER": str(buckets),
        "PYTHONPATH": str(tmp_path / "installed"),
        **{name: "" for name in platform.environment if name.startswith("MINIO_")},  # an empty one counts as unset
    }
    return Backend(store=FolderStore(buckets), environment=environment)


def put(store: FolderStore, bucket: str, key: str, content: Path | bytes) -> None:
    store.replace(bucket, key, content, media_type="application/octet-stream", metadata={})


def test_a_replica_works_on_another_store(platform: Platform, backend: Backend, tmp_path: Path) -> None:
    """A request for an object of that store ends as a result whose stems and manifest lie there, and nowhere else."""
    put(backend.store, platform.source_bucket, "song.wav", write_clip(tmp_path / "song.wav", seconds=3.0, seed=1))
    platform.start_replica(**backend.environment).wait_ready()
    request = platform.request("song.wav")
    [result] = platform.outcomes(1)
    assert isinstance(result, SeparationResult), result
    assert {stem.name for stem in result.stems} == {"vocals", "accompaniment"}
    for stem in result.stems:
        content = backend.store.read(stem.bucket, stem.key)
        assert content is not None
        assert (len(content), hashlib.sha256(content).hexdigest()) == (stem.size_bytes, stem.sha256)
    manifest = backend.store.read(platform.output_bucket, f"stems/{request.request_id}/manifest.json")
    parsed = parse_manifest(manifest or b"")
    assert parsed
    assert parsed.stems == result.stems
    assert platform.objects("") == set()


def test_doctor_looks_at_another_store(platform: Platform, backend: Backend) -> None:
    """It asks for no setting of a store that is not used, and finds out what is wrong with the one that is."""
    environment = {**backend.environment, "MAX_OBJECT_BYTES": "1000000"}
    done = platform.run("doctor", **environment)
    assert done.returncode == 0, done.stdout
    broken = platform.run("doctor", **environment | {"OUTPUT_BUCKET": "no-such-bucket"})
    assert told(broken.stdout)["output buckets"] == (
        "OBJECT_STORE_FOLDER, OUTPUT_BUCKET: there is no bucket no-such-bucket"
    )
    lacking = platform.run("doctor", **environment | {"OBJECT_STORE_FOLDER": ""})
    found = told(lacking.stdout)
    assert found["settings"] == "OBJECT_STORE_FOLDER must be set"
    assert found["source buckets"] == found["output buckets"] == "not checked: OBJECT_STORE_FOLDER missing or wrong"


def test_models_are_pulled_from_another_store(
    platform: Platform, backend: Backend, tmp_path: Path, model_path: Path
) -> None:
    """`models pull` finds a model in a bucket of that store."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path in sorted((model_path / "2stems").iterdir()):
            tar.add(path, path.name)
    checksum = hashlib.sha256(archive.getvalue()).hexdigest()
    put(backend.store, "models", "spleeter/2stems.tar.gz", archive.getvalue())
    put(backend.store, "models", "spleeter/checksum.json", json.dumps({"2stems": checksum}).encode())
    sources = {"MODEL_PATH": str(tmp_path / "pulled"), "MODEL_SOURCES": "s3://models/spleeter"}
    pulled = platform.run("models", "pull", **{**backend.environment, **sources})
    assert (pulled.returncode, pulled.stderr) == (0, ""), pulled.stderr
    assert pulled.stdout.startswith("2stems  ")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("another_store", "must be package.module:factory"),
        ("no_such_store:make_store", "can't be imported (ModuleNotFoundError: No module named 'no_such_store')"),
        ("another_store:make", "can't be imported (AttributeError: "),
    ],
)
def test_a_store_that_is_none_is_told_of_in_one_line(
    platform: Platform, backend: Backend, value: str, reason: str
) -> None:
    """The command ends with code 1 and one line that names the variable."""
    done = platform.run("run", **{**backend.environment, "OBJECT_STORE": value})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("spleeter-consumer: OBJECT_STORE: ")
    assert reason in line
