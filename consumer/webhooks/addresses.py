"""Which addresses may be called: what is open to everybody, and what the operator allows.

A tenant chooses the host of an endpoint, and so what its name resolves to. `is_global` alone does not hold: ways to
write an IPv4 address as one of IPv6 are global to it, and so are clouds' own servers at public addresses.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from consumer.settings.webhooks import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What Python's own properties take for global, in one version or another.
_REFUSED: Sequence[Network] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared address space; a cloud's metadata lie there
        "168.63.129.16/32",  # the server of a cloud's own for its machines
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays to 6to4
        "::/96",  # IPv4-compatible
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of a network's own
        "100::/64",  # discarded
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)


class AddressWall:
    """Knows the networks that are allowed although they are not open to everybody."""

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def lets_pass(self, text: str) -> bool:
        """Whether an address, as the system's resolver writes it, may be called; False for what is none."""
        try:
            address: Address = ipaddress.ip_address(text)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address):
            if address.scope_id is not None:
                return False
            address = address.ipv4_mapped or address
        if any(address in network for network in self._allowed):
            return True
        return is_open(address)


def is_open(address: Address) -> bool:
    """Whether an address is one of the internet's hosts: no private, shared, reserved or translated one."""
    is_special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    return address.is_global and not is_special and not any(address in network for network in _REFUSED)
