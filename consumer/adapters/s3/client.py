"""minio-py's client, which learns a bucket's region from the store: no bucket is asked for it beforehand."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import Provider
from minio.datatypes import ListMultipartUploadsResult, ListPartsResult, Part

from consumer.adapters.s3.actions import action_of
from consumer.adapters.s3.answers import Refused
from consumer.adapters.s3.connection import ConditionalPool, StorePool

CONNECT_S, READ_S = 3.0, 20.0
_CHECK_S = 3.0  # a probe wants to know soon
_DEFAULT_REGION = "us-east-1"  # where most stores are that have no regions
_WRONG_REGION = frozenset({301, 307, 400})


class Regions:
    """The regions of buckets, as they become known. Shared by clients of one store; thread-safe.

    fixed: the one that all are in, if that is known beforehand.
    """

    def __init__(self, fixed: str | None = None) -> None:
        self._fixed = fixed
        self._learnt: dict[str, str] = {}

    def of(self, bucket: str | None, default: str) -> str:
        return self._fixed or self._learnt.get(bucket or "", default)

    def learn(self, bucket: str | None, refused: Refused, used: str) -> str | None:
        """The bucket's region, if the refusal tells another one than was used; None if there is nothing to learn."""
        told = refused.region
        if self._fixed or refused.status not in _WRONG_REGION or told in (None, used):
            return None
        self._learnt[bucket or ""] = told
        return told


class RegionalMinio(Minio):
    """A request that the store refuses for its region is made once more, with the one that the store says."""

    def __init__(
        self, endpoint: str, credentials: Provider, regions: Regions, *, secure: bool, pool: urllib3.PoolManager
    ) -> None:
        super().__init__(endpoint, credentials=credentials, secure=secure, http_client=pool)
        self._regions = regions

    def _get_region(self, bucket_name: str | None = None) -> str:
        return self._regions.of(bucket_name, self._base_url.region or _DEFAULT_REGION)

    def _url_open(self, method: str, region: str, *args: Any, **request: Any) -> Any:
        try:
            return super()._url_open(method, region, *args, **request)
        except Refused as refused:
            told = self._regions.learn(request.get("bucket_name"), refused, region)
            if told is None:
                _note_action(refused, method, request)
                raise
        try:
            return super()._url_open(method, told, *args, **request)
        except Refused as refused:
            _note_action(refused, method, request)
            raise

    # S3's calls for one part of an object, which minio-py keeps for itself.

    def begin_upload(self, bucket: str, key: str) -> str:
        """CreateMultipartUpload; returns its id."""
        return self._create_multipart_upload(bucket, key, {"Content-Type": "application/octet-stream"})

    def put_part(self, bucket: str, key: str, upload_id: str, number: int, data: bytes) -> str:
        """UploadPart; returns its etag."""
        return self._upload_part(bucket, key, data, None, upload_id, number)

    def list_parts(self, bucket: str, key: str, upload_id: str, after: str | None) -> ListPartsResult:
        """ListParts, those behind a number."""
        return self._list_parts(bucket, key, upload_id, part_number_marker=after)

    def complete_upload(self, bucket: str, key: str, upload_id: str, parts: list[Part]) -> str | None:
        """CompleteMultipartUpload; returns the object's etag."""
        return self._complete_multipart_upload(bucket, key, upload_id, parts).etag

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """AbortMultipartUpload."""
        self._abort_multipart_upload(bucket, key, upload_id)

    def list_uploads(
        self, bucket: str, prefix: str, after: tuple[str | None, str | None]
    ) -> ListMultipartUploadsResult:
        """ListMultipartUploads, those behind a key and an upload's id."""
        return self._list_multipart_uploads(bucket, prefix=prefix, key_marker=after[0], upload_id_marker=after[1])


def _note_action(refused: Refused, method: str, request: Mapping[str, Any]) -> None:
    refused.action = action_of(
        method,
        is_of_object=bool(request.get("object_name")),
        query=request.get("query_params") or (),
        headers=request.get("headers") or (),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAccess:
    """How a store is reached, beside its address.

    credentials: in place of an access key and a secret key. region: of all its buckets; None: as the store says.
    ca_file: the authorities that TLS trusts; None: the system's. public_url: where clients reach it, as
    scheme://host:port; None: not at all.
    """

    credentials: Provider | None = None
    region: str | None = None
    ca_file: Path | None = None
    public_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Three ways to ask one store. creating: what it makes appear must not be there yet, or take the place of what
    `conditions` is told. probing: quick to give up.

    signing: signs addresses for clients, and asks nobody; None where clients don't reach the store.
    """

    plain: RegionalMinio
    creating: Minio
    conditions: ConditionalPool
    probing: Minio
    signing: Minio | None = None


def make_clients(endpoint: str, credentials: Provider, access: StoreAccess, *, secure: bool) -> Clients:
    """Without retries: those are the caller's."""
    regions = Regions(access.region)
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        "retries": False,
        "maxsize": 32,
        **({"ca_certs": str(access.ca_file)} if access.ca_file else {}),
    }
    quick = {**options, "timeout": urllib3.Timeout(connect=_CHECK_S, read=_CHECK_S)}

    def client(pool: urllib3.PoolManager) -> RegionalMinio:
        return RegionalMinio(endpoint, credentials, regions, secure=secure, pool=pool)

    conditions = ConditionalPool(**options)
    public = urlsplit(access.public_url) if access.public_url else None
    return Clients(
        signing=None
        if public is None
        else RegionalMinio(
            public.netloc, credentials, regions, secure=public.scheme == "https", pool=StorePool(**options)
        ),
        plain=client(StorePool(**options)),
        creating=client(conditions),
        conditions=conditions,
        probing=client(StorePool(**quick)),
    )
