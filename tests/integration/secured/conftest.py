"""A broker that asks who comes, and a platform whose topics its administrator has made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.platform import Platform, make_platform
from harness.secured_kafka import SecuredKafka, secured_kafka
from tests.conftest import MinioServer


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture
def guarded(secured: SecuredKafka, minio: MinioServer, tmp_path: Path, model_path: Path) -> Iterator[Platform]:
    """Nobody has any rights there yet but the administrator, who comes by the environment that it has."""
    platform = make_platform(secured.anybody, minio.endpoint, tmp_path, model_path, partitions=2)
    yield platform
    platform.close()
