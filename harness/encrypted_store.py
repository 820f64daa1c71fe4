"""A real MinIO that is reached by TLS alone, with a certificate that no system trusts."""

import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import urllib3
from minio.credentials.providers import AssumeRoleProvider, StaticProvider
from minio.minioadmin import MinioAdmin

from devstack import build
from devstack.certificates import make_authority
from devstack.minio import ACCESS_KEY, SECRET_KEY
from devstack.service import Service, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedStore:
    """endpoint: host and port. authority: the file of the one that has signed its certificate."""

    endpoint: str
    authority: Path

    @property
    def admin(self) -> MinioAdmin:
        """Whoever gives others their rights."""
        credentials = StaticProvider(ACCESS_KEY, SECRET_KEY)
        return MinioAdmin(endpoint=self.endpoint, credentials=credentials, http_client=self._pool())

    def temporary_keys(self, user: str, password: str) -> dict[str, str]:
        """A process's environment with keys that end by themselves, which have that user's rights."""
        sts = AssumeRoleProvider(
            sts_endpoint=f"https://{self.endpoint}", access_key=user, secret_key=password, http_client=self._pool()
        )
        keys = sts.retrieve()
        assert keys.session_token
        return {
            "MINIO_ACCESS_KEY": keys.access_key, "MINIO_SECRET_KEY": keys.secret_key,
            "MINIO_SESSION_TOKEN": keys.session_token,
        }  # fmt: skip

    def _pool(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(ca_certs=str(self.authority))


@contextmanager
def encrypted_store(folder: Path) -> Iterator[EncryptedStore]:
    """One that runs, with ACCESS_KEY and SECRET_KEY, and keeps everything in this folder."""
    authority = make_authority(folder / "authority", "our own authority")
    certificate, key = authority.issue("minio", folder / "issued")
    (folder / "certificates").mkdir()
    shutil.copy(certificate, folder / "certificates/public.crt")
    shutil.copy(key, folder / "certificates/private.key")
    address = f"127.0.0.1:{free_port()}"
    trusted = ssl.create_default_context(cafile=str(authority.path))

    def is_ready() -> bool:
        try:
            return httpx2.get(f"https://{address}/minio/health/live", verify=trusted).is_success
        except httpx2.HTTPError:
            return False

    running = Service(
        name="MinIO by TLS",
        command=[
            str(build.minio_binary()), "server", "--quiet", "--address", address,
            "--certs-dir", str(folder / "certificates"), str(folder / "data"),
        ],
        folder=folder / "minio",
        is_ready=is_ready,
        environment={"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_BROWSER": "off"},
    ).start()  # fmt: skip
    try:
        yield EncryptedStore(endpoint=address, authority=authority.path)
    finally:
        running.stop()
