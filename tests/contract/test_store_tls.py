"""A store whose certificate no system trusts, and MINIO_CA_FILE."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.adapters.s3.client import StoreAccess
from consumer.adapters.s3.minio import MinioStore, make_minio_store
from consumer.core.errors import StoreUnavailable
from devstack.certificates import make_authority
from devstack.minio import ACCESS_KEY, SECRET_KEY
from harness.encrypted_store import encrypted_store
from tests.contract.conftest import BUCKET, close
from tests.contract.store_settings import use, wrote


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server whose certificate is signed by an authority of our own: its address, and that authority."""
    with encrypted_store(tmp_path_factory.mktemp("encrypted")) as running:
        access = StoreAccess(ca_file=running.authority)
        store = MinioStore(running.endpoint, ACCESS_KEY, SECRET_KEY, secure=True, access=access)
        store._client.make_bucket(BUCKET)
        close(store)
        yield running.endpoint, running.authority


def test_an_authority_of_ones_own_is_trusted(
    encrypted: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By MINIO_CA_FILE; without it, or with another, the connection does not come about."""
    address, authority = encrypted
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    use(monkeypatch, address, MINIO_SECURE="true", MINIO_CA_FILE=str(authority))
    store = make_minio_store()
    assert wrote(store)
    close(store)
    another = make_authority(tmp_path, "somebody else").path
    for settings in ({}, {"MINIO_CA_FILE": str(another)}):
        use(monkeypatch, address, MINIO_SECURE="true", **settings)
        store = make_minio_store()
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            store.check(BUCKET)
        close(store)
