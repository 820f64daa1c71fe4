"""A store whose certificate no system trusts, and MINIO_CA_FILE."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.adapters.s3.client import StoreAccess
from consumer.adapters.s3.minio import MinioStore, make_minio_store
from consumer.core.errors import StoreUnavailable
from devstack import build
from devstack.certificates import make_authority
from devstack.minio import ACCESS_KEY, SECRET_KEY
from devstack.service import Service, free_port
from tests.contract.conftest import BUCKET, close
from tests.contract.store_settings import use, wrote


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server whose certificate is signed by an authority of our own: its address, and that authority."""
    folder = tmp_path_factory.mktemp("encrypted")
    authority = make_authority(folder / "authority", "our own authority")
    certificate, key = authority.issue("minio", folder / "issued")
    (folder / "certificates").mkdir()
    shutil.copy(certificate, folder / "certificates/public.crt")
    shutil.copy(key, folder / "certificates/private.key")
    address = f"127.0.0.1:{free_port()}"
    access = StoreAccess(ca_file=authority.path)
    store = MinioStore(address, ACCESS_KEY, SECRET_KEY, secure=True, access=access)

    def answers() -> bool:
        try:
            return store.stat(BUCKET, "a") is None
        except StoreUnavailable:
            return False

    running = Service(
        name="MinIO by TLS",
        command=[
            str(build.minio_binary()), "server", "--quiet", "--address", address,
            "--certs-dir", str(folder / "certificates"), str(folder / "data"),
        ],
        folder=folder / "minio",
        is_ready=answers,
        environment={"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"},
    ).start()  # fmt: skip
    store._client.make_bucket(BUCKET)
    close(store)
    yield address, authority.path
    running.stop()


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
