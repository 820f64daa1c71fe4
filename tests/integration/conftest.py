"""A platform for each test, on real servers, and narrow networks in Spleeter's format for it to run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.platform import Platform, make_platform
from tests.conftest import Kafka, MinioServer

NARROW = (2, 4, 4, 8, 8, 16)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2stems, 4stems and 5stems: Spleeter's networks, but narrow, so that replicas start quickly."""
    from harness.checkpoints import write_checkpoint

    folder = tmp_path_factory.mktemp("models")
    for stems in (2, 4, 5):
        write_checkpoint(folder, stems, seed=stems, filters=NARROW)
    return folder


@pytest.fixture
def platform(kafka: Kafka, minio: MinioServer, tmp_path: Path, model_path: Path) -> Iterator[Platform]:
    platform = make_platform(kafka.bootstrap_servers, minio.endpoint, tmp_path, model_path)
    yield platform
    platform.close()


@pytest.fixture
def one_partition(kafka: Kafka, minio: MinioServer, tmp_path: Path, model_path: Path) -> Iterator[Platform]:
    """A platform whose request and retry topics have one partition each."""
    platform = make_platform(kafka.bootstrap_servers, minio.endpoint, tmp_path, model_path, partitions=1)
    yield platform
    platform.close()
