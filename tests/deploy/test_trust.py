"""The variables by which the production overlay makes pods trust an authority of one's own, on a server that has it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from devstack.minio import ACCESS_KEY, SECRET_KEY
from harness.encrypted_store import EncryptedStore, encrypted_store
from harness.manifests import container

# Looks whether the store answers, as `doctor` and /ready do, with the settings of a pod's.
LOOK = """
from consumer.adapters.s3.minio import make_minio_store
store = make_minio_store()
print(store.stat("no-such-bucket", "no-such-object"))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedStore]:
    """MinIO with a certificate that no system trusts."""
    with encrypted_store(tmp_path_factory.mktemp("encrypted")) as store:
        yield store


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
