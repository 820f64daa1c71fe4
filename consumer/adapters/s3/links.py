"""Addresses of objects that clients reach by themselves, signed for a time."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from consumer.adapters.s3.asking import ask, check_key
from consumer.adapters.s3.client import StoreAccess, make_clients
from consumer.adapters.s3.credentials import SetKeys
from consumer.adapters.s3.minio import access_of
from consumer.settings import MinioSettings


class MinioLinks:
    """See ports.ObjectLinks. Thread-safe; asks nobody."""

    def __init__(self, endpoint: str, access: StoreAccess, *, secure: bool) -> None:
        assert access.credentials is not None
        self._signing = make_clients(endpoint, access.credentials, access, secure=secure).signing

    def object_url(self, bucket: str, key: str, *, expires_s: int, headers: Mapping[str, str]) -> str | None:
        check_key(key)
        if self._signing is None:
            return None
        signing, expires = self._signing, timedelta(seconds=expires_s)
        wanted: dict[str, str | list[str] | tuple[str]] = {f"response-{each}": told for each, told in headers.items()}
        return ask(
            bucket,
            lambda: signing.get_presigned_url("GET", bucket, key, expires=expires, response_headers=wanted),
        )


def make_minio_links() -> MinioLinks:
    """To the store that MINIO_* describe, by a key of their own where there is one. Raises SettingsError."""
    settings = MinioSettings.load()
    access = access_of(settings)
    if (keys := settings.links_keys()) is not None:
        access = replace(access, credentials=SetKeys(keys))
    return MinioLinks(settings.endpoint, access, secure=settings.secure)
