"""One MinIO server."""

from pathlib import Path

from devstack import build
from devstack.asking import is_well
from devstack.service import Service

ACCESS_KEY = SECRET_KEY = "minioadmin"  # noqa: S105 - MinIO's own default, for a server on this machine


def minio(folder: Path, port: int, **settings: str) -> Service:
    """A server whose data lies in folder; `settings` are further variables of its environment."""
    address = f"127.0.0.1:{port}"
    return Service(
        name="MinIO",
        command=[str(build.minio_binary()), "server", "--quiet", "--address", address, str(folder / "data")],
        folder=folder,
        is_ready=lambda: is_well(f"http://{address}/minio/health/ready"),
        environment={
            "MINIO_ROOT_USER": ACCESS_KEY,
            "MINIO_ROOT_PASSWORD": SECRET_KEY,
            "MINIO_BROWSER": "off",
            **settings,
        },
    )
