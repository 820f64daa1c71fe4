"""Why a server can't be reached, in the words of TLS or of the system, whatever a library has wrapped them in."""

import os
import re
import socket
import ssl
from collections.abc import Iterator

_MOST = 20  # errors in a chain; one might lead back to itself
_CERTIFICATE, _NO_TLS = "certificate verify failed", frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
_TIMED_OUT = re.compile(r"timed? ?out|Timeout", re.IGNORECASE)


def reason_of(error: BaseException) -> str:
    """The reason in a few words, without addresses; the error's kind where nothing in it says more."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ssl.SSLError):
            return _of_tls(each)
    for each in chain:
        if isinstance(each, socket.gaierror):
            return f"its name can't be resolved: {each.strerror}"
    for each in chain:
        if isinstance(each, OSError) and each.errno is not None:
            return os.strerror(each.errno)  # what asyncio makes of `strerror` holds the address
    if any(isinstance(each, TimeoutError) or _TIMED_OUT.search(type(each).__name__) for each in chain):
        return "timed out"
    if any(isinstance(each, ConnectionError) for each in chain):
        return "it hung up"
    return type(error).__name__


def is_of_a_certificate(reason: str) -> bool:
    """Whether that is the reason that a server has shown a certificate which we don't trust."""
    return reason.startswith(_CERTIFICATE)


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError) or error.reason == "CERTIFICATE_VERIFY_FAILED":
        why = getattr(error, "verify_message", "") or "unknown"
        return f"{_CERTIFICATE}: {why}; SSL_CERT_FILE names the authorities that are trusted"
    if error.reason in _NO_TLS:
        return "it does not speak TLS at that port"
    return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from, or carries, from the outermost on."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting and len(seen) < _MOST:
        each = waiting.pop(0)
        if any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        carried = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [other for other in carried if isinstance(other, BaseException)]
