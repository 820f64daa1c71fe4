"""Which tenant may read where, and have stems where.

The map is JSON, `{"version": 1, "tenants": [...]}` with one TenantPlaces each. Who has none there may do nothing.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from consumer.core.errors import Code, Rejected
from consumer.core.events import SourceObject


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All keys of a bucket that begin with a prefix: "" or one that ends with a slash, so that no name is cut short."""

    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        if not self.bucket:
            raise ValueError("a place must name a bucket")
        if self.prefix and not self.prefix.endswith("/"):
            raise ValueError("a place's prefix must end with /")

    def holds(self, bucket: str, key: str) -> bool:
        """Whether that lies there."""
        return bucket == self.bucket and key.startswith(self.prefix)


class TenantPlaces(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """tenant: None stands for requests without one. outputs: where stems may go beside the tenant's default place."""

    tenant: str | None
    sources: tuple[Place, ...]
    outputs: tuple[Place, ...] = ()


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1]
    tenants: tuple[TenantPlaces, ...]


class TenantMap:
    """Raises ValueError where a tenant is named twice."""

    def __init__(self, tenants: Iterable[TenantPlaces]) -> None:
        named = [(each.tenant, each) for each in tenants]
        self._places = dict(named)
        if len(self._places) < len(named):
            raise ValueError("a tenant is named twice")

    def __len__(self) -> int:
        return len(self._places)

    def check_source(self, tenant: str | None, source: SourceObject) -> None:
        """Raises Rejected(BUCKET_NOT_ALLOWED) where the tenant may not read that."""
        places = self._places.get(tenant)
        if places is None or not any(place.holds(source.bucket, source.key) for place in places.sources):
            told = f"{_words(tenant)} may not read {source.key[:80]!r} in {source.bucket[:80]!r}"
            raise Rejected(Code.BUCKET_NOT_ALLOWED, told)

    def check_output(self, tenant: str | None, bucket: str, folder: str) -> None:
        """Raises Rejected(BUCKET_NOT_ALLOWED) where the tenant may not have stems there, beside the default place."""
        places = self._places.get(tenant)
        if places is None or not any(place.holds(bucket, folder) for place in places.outputs):
            told = f"{_words(tenant)} may not have stems below {folder[:80]!r} in {bucket[:80]!r}"
            raise Rejected(Code.BUCKET_NOT_ALLOWED, told)


def parse_tenants(data: bytes) -> TenantMap:
    """Raises ValueError, which says what is wrong."""
    try:
        return TenantMap(msgspec.json.decode(data, type=_Content).tenants)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _words(tenant: str | None) -> str:
    return "a request without a tenant" if tenant is None else f"tenant {tenant[:80]!r}"
