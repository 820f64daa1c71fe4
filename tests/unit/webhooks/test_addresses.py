"""The wall around private networks: whatever a tenant's name leads to, it is somebody's on the internet, or allowed."""

from ipaddress import ip_network

import pytest

from consumer.webhooks.addresses import AddressWall

# One of each block that IANA's registries of special addresses list, and other ways to write the same.
SPECIAL = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:2::1",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700:4700::1111%eth0",
    "", "localhost", "2130706433", "0x7f000001", "127.1", "::ffff:7f00:1", "1.1.1.1 ", "1.1.1.1\n",
]  # fmt: skip


@pytest.mark.parametrize("address", SPECIAL)
def test_no_special_address_may_be_called(address: str) -> None:
    """Nor anything that is no address, or only one by some reading of it."""
    assert not AddressWall().lets_pass(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"]
)
def test_the_internet_s_hosts_may_be_called(address: str) -> None:
    """By both protocols."""
    assert AddressWall().lets_pass(address)


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.1.0.0/16", "10.1.2.3", "10.2.0.1"),
        ("10.1.0.0/16", "::ffff:10.1.2.3", "64:ff9b::a01:203"),
        ("fd00:1::/32", "fd00:1::1", "fd00:2::1"),
        ("64:ff9b::/96", "64:ff9b::808:808", "64:ff9b:1::808:808"),
    ],
)
def test_the_operator_may_allow_networks(network: str, inside: str, outside: str) -> None:
    """Those alone, in whichever way an IPv4 address is written."""
    wall = AddressWall([ip_network(network)])
    assert wall.lets_pass(inside)
    assert not wall.lets_pass(outside)
