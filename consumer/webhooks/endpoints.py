"""The file of endpoints, which is followed while it changes.

It is JSON, `{"version": 1, "endpoints": [...]}` with one Endpoint each, and holds secrets: mode 0600 is for it.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx2
import msgspec
import structlog

from consumer.core.clock import SYSTEM_CLOCK, Clock
from consumer.core.followed_file import FileKind, FollowedFile, UnusableFile
from consumer.core.log_events import LogEvent
from consumer.webhooks.signing import key_of

MOST_ENDPOINTS = 100
"""Each has a client of Kafka's and series of metrics of its own."""
MOST_SECRETS = 5
_MOST_URL_CHARACTERS = 2000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KIND = FileKind(variable="WEBHOOKS_FILE", holds="endpoints", most_bytes=1 << 20)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell of a tenant's outcomes. Raises ValueError, which holds no secret, where a field can't be.

    id: names it in logs, metrics and its consumer group; 1 to 64 characters of A-Za-z0-9_-.
    tenant: whose outcomes; None: those of requests without a tenant, and no others.
    secrets: `whsec_<base64>`; each signs, so that a new one is put beside the old one while receivers change over.
    """

    id: str
    tenant: str | None
    url: str
    secrets: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError("an endpoint's id must be 1 to 64 characters of A-Za-z0-9_-")
        if self.tenant is not None and not _ID.fullmatch(self.tenant):
            raise ValueError(f"endpoint {self.id}: its tenant must be 1 to 64 characters of A-Za-z0-9_-")
        if reason := _objection(self.url):
            raise ValueError(f"endpoint {self.id}: its url {reason}")
        if not 1 <= len(self.secrets) <= MOST_SECRETS:
            raise ValueError(f"endpoint {self.id}: it must have 1 to {MOST_SECRETS} secrets")
        for secret in self.secrets:
            try:
                key_of(secret)
            except ValueError as error:
                raise ValueError(f"endpoint {self.id}: {error}") from None

    def __repr__(self) -> str:
        """Without the address, which may hold a token, and the secrets."""
        return f"Endpoint(id={self.id!r}, tenant={self.tenant!r})"

    @property
    def digest(self) -> str:
        """Changes with anything that is said of the endpoint: 16 characters of hex, of which no secret can be told."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class _Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: Literal[1]
    endpoints: tuple[Endpoint, ...]


class FollowedEndpoints:
    """The endpoints in the file as it is now, looked at once a second at most.

    A version that is broken or away changes nothing: the endpoints that were read last stay, and a log line says why.
    Raises SettingsError, which names WEBHOOKS_FILE, where the file can't be used from the start.
    trouble: why the file as it is now can't be used; "" where it can.
    """

    def __init__(self, path: Path, *, allow_http: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        self._allow_http = allow_http
        self._log = structlog.get_logger()
        self.trouble = ""
        self._file = FollowedFile(path, _KIND, self._decoded, self._tell, clock)

    def now(self) -> Mapping[str, Endpoint]:
        """By their ids."""
        return self._file.now()

    def _tell(self, endpoints: Mapping[str, Endpoint], trouble: str) -> None:
        if trouble:
            self.trouble = f"{_KIND.variable}: {trouble}; the endpoints before are kept"
            self._log.error(LogEvent.ENDPOINTS_UNREADABLE, reason=trouble, kept=len(endpoints))
        else:
            self.trouble = ""
            self._log.info(LogEvent.ENDPOINTS_READ, number=len(endpoints))

    def _decoded(self, data: bytes) -> Mapping[str, Endpoint]:
        try:
            endpoints = msgspec.json.decode(data, type=_Content).endpoints
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise UnusableFile(f"is none of endpoints ({error})") from None
        if len(endpoints) > MOST_ENDPOINTS:
            raise UnusableFile(f"holds more than {MOST_ENDPOINTS} endpoints")
        found = {endpoint.id: endpoint for endpoint in endpoints}
        if len(found) < len(endpoints):
            raise UnusableFile("holds two endpoints with the same id")
        for endpoint in endpoints:
            if not self._allow_http and urlsplit(endpoint.url).scheme != "https":
                raise UnusableFile(f"has an endpoint without https, {endpoint.id} (WEBHOOKS_ALLOW_HTTP allows that)")
        return found


def _objection(url: str) -> str:
    """What is wrong with an address, without it; "" where nothing is."""
    if len(url) > _MOST_URL_CHARACTERS or not re.fullmatch(r"https?://[!-~]+", url) or "\\" in url:
        return f"must begin with https:// and have at most {_MOST_URL_CHARACTERS} of ASCII's printable characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        return "can't be read"
    if not host or port == 0:
        return "must name a host, and a port from 1 to 65535 where it names one"
    if parts.username is not None or parts.password is not None or "#" in url:
        return "must hold no user, no password and no #"
    return ""
