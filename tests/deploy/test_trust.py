"""The variables by which the production overlay makes pods trust an authority of one's own, on a server that has it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstack import build
from devstack.certificates import make_authority
from devstack.minio import ACCESS_KEY, SECRET_KEY
from devstack.service import Service, free_port
from harness.manifests import container

# Looks whether the store answers, as `doctor` and /ready do, with the settings of a pod's.
LOOK = """
from consumer.adapters.s3.minio import make_minio_store
store = make_minio_store()
print(store.stat("no-such-bucket", "no-such-object"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedStore:
    endpoint: str
    authority: Path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedStore]:
    """MinIO with a certificate that no system trusts."""
    folder = tmp_path_factory.mktemp("encrypted")
    authority = make_authority(folder / "authority", "our own authority")
    certificate, key = authority.issue("minio", folder / "issued")
    (folder / "certificates").mkdir()
    shutil.copy(certificate, folder / "certificates/public.crt")
    shutil.copy(key, folder / "certificates/private.key")
    address = f"127.0.0.1:{free_port()}"
    running = Service(
        name="MinIO by TLS",
        command=[
            str(build.minio_binary()), "server", "--quiet", "--address", address,
            "--certs-dir", str(folder / "certificates"), str(folder / "data"),
        ],
        folder=folder / "minio",
        is_ready=lambda: look(address, {"SSL_CERT_FILE": str(authority.path)}).returncode == 0,
        environment={"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"},
    ).start()  # fmt: skip
    yield EncryptedStore(endpoint=address, authority=authority.path)
    running.stop()


def look(endpoint: str, trusted: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    own = {
        "PATH": os.environ["PATH"], "MINIO_ENDPOINT": endpoint, "MINIO_SECURE": "true",
        "MINIO_ACCESS_KEY": ACCESS_KEY, "MINIO_SECRET_KEY": SECRET_KEY,
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", LOOK],
        env={**own, **trusted},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_store_is_trusted_by_what_the_overlay_sets(store: EncryptedStore) -> None:
    """With the overlay's variable it answers; without it, its certificate is of nobody that is known."""
    told = {variable["name"] for variable in container("production", "StatefulSet")["env"]}
    assert "SSL_CERT_FILE" in told
    trusting = look(store.endpoint, {"SSL_CERT_FILE": str(store.authority)})
    assert (trusting.returncode, trusting.stdout) == (0, "None\n"), trusting.stderr
    assert "CERTIFICATE_VERIFY_FAILED" in (distrusting := look(store.endpoint, {})).stderr
    assert distrusting.returncode != 0
