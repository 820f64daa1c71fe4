"""Keys: how they are written, what is kept of them, and how one is looked up.

A key is `spk_<id>_<secret><checksum>`: an id of 10 characters, 32 random bytes as 43 characters and the CRC-32 of all
before it as 6, in base62. Scanners for leaked secrets recognise it, and one that was mistyped is refused without a look
at any file. Of the key itself only the SHA-256 is kept: what is this random needs no slow hash.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from consumer.gateway.access.principal import TENANT, Principal, Refusal, Scope, Unauthenticated

PREFIX = "spk"
KEY_ID = re.compile(r"[0-9A-Za-z]{10}")
MOST_NAME_CHARACTERS = 100
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_CHARACTERS = 10
_SECRET_BYTES, _SECRET_CHARACTERS = 32, 43
_CHECKSUM_CHARACTERS = 6
_KEY = re.compile(rf"{PREFIX}_({KEY_ID.pattern})_[0-9A-Za-z]{{{_SECRET_CHARACTERS + _CHECKSUM_CHARACTERS}}}")
_NOBODYS_SHA256 = "0" * 64  # what keys with unknown ids are compared with, so that they take the same work


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a key. Raises ValueError where a field can't be.

    A file with other fields is refused: a key of which someone had written `expires` would never expire.

    id: its 10 characters; names it for ever. name: whose it is, as a person wrote it; need not be the only one.
    sha256: of the whole key, 64 characters of lower-case hex. Times are UTC; `expires_at` None: it never expires.
    """

    id: str
    name: str
    tenant: str | None
    scopes: frozenset[Scope]
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        if not KEY_ID.fullmatch(self.id):
            raise ValueError("a key's id must be 10 characters of A-Za-z0-9")
        if not is_name(self.name):
            raise ValueError(f"a key's name must be 1 to {MOST_NAME_CHARACTERS} characters that can be printed")
        if self.tenant is not None and not TENANT.fullmatch(self.tenant):
            raise ValueError("a tenant must be 1 to 64 characters of A-Za-z0-9_-")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError("a key's sha256 must be 64 characters of lower-case hex")
        if any(at is not None and at.tzinfo is None for at in (self.created_at, self.expires_at, self.revoked_at)):
            raise ValueError("a key's times must name their time zone")

    @property
    def principal(self) -> Principal:
        """Whoever holds the key."""
        return Principal(id=f"key:{self.id}", tenant=self.tenant, scopes=self.scopes)


def is_name(text: str) -> bool:
    """Whether a key may be called so."""
    return 0 < len(text) <= MOST_NAME_CHARACTERS and text.isprintable() and text == text.strip()


def make_key(
    *,
    name: str,
    tenant: str | None,
    scopes: Iterable[Scope],
    created_at: datetime,
    expires_at: datetime | None = None,
) -> tuple[str, KeyRecord]:
    """A new key, to be shown once, and what to keep of it. Raises ValueError as KeyRecord does."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARACTERS))
    secret = _base62(int.from_bytes(secrets.token_bytes(_SECRET_BYTES)), _SECRET_CHARACTERS)
    unchecked = f"{PREFIX}_{key_id}_{secret}"
    key = unchecked + _checksum(unchecked)
    record = KeyRecord(
        id=key_id,
        name=name,
        tenant=tenant,
        scopes=frozenset(scopes),
        sha256=_sha256(key),
        created_at=created_at,
        expires_at=expires_at,
    )
    return key, record


def key_id_of(key: str) -> str | None:
    """The id of what is written as a key, with the right checksum; None for what is none. No file is looked at."""
    match = _KEY.fullmatch(key)
    if not match:
        return None
    unchecked, checksum = key[:-_CHECKSUM_CHARACTERS], key[-_CHECKSUM_CHARACTERS:]
    return match[1] if hmac.compare_digest(_checksum(unchecked), checksum) else None


class KeyRing:
    """The keys that were given out, by their ids. Raises ValueError where two have the same."""

    def __init__(self, records: Iterable[KeyRecord]) -> None:
        found: dict[str, KeyRecord] = {}
        for record in records:
            if found.setdefault(record.id, record) is not record:
                raise ValueError("two keys have the same id")
        self._records: Mapping[str, KeyRecord] = found

    def __len__(self) -> int:
        return len(self._records)

    def find(self, key: str, now: datetime) -> KeyRecord:
        """The record of a key that may be used now. Raises Unauthenticated.

        An id that nobody has takes the same work as one that somebody has, with another secret.
        """
        key_id = key_id_of(key)
        if key_id is None:
            raise Unauthenticated(Refusal.MALFORMED)
        record = self._records.get(key_id)
        is_right = hmac.compare_digest(_sha256(key), record.sha256 if record else _NOBODYS_SHA256)
        if record is None or not is_right:
            raise Unauthenticated(Refusal.UNKNOWN)
        if record.revoked_at is not None:
            raise Unauthenticated(Refusal.REVOKED, principal_id=record.principal.id)
        if record.expires_at is not None and now >= record.expires_at:
            raise Unauthenticated(Refusal.EXPIRED, principal_id=record.principal.id)
        return record


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, characters: int) -> str:
    """Most significant first, filled up with zeros."""
    digits = []
    for _ in range(characters):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
