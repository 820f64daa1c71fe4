"""How the client is known to the gateway."""

from collections.abc import Callable, Mapping

from consumer.core.errors import SettingsError

Credentials = Callable[[], Mapping[str, str]]
"""Headers that say who asks; made anew for each request, so that what is rotated is followed."""


def api_key(key: str | Callable[[], str]) -> Credentials:
    """A key of `spleeter-consumer keys`, or a plain one. It raises SettingsError where that can't be sent."""
    return lambda: {"X-API-KEY": _sendable(key)}


def bearer_token(token: str | Callable[[], str]) -> Credentials:
    """A token of the gateway's issuer; as `api_key`."""
    return lambda: {"Authorization": f"Bearer {_sendable(token)}"}


def _sendable(secret: str | Callable[[], str]) -> str:
    """The text, which no error shows."""
    text = secret if isinstance(secret, str) else secret()
    if not text or not text.isascii() or not text.isprintable():
        raise SettingsError("the gateway's key must be of ASCII's printable characters")
    return text
