"""Object storage by minio-py."""

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from consumer.core.cancellation import Cancellation
from consumer.core.errors import BucketUnusable, Code, Rejected, StoreMisconfigured, StoreUnavailable
from consumer.core.model import ObjectFacts
from consumer.settings import MinioSettings

CONNECT_S, READ_S = 3.0, 20.0
_CHECK_S = 3.0  # a probe wants to know soon
_PART_BYTES = 16 << 20  # objects up to this size are one request
_CHUNK_BYTES = 1 << 20
COPIED_PART_BYTES = 256 << 20  # the server copies so much well within READ_S
_CREDENTIALS = ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NoSuchObject"})
_UNKNOWN_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidTokenId",
     "AuthorizationHeaderMalformed", "RequestTimeTooSkewed"}
)  # fmt: skip
# Requests name only buckets that settings allow, so that what is refused is these credentials' right to them.
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem"})
_UNMET = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
# What a key or a version id can be that no store understands; a HEAD request gets BadRequest for all of it.
_IMPROPER = frozenset({"BadRequest", "InvalidArgument", "KeyTooLongError", "XMinioInvalidObjectName"})
# Answers that say "not now"; anything else that is an error is an answer, and final.
_PASSING = frozenset(
    {"SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "ServiceUnavailable", "RequestTimeout", "Busy",
     "XMinioServerNotInitialized", "XMinioStorageFull", "OperationTimedOut", "InsufficientReadQuorum",
     "InsufficientWriteQuorum"}
)  # fmt: skip

T = TypeVar("T")


class MinioStore:
    """See ports.ObjectStore. Thread-safe. No retries of its own: those are the caller's, by rule.

    `copied_part_bytes`: so much of an object is copied by one request, 5 MiB at least.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        *,
        secure: bool,
        copied_part_bytes: int = COPIED_PART_BYTES,
    ) -> None:
        def client(pool: urllib3.PoolManager) -> Minio:
            # A region that is given is not asked for: one request less for every bucket.
            return Minio(endpoint, access_key, secret_key, secure=secure, region="us-east-1", http_client=pool)

        options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=CONNECT_S, read=READ_S),
            "retries": False,
            "maxsize": 32,
        }
        quick = urllib3.Timeout(connect=_CHECK_S, read=_CHECK_S)
        self._copied_part_bytes = copied_part_bytes
        self._client = client(urllib3.PoolManager(**options))
        self._creator = client(_CreateOnly(**options))
        self._prober = client(urllib3.PoolManager(**(options | {"timeout": quick})))

    def stat(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectFacts | None:
        found = _ask(lambda: self._client.stat_object(bucket, key, version_id=version_id))
        if found is None:
            return None
        prefix = "x-amz-meta-"
        metadata = {
            name.lower().removeprefix(prefix): value
            for name, value in (found.metadata or {}).items()
            if name.lower().startswith(prefix)
        }
        return ObjectFacts(
            bucket=bucket,
            key=key,
            etag=(found.etag or "").strip('"'),
            size_bytes=found.size or 0,
            version_id=found.version_id or version_id,
            metadata=metadata,
        )

    def fetch(self, source: ObjectFacts, path: Path, cancel: Cancellation) -> str:
        digest = hashlib.sha256()

        def download() -> bool:
            response = self._client.get_object(
                source.bucket,
                source.key,
                version_id=source.version_id,
                request_headers={"If-Match": f'"{source.etag}"'},
            )
            try:
                with path.open("wb") as out:
                    for chunk in response.stream(_CHUNK_BYTES):
                        cancel.check()
                        digest.update(chunk)
                        out.write(chunk)
                    if out.tell() != source.size_bytes:
                        raise StoreUnavailable(f"the connection ended after {out.tell()} of {source.size_bytes} bytes")
            finally:
                response.close()
                response.release_conn()
            return True

        try:
            if _ask(download) is None:
                raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
        except _Unmet as unmet:
            raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}") from unmet
        return digest.hexdigest()

    def read(self, bucket: str, key: str) -> bytes | None:
        def get() -> bytes:
            response = self._client.get_object(bucket, key)
            try:
                data: bytes = response.read()
                return data
            finally:
                response.close()
                response.release_conn()

        return _ask(get)

    def create(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        try:
            return self._put(self._creator, bucket, key, content, media_type, metadata)
        except _Unmet:
            return None

    def replace(
        self, bucket: str, key: str, content: Path | bytes, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        return self._put(self._client, bucket, key, content, media_type, metadata)

    def _put(
        self, client: Minio, bucket: str, key: str, content: Path | bytes, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts:
        size = len(content) if isinstance(content, bytes) else content.stat().st_size

        def put() -> str:
            with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as data:
                part_bytes = 0 if size <= _PART_BYTES else max(_PART_BYTES, -(-size // 10_000))
                written = client.put_object(
                    bucket, key, data, size, content_type=media_type, metadata=dict(metadata), part_size=part_bytes
                )
            return (written.etag or "").strip('"')

        etag = _ask(put)
        if etag is None:
            raise StoreUnavailable(f"there is no bucket {bucket}")
        return ObjectFacts(bucket=bucket, key=key, etag=etag, size_bytes=size, metadata=metadata)

    def copy(
        self, source: ObjectFacts, bucket: str, key: str, *, media_type: str, metadata: Mapping[str, str]
    ) -> ObjectFacts | None:
        """By a multipart upload of copied parts: MinIO's CopyObject would overwrite, whatever If-None-Match says."""
        if source.size_bytes == 0:
            return self.create(bucket, key, b"", media_type=media_type, metadata=metadata)
        parts = [
            ComposeSource(
                source.bucket,
                source.key,
                version_id=source.version_id,
                match_etag=source.etag,
                offset=offset,
                length=min(self._copied_part_bytes, source.size_bytes - offset),
            )
            for offset in range(0, source.size_bytes, self._copied_part_bytes)
        ]
        described: dict[str, Any] = {**metadata, "Content-Type": media_type}
        try:
            written = _ask(lambda: self._creator.compose_object(bucket, key, parts, metadata=described))
        except _Unmet as unmet:  # the answer does not say which of the two conditions it was
            if self.stat(bucket, key) is None:
                raise Rejected(Code.OBJECT_CHANGED, f"{source.key} no longer has etag {source.etag}") from unmet
            return None
        if written is None:
            if self.stat(source.bucket, source.key, version_id=source.version_id) is None:
                raise Rejected(Code.OBJECT_NOT_FOUND, f"{source.key} is no longer in {source.bucket}")
            raise StoreUnavailable(f"there is no bucket {bucket}")
        etag = (written.etag or "").strip('"')
        return ObjectFacts(bucket=bucket, key=key, etag=etag, size_bytes=source.size_bytes, metadata=metadata)

    def check(self, bucket: str) -> None:
        try:
            is_there = _ask(lambda: self._prober.bucket_exists(bucket))
        except Rejected as refused:
            raise BucketUnusable(str(refused)) from refused
        except _Denied as denied:
            # The answer to a HEAD request holds no reason.
            reason = f"object storage refuses access to {bucket}"
            raise BucketUnusable(reason, variables=_CREDENTIALS) from denied
        if not is_there:
            raise BucketUnusable(f"there is no bucket {bucket}")


