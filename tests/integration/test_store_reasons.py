"""An object store that can't be reached by TLS, or only by it: each place that tells of it gives TLS' own reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.encrypted_store import encrypted_store
from harness.platform import Platform
from harness.waiting import PATIENCE_S
from tests.integration.test_doctor import told


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MinIO whose certificate no system trusts."""
    with encrypted_store(tmp_path_factory.mktemp("encrypted")) as store:
        yield store.endpoint


UNTRUSTED = "certificate verify failed: unable to get local issuer certificate"


def test_a_certificate_that_is_not_trusted_is_told_of(platform: Platform, encrypted: str, tmp_path: Path) -> None:
    """By the log, the replica's last line, `doctor` and `models pull`, in the words of TLS and with what to look at."""
    settings = {"MINIO_ENDPOINT": encrypted, "MINIO_SECURE": "true"}
    replica = platform.start_replica(**settings)
    assert replica.process.wait(PATIENCE_S) == 1
    *before, last = replica.log.read_text().splitlines()
    assert last.startswith("spleeter-consumer: MINIO_ENDPOINT, MINIO_SECURE: ")
    assert UNTRUSTED in last
    assert any("dependency.away" in line and UNTRUSTED in line for line in before)
    found = told(platform.run("doctor", **settings).stdout)
    pulled = platform.run("models", "pull", **settings, MODEL_PATH=str(tmp_path / "no"), MODEL_SOURCES="s3://models/x")
    assert pulled.returncode == 1
    [line] = pulled.stderr.splitlines()
    for words in (found["source buckets"], found["output buckets"], line):
        assert UNTRUSTED in words
        assert "MINIO_ENDPOINT" in words
        assert "SSL_CERT_FILE" in words


def test_a_store_that_speaks_tls_alone_is_told_of(platform: Platform, encrypted: str) -> None:
    """A replica ends in one line, `doctor` has the same: the variable that is wrong."""
    settings = {"MINIO_ENDPOINT": encrypted, "MINIO_SECURE": "false"}
    replica = platform.start_replica(**settings)
    assert replica.process.wait(PATIENCE_S) == 1
    wanted = "MINIO_SECURE: object storage speaks TLS at that port, and nothing else"
    assert replica.log.read_text().splitlines()[-1] == f"spleeter-consumer: {wanted}"
    assert told(platform.run("doctor", **settings).stdout)["output buckets"] == wanted
