"""The keys that an issuer signs its tokens with: its JWKS, fetched when it is needed and kept while it is away."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
import msgspec
import structlog
from jwt import PyJWK, PyJWTError

from consumer.adapters.network_errors import reason_of
from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.log_events import LogEvent

ALGORITHMS = ("RS256", "ES256")
_MOST_KEYS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How often the set is fetched, and how much one answer may take."""

    refresh_s: float = 300.0
    """From one fetch to the next, so that keys that were taken out are taken no more."""
    cool_down_s: float = 10.0
    """Between two fetches, whoever asks for whatever keys."""
    answer_s: float = 5.0
    """For one answer, from the first to the last byte."""
    most_bytes: int = 256 * 1024
    """Of one answer."""


class _NoKeys(Exception):
    """What came is no set of keys; the text says what it is."""


class SigningKeys:
    """An issuer's public keys by name and algorithm; one fetch at a time, and none within the cool-down of another.

    Used by one event loop. The last set that was whole stays in use until there is another. From `start` to `close` it
    is fetched again and again.
    """

    def __init__(self, url: str, *, limits: FetchLimits | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._url, self._limits, self._clock = url, limits or FetchLimits(), clock
        self._trusted = _trusted()
        self._keys: Mapping[tuple[str, str], PyJWK] | None = None
        self._tried_at_s, self._is_away = float("-inf"), True
        self._fetch: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    @property
    def are_known(self) -> bool:
        """Whether the set could be fetched at least once."""
        return self._keys is not None

    async def find(self, key_name: str, algorithm: str) -> PyJWK | None:
        """The key of this name (`kid`) for RS256 or ES256; None where the issuer has none, or can't be asked yet."""
        key = (self._keys or {}).get((key_name, algorithm))
        if key is None:
            await self.refresh()
            key = (self._keys or {}).get((key_name, algorithm))
        return key

    async def start(self) -> None:
        """Fetch the set, and begin to follow it. It does not matter if it can't be had yet."""
        await self.refresh()
        self._following = asyncio.get_running_loop().create_task(self._follow())

    async def refresh(self) -> None:
        """Fetch the set, or wait for the fetch that is under way; nothing within the cool-down. Never raises.

        A caller who goes away does not end the fetch, since others wait for it.
        """
        if fetch := self._begin():
            await asyncio.shield(fetch)

    async def close(self) -> None:
        """Follow it no more, and end a fetch that is under way."""
        tasks = [task for task in (self._following, self._fetch) if task and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._limits.cool_down_s if self._is_away else self._limits.refresh_s)
            await self.refresh()

    def _begin(self) -> "asyncio.Task[None] | None":
        if self._fetch and not self._fetch.done():
            return self._fetch
        now_s = self._clock.monotonic()
        if now_s - self._tried_at_s < self._limits.cool_down_s:
            return None
        self._tried_at_s, self._is_away = now_s, True
        self._fetch = asyncio.get_running_loop().create_task(self._replace())
        return self._fetch

    async def _replace(self) -> None:
        try:
            async with asyncio.timeout(self._limits.answer_s):
                keys = _usable(await self._asked())
        except _NoKeys as error:
            self._log.warning(LogEvent.SIGNING_KEYS_AWAY, reason=str(error), kept=len(self._keys or {}))
        except Exception as error:  # noqa: BLE001 - httpx2 has no root of all that it raises, sockets and TLS have their own
            self._log.warning(LogEvent.SIGNING_KEYS_AWAY, reason=reason_of(error), kept=len(self._keys or {}))
        else:
            if self._keys is None or keys.keys() != self._keys.keys():
                self._log.info(LogEvent.SIGNING_KEYS_READ, number=len(keys))
            self._keys, self._is_away = keys, False

    async def _asked(self) -> bytes:
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        data = bytearray()
        async with (
            httpx2.AsyncClient(verify=self._trusted, timeout=self._limits.answer_s, follow_redirects=False) as http,
            http.stream("GET", self._url, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise _NoKeys(f"it answered {response.status_code}")
            async for piece in response.aiter_raw():  # as it comes: what is packed is not unpacked
                data += piece
                if len(data) > self._limits.most_bytes:
                    raise _NoKeys("it is too long")
        return bytes(data)


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities of SSL_CERT_FILE, else those that everybody trusts; reading them takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _usable(data: bytes) -> dict[tuple[str, str], PyJWK]:
    """Those that may sign tokens; what else is in the set is left out. Raises _NoKeys for what is no set of keys."""
    try:
        listed = msgspec.json.decode(data)["keys"]
    except (msgspec.DecodeError, ValueError, RecursionError, KeyError, TypeError):
        raise _NoKeys("it is no set of keys") from None
    if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
        raise _NoKeys("it is no set of keys")
    found: dict[tuple[str, str], PyJWK] = {}
    for each in listed:
        if isinstance(each, dict) and (key := _public_key(each)):
            found.setdefault((each["kid"], key.algorithm_name), key)
    return found


def _public_key(jwk: Mapping[str, Any]) -> PyJWK | None:
    """The key, if it has a name and is for checking signatures by one of ALGORITHMS."""
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(jwk.get("kty")))
    is_for_signatures = jwk.get("use", "sig") == "sig" and "verify" in _operations(jwk)
    name = jwk.get("kid")
    if not algorithm or not isinstance(name, str) or not name or not is_for_signatures:
        return None
    if jwk.get("alg", algorithm) != algorithm or "d" in jwk:  # a private key that is shown to all is nobody's
        return None
    if algorithm == "ES256" and jwk.get("crv") != "P-256":
        return None
    try:
        return PyJWK(dict(jwk), algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _operations(jwk: Mapping[str, Any]) -> list[Any]:
    named = jwk.get("key_ops", ["verify"])
    return named if isinstance(named, list) else []
