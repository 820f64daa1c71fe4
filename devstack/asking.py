"""Questions by plain HTTP to servers of this machine, such as are asked many times until there is an answer."""

import ssl
from typing import Any

import httpx2


def get(url: str, **options: Any) -> httpx2.Response:
    """As httpx2 does it, but for http alone: without reading all authorities that the machine trusts, each time anew,
    which takes forty times as long as the rest of it."""
    return httpx2.get(url, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **options)


def is_well(url: str) -> bool:
    """Whether it answers soon, and with success."""
    try:
        return get(url, timeout=2).is_success
    except httpx2.HTTPError:
        return False