def make_minio_store() -> MinioStore:
    """The store that MINIO_* describe; what OBJECT_STORE names by default. Raises SettingsError."""
    settings = MinioSettings.load()
    return MinioStore(
        settings.endpoint, settings.access_key, settings.secret_key.get_secret_value(), secure=settings.secure
    )


class _CreateOnly(urllib3.PoolManager):
    """Adds `If-None-Match: *` to the requests that make an object appear.

    minio-py has no option for it, but takes the connection pool that it is to use; the header needs no signature.
    """

    def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        appears = (method == "PUT" and "uploadId=" not in url) or (method == "POST" and "uploadId=" in url)
        if appears:
            options["headers"] = {**options.get("headers", {}), "If-None-Match": "*"}
        return super().urlopen(method, url, *args, **options)


class _Unmet(Exception):
    """A condition of the request was not met."""


class _Denied(StoreMisconfigured):
    """The store knows these credentials, or does not say, and gives them no right to what was asked for."""


def _ask(request: Callable[[], T]) -> T | None:
    """The answer, or None for "there is no such thing"; the vendor's errors become those of core.errors."""
    try:
        return request()
    except S3Error as error:
        if error.code in _MISSING:
            return None
        if error.code in _UNMET:
            raise _Unmet from error
        if error.code in _UNKNOWN_CREDENTIALS:
            raise StoreMisconfigured(f"{', '.join(_CREDENTIALS)}: object storage answered {error.code}") from error
        if error.code in _DENIED:
            reason = f"object storage answered {error.code} for {error.bucket_name}"
            raise _Denied(f"{', '.join(_CREDENTIALS)}: {reason}") from error
        if error.code in _PASSING or error.response.status >= 500:
            raise StoreUnavailable(f"object storage answered {error.code}") from error
        if error.code in _IMPROPER:
            raise Rejected(Code.REQUEST_INVALID, f"object storage answered {error.code}") from error
        raise Rejected(Code.BUCKET_NOT_ALLOWED, f"object storage refused: {error.code}") from error
    except (ServerError, InvalidResponseError) as error:
        raise StoreUnavailable(f"object storage gave no proper answer ({type(error).__name__})") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise StoreUnavailable(f"object storage can't be reached ({type(error).__name__})") from error
    except ValueError as error:  # minio-py checks names itself
        raise Rejected(Code.REQUEST_INVALID, str(error)) from error
    except MinioException as error:
        raise StoreUnavailable(f"object storage: {error}") from error
