"""The tombstone of a forgotten request: what stands in its place for good, so that nobody brings it back to life.

Its key is a pure function of tenant and request id, outside of OUTPUT_PREFIX, whose lifecycle rule would take it away.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

import msgspec

from consumer.core.events import REQUEST_ID
from consumer.core.output_place import tenant_prefix

FORGOTTEN = "forgotten/"
_SUFFIX = ".json"
_NOBODY, _TENANT = "none/", "tenant-"
_EMPTY = tenant_prefix("", "").removesuffix("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """All that is kept of a forgotten request."""

    tenant: str | None
    forgotten_at: datetime

    def to_json(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)


def tombstones_prefix(prefix: str) -> str:
    """What the keys of all tombstones begin with. prefix: OUTPUT_PREFIX."""
    return f"{FORGOTTEN}{prefix}"


def tombstone_key(prefix: str, tenant: str | None, request_id: str) -> str:
    """Where the tombstone of a tenant's request stands. prefix: OUTPUT_PREFIX.

    Each tenant has a folder of its own, and requests of nobody in particular one that no tenant can have.
    """
    folder = _NOBODY if tenant is None else f"{_TENANT}{tenant_prefix('', tenant)}"
    return f"{tombstones_prefix(prefix)}{folder}{request_id}{_SUFFIX}"


def parse_tombstone_key(prefix: str, key: str) -> tuple[str | None, str] | None:
    """Tenant and request id of a tombstone; None where the key is that of none."""
    folder, slash, name = key.removeprefix(tombstones_prefix(prefix)).partition("/")
    request_id, segment = name.removesuffix(_SUFFIX), folder.removeprefix(_TENANT)
    tenant = None if f"{folder}{slash}" == _NOBODY else "" if segment == _EMPTY else unquote(segment)
    is_ours = REQUEST_ID.fullmatch(request_id) and tombstone_key(prefix, tenant, request_id) == key
    return (tenant, request_id) if is_ours else None
