"""A gateway beside the platform of a test."""

from collections.abc import Iterator

import pytest

from harness.gateway import Gateway, gateway
from harness.platform import Platform


@pytest.fixture
def door(platform: Platform) -> Iterator[Gateway]:
    """One gateway, and no replica."""
    with gateway(platform) as running:
        yield running
