"""Who sent a request, by what its headers prove: a key or a token, and never both."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.errors import SettingsError
from consumer.gateway.access.key_file import FollowedKeys
from consumer.gateway.access.plain_keys import PlainKeys
from consumer.gateway.access.principal import Principal, Refusal, Unauthenticated
from consumer.gateway.access.signing_keys import SigningKeys
from consumer.gateway.access.tokens import TokenRules, Tokens
from consumer.settings.access import AccessSettings

API_KEY_HEADER, TOKEN_HEADER = "x-api-key", "authorization"
_SCHEME = "bearer"
_WAYS = ("SPLEETER_API_KEY", "API_KEYS_FILE", "JWT_ISSUER")

Pairs = Iterable[tuple[bytes, bytes]]


@runtime_checkable
class HeadersWithRaw(Protocol):
    """Starlette's Headers, which have the pairs as they came."""

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """Names and values, in their order."""
        ...


class Authenticator:
    """Knows who holds which key or token. Used by one event loop; by a way that is absent, nobody comes in."""

    def __init__(
        self,
        *,
        plain_keys: PlainKeys | None = None,
        keys: FollowedKeys | None = None,
        tokens: Tokens | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._plain_keys, self._keys, self._tokens, self._clock = plain_keys, keys, tokens, clock

    async def start(self) -> None:
        """Fetch the issuer's keys, where there is one, and follow them. It does not matter if they can't be had yet."""
        if self._tokens:
            await self._tokens.keys.start()

    async def close(self) -> None:
        """End what is under way."""
        if self._tokens:
            await self._tokens.keys.close()

    def why_not_ready(self) -> str:
        """What keeps somebody with a right token out, for `/ready`; empty where nothing does."""
        if self._tokens and not self._tokens.keys.are_known:
            return "the token issuer's keys could not be fetched yet"
        return ""

    async def authenticate(self, headers: HeadersWithRaw | Pairs) -> Principal:
        """Whoever sent these headers: Starlette's, or pairs of name and value. Raises Unauthenticated."""
        pairs = headers.raw if isinstance(headers, HeadersWithRaw) else headers
        sent: list[tuple[str, bytes]] = []
        for raw_name, value in pairs:
            name = raw_name.lower().decode("latin-1")
            if name in (API_KEY_HEADER, TOKEN_HEADER):
                sent.append((name, value))
        if len(sent) != 1:
            raise Unauthenticated(Refusal.AMBIGUOUS if sent else Refusal.MISSING)
        [(name, value)] = sent
        return self._by_key(value) if name == API_KEY_HEADER else await self._by_token(value)

    def _by_key(self, value: bytes) -> Principal:
        plain = self._plain_keys.find(value) if self._plain_keys else None
        refused = Unauthenticated(Refusal.UNKNOWN)
        try:  # also where a plain key was found, so that both take the same work
            if self._keys:
                return self._keys.now().find(_ascii(value), self._clock.now()).principal
        except Unauthenticated as error:
            refused = error
        if plain:
            return plain
        raise refused

    async def _by_token(self, value: bytes) -> Principal:
        scheme, _, token = _ascii(value).strip(" ").partition(" ")
        if scheme.lower() != _SCHEME or not token.strip(" "):
            raise Unauthenticated(Refusal.MALFORMED)
        if not self._tokens:
            raise Unauthenticated(Refusal.UNKNOWN)
        return await self._tokens.principal(token.strip(" "))


def make_authenticator(settings: AccessSettings, clock: Clock = SYSTEM_CLOCK) -> Authenticator:
    """What the settings say. Raises SettingsError, also where nobody could ever be known."""
    if not settings.has_any:
        raise SettingsError(f"{', '.join(_WAYS)}: one of them must be set, or nobody could log in", variables=_WAYS)
    read = settings.plain_keys()
    return Authenticator(
        plain_keys=PlainKeys(read) if read else None,
        keys=FollowedKeys(settings.api_keys_file, clock) if settings.api_keys_file else None,
        tokens=_tokens(settings, clock),
        clock=clock,
    )


def _tokens(settings: AccessSettings, clock: Clock) -> Tokens | None:
    if not (settings.jwt_issuer and settings.jwt_audience and settings.jwt_jwks_url):
        return None
    rules = TokenRules(
        issuer=settings.jwt_issuer, audience=settings.jwt_audience, tenant_claim=settings.jwt_tenant_claim
    )
    return Tokens(rules, SigningKeys(settings.jwt_jwks_url, clock=clock))


def _ascii(value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise Unauthenticated(Refusal.MALFORMED) from None
