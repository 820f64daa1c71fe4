"""Who asks, what they may do, and the two ways in which they are refused."""

import re
from dataclasses import dataclass
from enum import StrEnum

from consumer.core.errors import ConsumerError

TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A tenant's name: it becomes one segment of object keys, so it holds no dot and no slash."""


class Scope(StrEnum):
    """What a key or a token allows."""

    READ = "separations:read"
    WRITE = "separations:write"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever sent a request, once they have proved it.

    id: `key:<the key's id>`, `plain:<its number in SPLEETER_API_KEY, from 1>` or `token:<the token's subject>`; never a
    secret, and never the same for two of different kinds. For audit and rate limits.
    tenant: on whose behalf they ask; None sees only jobs that have no tenant.
    """

    id: str
    tenant: str | None
    scopes: frozenset[Scope]


class Refusal(StrEnum):
    """Why someone is unknown: for the audit trail and for operators, never for the reply."""

    MISSING = "missing"
    """neither a key nor a token was sent"""
    AMBIGUOUS = "ambiguous"
    """several keys, several tokens, or both"""
    MALFORMED = "malformed"
    """no key of ours by its checksum, or no token that can be read"""
    UNKNOWN = "unknown"
    """nobody has given out such a key, or such a signature"""
    EXPIRED = "expired"
    """it was given out, and its time is over"""
    REVOKED = "revoked"
    """it was given out, and taken back"""
    CLAIMS = "claims"
    """the token's issuer, audience, subject, tenant, scopes or times are not as they must be"""
    UNVERIFIABLE = "unverifiable"
    """the issuer's keys could not be fetched yet"""


class Unauthenticated(ConsumerError):
    """Nobody that is known: 401. Its text is the same for every reason.

    reason: for the audit trail. principal_id: whose key it was, where that is certain; None otherwise.
    """

    def __init__(self, reason: Refusal, *, principal_id: str | None = None) -> None:
        super().__init__("a valid key or token is needed")
        self.reason, self.principal_id = reason, principal_id


class Forbidden(ConsumerError):
    """Somebody that is known, who may not do this: 403. `scope` is what it takes."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"this needs the scope {scope}")
        self.scope = scope


def require(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden unless the principal has the scope; none includes another."""
    if scope not in principal.scopes:
        raise Forbidden(scope)
