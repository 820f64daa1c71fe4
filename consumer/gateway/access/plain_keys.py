"""Keys that are set as plain text, by SPLEETER_API_KEY or the file that SPLEETER_API_KEY_FILE names."""

import hashlib
import hmac
from collections.abc import Callable

import structlog

from consumer.core.errors import SettingsError
from consumer.core.log_events import LogEvent
from consumer.gateway.access.principal import Principal, Scope

_ALL_SCOPES = frozenset(Scope)


class PlainKeys:
    """Each of them allows everything that needs no tenant.

    read: gives the keys as they are set now, and raises SettingsError where they can't be used; it is called for each
    look, so that a file is followed. Keys that can't be used change nothing: those before them stay, and a log line
    says why. Raises SettingsError where they can't be used from the start.
    """

    def __init__(self, read: Callable[[], tuple[str, ...]]) -> None:
        self._read = read
        self._keys = read()
        self._digests = [_digest(key.encode()) for key in self._keys]
        self._trouble = ""
        self._log = structlog.get_logger()

    def find(self, sent: bytes) -> Principal | None:
        """Whose key this is; None where it is nobody's. All keys are compared, each in the same time whatever it is."""
        self._follow()
        digest, number = _digest(sent), 0
        for position, own in enumerate(self._digests, 1):
            number += position * hmac.compare_digest(digest, own)
        return Principal(id=f"plain:{number}", tenant=None, scopes=_ALL_SCOPES) if number else None

    def _follow(self) -> None:
        try:
            keys = self._read()
        except SettingsError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._log.error(LogEvent.KEYS_UNREADABLE, reason=self._trouble, kept=len(self._keys))
            return
        self._trouble = ""
        if keys != self._keys:
            self._keys, self._digests = keys, [_digest(key.encode()) for key in keys]
            self._log.info(LogEvent.KEYS_READ, number=len(keys))


def _digest(key: bytes) -> bytes:
    """Of the same length for every key, so that comparing tells nothing of a key's length."""
    return hashlib.sha256(key).digest()
