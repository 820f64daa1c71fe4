"""The HTTP connections to the store: bytes as they are, no redirects, and every refusal read in one place.

minio-py reads refusals too, but not all of them: what is no XML, or not whole, or has an unexpected status, comes out
of it as errors of Python's. So they are read before it sees them.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3

from consumer.adapters.s3.answers import Refused
from consumer.core.errors import StoreMisconfigured

_MAX_REFUSAL_BYTES = 64 << 10  # of a refusal so much is looked at
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9._-]{1,80})\s*</Code>")
_SPEAKS_TLS = re.compile(rb"HTTP request (?:was sent )?to (?:an )?HTTPS", re.IGNORECASE)
_REGION = re.compile(rb"<Region>\s*([A-Za-z0-9_-]{1,64})\s*</Region>")
_FAILED_AFTER_ALL = re.compile(rb"^\s*(<\?xml[^>]*\?>)?\s*<Error[\s>]")


class StorePool(urllib3.PoolManager):
    """Connections whose `urlopen` returns only what the store did as it was asked.

    Raises Refused, and StoreMisconfigured where a server wants TLS.
    """

    def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        # What is redirected goes to somebody else, who may answer anything.
        options |= {"redirect": False, "decode_content": False}
        response = super().urlopen(method, url, *args, **options)
        if response.status not in (200, 204, 206):
            body = b"" if method == "HEAD" else response.read(_MAX_REFUSAL_BYTES, decode_content=False)
            body = body or (response.data if options.get("preload_content", True) else b"")
            response.close()
            response.release_conn()
            if response.status == 400 and _SPEAKS_TLS.search(body):
                raise StoreMisconfigured("MINIO_SECURE: object storage speaks TLS at that port, and nothing else")
            raise _refused(method, url, response, body)
        # Copies and multipart uploads may fail after the status was sent.
        if method in ("POST", "PUT") and _FAILED_AFTER_ALL.match(response.data):
            raise _refused(method, url, response, response.data)
        return response


class ConditionalPool(StorePool):
    """Adds a condition to the requests that make an object appear: `If-None-Match: *`, unless a thread says otherwise.

    minio-py has no option for it, but takes the connection pool that it is to use; the header needs no signature.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._standing = threading.local()

    @contextmanager
    def in_place_of(self, etag: str) -> Iterator[None]:
        """What this thread makes appear within this block takes the place of the object with this etag."""
        self._standing.etag = etag
        try:
            yield
        finally:
            del self._standing.etag

    def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        appears = (method == "PUT" and "uploadId=" not in url) or (method == "POST" and "uploadId=" in url)
        if appears:
            etag = getattr(self._standing, "etag", None)
            condition = {"If-None-Match": "*"} if etag is None else {"If-Match": f'"{etag}"'}
            options["headers"] = {**options.get("headers", {}), **condition}
        return super().urlopen(method, url, *args, **options)


def _refused(method: str, url: str, response: urllib3.BaseHTTPResponse, body: bytes) -> Refused:
    code, region = _CODE.search(body[:_MAX_REFUSAL_BYTES]), _REGION.search(body[:_MAX_REFUSAL_BYTES])
    return Refused(
        response.status,
        code[1].decode("ascii") if code else "",
        method=method,
        names_version="versionId=" in url,
        headers=dict(response.headers),
        region=region[1].decode("ascii") if region else response.headers.get("x-amz-bucket-region"),
    )
