"""Where model archives come from: a release on the web, by httpx2, or a bucket of the object store."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import httpx2

from consumer.adapters.network_errors import reason_of
from consumer.core.cancellation import Cancellation
from consumer.core.checkpoints import unavailable
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.digest import sha256_of
from consumer.core.errors import Code, ModelSourceUnavailable, Rejected, StoreUnavailable
from consumer.core.model_digests import RELEASED_ARCHIVES, is_release
from consumer.core.ports import ModelSource, ObjectStore

_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_MOST_S = 3600.0  # a source that trickles is given up
# The largest of Spleeter's archives has 180 MB; what is larger than this is not fetched whole.
_MOST_BYTES = {".json": 1 << 20, ".gz": 1 << 30}


def _most_bytes(file: str) -> int:
    return _MOST_BYTES[Path(file).suffix]


def _too_large(file: str) -> Rejected:
    return unavailable(file.partition(".")[0], f"{file} has more than {_most_bytes(file)} bytes in this source")


class HttpModelSource:
    """Spleeter's own release, or a mirror of it: files under one base address."""

    def __init__(self, base_url: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = "release"
        self._base_url, self._clock = base_url.rstrip("/"), clock

    def fetch(self, file: str, path: Path) -> bool:
        """See ports.ModelSource."""
        headers = {"Accept-Encoding": "identity"}  # as it lies there: nothing is unpacked on the way
        options: dict[str, Any] = {"timeout": _TIMEOUT, "follow_redirects": True, "headers": headers}
        try:
            with httpx2.stream("GET", f"{self._base_url}/{file}", **options) as response:
                if response.status_code == httpx2.codes.NOT_FOUND:
                    return False
                response.raise_for_status()
                with path.open("wb") as out:
                    self._copy(response, out, file)
            return True
        except httpx2.HTTPError as error:
            status = error.response.status_code if isinstance(error, httpx2.HTTPStatusError) else None
            reason = f"HTTP status {status}" if status else reason_of(error)
            raise ModelSourceUnavailable(f"can't be reached ({reason})") from error

    def _copy(self, response: httpx2.Response, out: BinaryIO, file: str) -> None:
        left, until = _most_bytes(file), self._clock.monotonic() + _MOST_S
        for chunk in response.iter_raw(1 << 20):
            left -= len(chunk)
            if left < 0:
                raise _too_large(file)
            if self._clock.monotonic() > until:
                raise ModelSourceUnavailable(f"too slow: {file} did not come within {_MOST_S:.0f} s")
            out.write(chunk)


class SpleeterRelease(HttpModelSource):
    """Spleeter's own release, whose archives' digests are known beforehand."""

    def fetch(self, file: str, path: Path) -> bool:
        """See ports.ModelSource. Raises Rejected(MODEL_UNAVAILABLE) where an archive is not the one of that release."""
        found = super().fetch(file, path)
        name = file.removesuffix(".tar.gz")
        if found and name in RELEASED_ARCHIVES and sha256_of(path) != RELEASED_ARCHIVES[name]:
            raise unavailable(name, "its archive does not have the pinned digest of Spleeter's own")
        return found


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
            if facts.size_bytes > _most_bytes(file):
                raise _too_large(file)
            self._store.fetch(facts, path, Cancellation())
            return True
        except (StoreUnavailable, Rejected) as error:
            if isinstance(error, Rejected) and error.code == Code.MODEL_UNAVAILABLE:
                raise
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
            sources.append(SpleeterRelease(address) if is_release(address) else HttpModelSource(address))
    return sources
