"""The service's settings of a store, and whether it is reached by them."""

import uuid

import pytest

from consumer.adapters.s3.minio import MinioStore
from devstack.minio import ACCESS_KEY, SECRET_KEY
from tests.contract.conftest import BUCKET


def wrote(store: MinioStore) -> bool:
    """Whether an object that was stored is read as it was."""
    key, content = f"access/{uuid.uuid4().hex}", uuid.uuid4().bytes
    store.replace(BUCKET, key, content, media_type="text/plain", metadata={})
    return store.read(BUCKET, key) == content


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str, **settings: str) -> None:
    """An environment with these settings of a store, and no others."""
    for name in (
        "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SESSION_TOKEN", "MINIO_ACCESS_KEY_FILE", "MINIO_SECRET_KEY_FILE",
        "MINIO_SESSION_TOKEN_FILE", "MINIO_REGION", "MINIO_CA_FILE", "MINIO_ALIAS", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    own = {"MINIO_ENDPOINT": endpoint, "MINIO_SECURE": "false"}
    if not any(name.startswith(("MINIO_ACCESS", "MINIO_ALIAS", "AWS_")) for name in settings):
        own |= {"MINIO_ACCESS_KEY": ACCESS_KEY, "MINIO_SECRET_KEY": SECRET_KEY}
    for name, value in {**own, **settings}.items():
        monkeypatch.setenv(name, value)
