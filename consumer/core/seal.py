"""Seals: what the service keeps in the store bears its own signature, so that nobody else's is taken for it.

The seal is an HMAC-SHA256 over bucket, key and the document's bytes, and stands as the last member, `mac`, of its JSON
object. A copy of a sealed document in another place is thus none of ours either.
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

_TAIL = re.compile(rb',"mac":"([0-9a-f]{64})"\}\s*\Z')
_TAIL_BYTES = 128  # more than any tail has


def _no_keys() -> tuple[bytes, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """keys: those of now, the first of which seals, and each of which opens; none: nothing is sealed.

    accepts_unsealed: whether what bears no seal is believed although there are keys; never what bears a wrong one.
    """

    keys: Callable[[], tuple[bytes, ...]] = _no_keys
    accepts_unsealed: bool = False

    @property
    def is_set(self) -> bool:
        """Whether there are keys: then others can't make what we believe."""
        return bool(self.keys())

    def close(self, bucket: str, key: str, document: bytes) -> bytes:
        """The document, a JSON object with members, as it is to be stored there."""
        keys = self.keys()
        if not keys:
            return document
        body = document.rstrip().removesuffix(b"}")
        return b'%b,"mac":"%b"}' % (body, _mac(keys[0], bucket, key, body).encode())

    def open(self, bucket: str, key: str, data: bytes) -> bytes | None:
        """What lies there, if it is to be believed; None where it is none of ours."""
        keys = self.keys()
        if not keys:
            return data
        tail = _TAIL.search(data, max(0, len(data) - _TAIL_BYTES))
        if tail is None:
            return data if self.accepts_unsealed else None
        body, given = data[: tail.start()], tail[1].decode()
        fits = [hmac.compare_digest(_mac(each, bucket, key, body), given) for each in keys]
        return data if any(fits) else None


UNSEALED = Seal()


def _mac(secret: bytes, bucket: str, key: str, body: bytes) -> str:
    """Each part behind its length, so that no two places run into one."""
    parts = (bucket.encode("utf-8", "surrogatepass"), key.encode("utf-8", "surrogatepass"), body)
    told = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hmac.new(secret, told, hashlib.sha256).hexdigest()
