"""Bearer tokens: JWTs of one issuer, signed by RS256 or ES256 with a key of its JWKS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from consumer.gateway.access.principal import TENANT, Principal, Refusal, Scope, Unauthenticated
from consumer.gateway.access.signing_keys import ALGORITHMS, SigningKeys

_LEEWAY_S = 30  # by which the issuer's clock and ours may differ
_MOST_CHARACTERS = 16 * 1024
_MOST_SUBJECT_CHARACTERS = 255  # OpenID Connect's
_REQUIRED = ["exp", "iss", "aud", "sub"]
# What a token may call itself, if it does. One for logging out, say, has the same issuer and subject, and is none.
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """What tokens must be. issuer: their `iss`; audience: one of their `aud`; tenant_claim: what names their tenant."""

    issuer: str
    audience: str
    tenant_claim: str = "tenant"


class Tokens:
    """Whose token it is, by the issuer's keys."""

    def __init__(self, rules: TokenRules, keys: SigningKeys) -> None:
        self._rules, self.keys = rules, keys

    async def principal(self, token: str) -> Principal:
        """Whoever the token is of. Raises Unauthenticated."""
        name, algorithm = _signed_by(token)
        key = await self.keys.find(name, algorithm)
        if key is None:
            raise Unauthenticated(Refusal.UNKNOWN if self.keys.are_known else Refusal.UNVERIFIABLE)
        claims = self._claims(token, key, algorithm)
        return Principal(id=f"token:{_subject(claims)}", tenant=self._tenant(claims), scopes=_scopes(claims))

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> Mapping[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._rules.issuer,
                audience=self._rules.audience,
                leeway=_LEEWAY_S,
                options={"require": _REQUIRED, "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(Refusal.EXPIRED) from None
        except (jwt.InvalidSignatureError, jwt.InvalidKeyError, jwt.InvalidAlgorithmError):
            raise Unauthenticated(Refusal.UNKNOWN) from None
        except jwt.PyJWTError:
            raise Unauthenticated(Refusal.CLAIMS) from None

    def _tenant(self, claims: Mapping[str, Any]) -> str | None:
        tenant = claims.get(self._rules.tenant_claim)
        if tenant is not None and not (isinstance(tenant, str) and TENANT.fullmatch(tenant)):
            raise Unauthenticated(Refusal.CLAIMS)
        return tenant


def _signed_by(token: str) -> tuple[str, str]:
    """The name of the key that a token says it was signed with, and the algorithm; neither is believed by this."""
    if len(token) > _MOST_CHARACTERS:
        raise Unauthenticated(Refusal.MALFORMED)
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise Unauthenticated(Refusal.MALFORMED) from None
    name, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unauthenticated(Refusal.MALFORMED)
    if not isinstance(name, str) or not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Unauthenticated(Refusal.MALFORMED)
    return name, algorithm


def _subject(claims: Mapping[str, Any]) -> str:
    subject = str(claims["sub"])
    if not 0 < len(subject) <= _MOST_SUBJECT_CHARACTERS or not subject.isprintable():
        raise Unauthenticated(Refusal.CLAIMS)
    return subject


def _scopes(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """Of `scope`, or else `scp`: one text with blanks in between, or a list. Other services' are passed over."""
    named = next((claims[name] for name in ("scope", "scp") if claims.get(name) is not None), "")
    words = named.split(" ") if isinstance(named, str) else named
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Unauthenticated(Refusal.CLAIMS)
    return frozenset(scope for scope in Scope if scope in words)
