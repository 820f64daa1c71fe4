"""A broker that asks who comes, and a platform whose topics its administrator has made."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.encrypted_store import EncryptedStore, encrypted_store
from harness.platform import Platform, make_platform
from harness.secured_kafka import SecuredKafka, secured_kafka
from tests.conftest import MinioServer


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedStore]:
    with encrypted_store(tmp_path_factory.mktemp("encrypted")) as running:
        yield running


@pytest.fixture
def guarded(secured: SecuredKafka, minio: MinioServer, tmp_path: Path, model_path: Path) -> Iterator[Platform]:
    """Nobody has any rights there yet but the administrator, who comes by the environment that it has."""
    with closing(make_platform(secured.anybody, minio.endpoint, tmp_path, model_path, partitions=2)) as platform:
        yield platform


@pytest.fixture(scope="module")
def shared(
    secured: SecuredKafka, minio: MinioServer, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Iterator[Platform]:
    """As `guarded`, for several tests whose users are their own."""
    folder = tmp_path_factory.mktemp("shared")
    with closing(make_platform(secured.anybody, minio.endpoint, folder, model_path, partitions=2)) as platform:
        yield platform
