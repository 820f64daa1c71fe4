"""Signatures as Standard Webhooks has them: HMAC-SHA256 over `<id>.<seconds>.<body>`, one for each secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
FEWEST_BYTES, MOST_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """The key in `whsec_<base64>`. Raises ValueError, which does not hold it."""
    if not secret.startswith(PREFIX):
        raise ValueError(f"a secret must begin with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a secret must be base64 after {PREFIX}") from None
    if not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"a secret must hold {FEWEST_BYTES} to {MOST_BYTES} bytes")
    return key


def signed_headers(webhook_id: str, at_s: int, body: bytes, secrets: Iterable[str]) -> Mapping[str, str]:
    """The three headers of one attempt at `at_s`, seconds since 1970; the signatures are in the secrets' order."""
    signed = f"{webhook_id}.{at_s}.".encode() + body
    digests = (hmac.digest(key_of(secret), signed, hashlib.sha256) for secret in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
