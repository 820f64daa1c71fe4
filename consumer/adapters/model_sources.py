"""Where model archives come from: a release on the web, by httpx2, or a bucket of the object store."""

from collections.abc import Sequence
from pathlib import Path

import httpx2

from consumer.adapters.network_errors import reason_of
from consumer.core.cancellation import Cancellation
from consumer.core.errors import ModelSourceUnavailable, Rejected, StoreUnavailable
from consumer.core.ports import ModelSource, ObjectStore

_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)


class HttpModelSource:
    """Spleeter's own release, or a mirror of it: files under one base address."""

    def __init__(self, base_url: str) -> None:
        self.name = "release"
        self._base_url = base_url.rstrip("/")

    def fetch(self, file: str, path: Path) -> bool:
        try:
            with httpx2.stream("GET", f"{self._base_url}/{file}", timeout=_TIMEOUT, follow_redirects=True) as response:
                if response.status_code == httpx2.codes.NOT_FOUND:
                    return False
                response.raise_for_status()
                with path.open("wb") as out:
                    for chunk in response.iter_bytes(1 << 20):
                        out.write(chunk)
            return True
        except httpx2.HTTPError as error:
            status = error.response.status_code if isinstance(error, httpx2.HTTPStatusError) else None
            reason = f"HTTP status {status}" if status else reason_of(error)
            raise ModelSourceUnavailable(f"can't be reached ({reason})") from error


class BucketModelSource:
    """A bucket, for networks without a way out."""

    def __init__(self, store: ObjectStore, bucket: str, prefix: str) -> None:
        self.name = f"s3://{bucket}/{prefix}"
        self._store, self._bucket, self._prefix = store, bucket, prefix

    def fetch(self, file: str, path: Path) -> bool:
        key = f"{self._prefix.strip('/')}/{file}".lstrip("/")
        try:
            facts = self._store.stat(self._bucket, key)
            if facts is None:
                return False
            self._store.fetch(facts, path, Cancellation())
            return True
        except (StoreUnavailable, Rejected) as error:
            raise ModelSourceUnavailable(str(error)) from error


def model_sources(addresses: Sequence[str], store: ObjectStore | None) -> list[ModelSource]:
    """The sources that MODEL_SOURCES names, in its order. Those in a bucket need a store."""
    sources: list[ModelSource] = []
    for address in addresses:
        if address == "none":
            continue
        if address.startswith("s3://"):
            bucket, _, prefix = address.removeprefix("s3://").partition("/")
            if store is not None:
                sources.append(BucketModelSource(store, bucket, prefix))
        else:
            sources.append(HttpModelSource(address))
    return sources
