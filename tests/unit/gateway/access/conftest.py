"""Keys that take time to make, once a run, and a server that gives them out."""

from collections.abc import Iterator

import pytest

from tests.unit.gateway.access.issuer import EcKey, JwksServer, RsaKey


@pytest.fixture(scope="session")
def rsa_key() -> RsaKey:
    return RsaKey.make()


@pytest.fixture(scope="session")
def ec_key() -> EcKey:
    return EcKey.make()


@pytest.fixture
def server(rsa_key: RsaKey, ec_key: EcKey) -> Iterator[JwksServer]:
    """Gives out both keys."""
    server = JwksServer(keys=[rsa_key.jwk(), ec_key.jwk()])
    yield server
    server.close()
