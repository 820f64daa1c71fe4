"""Tokens that are no tokens: each is refused in the same way, and nothing else is raised."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.gateway.access.principal import Unauthenticated
from consumer.gateway.access.signing_keys import SigningKeys
from consumer.gateway.access.tokens import TokenRules, Tokens
from tests.unit.gateway.access.issuer import AUDIENCE, ISSUER, EcKey, JwksServer, b64, claims, signed

RULES = TokenRules(issuer=ISSUER, audience=AUDIENCE)
KEY = EcKey.make()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "zip", "cty"])
CLAIMS = st.sampled_from(["exp", "iss", "aud", "sub", "iat", "nbf", "jti", "tenant", "scope", "scp"])


@pytest.fixture(scope="module")
def tokens() -> Any:
    server = JwksServer(keys=[KEY.jwk()])
    tokens = Tokens(RULES, SigningKeys(server.url))
    asyncio.run(tokens.keys.refresh())
    yield tokens
    server.close()


def is_known(tokens: Tokens, sent: str) -> bool:
    try:
        found = asyncio.run(tokens.principal(sent))
    except Unauthenticated:
        return False
    return found.id.startswith("token:")


@given(st.text(max_size=200) | st.lists(st.text(max_size=40), max_size=5).map(".".join))
def test_any_text(tokens: Tokens, text: str) -> None:
    assert not is_known(tokens, text)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=70))
def test_any_bytes_in_three_parts(tokens: Tokens, header: bytes, payload: bytes, signature: bytes) -> None:
    assert not is_known(tokens, ".".join(map(b64, (header, payload, signature))))


@given(JSON | st.dictionaries(NAMES, JSON, max_size=4), JSON, st.binary(max_size=70))
def test_any_json_without_a_signature(tokens: Tokens, header: Any, payload: Any, signature: bytes) -> None:
    assert not is_known(tokens, signed(header, payload, lambda _: signature))


@given(st.dictionaries(CLAIMS, JSON, min_size=1, max_size=4))
def test_any_claims_by_the_issuer_itself(tokens: Tokens, changed: dict[str, Any]) -> None:
    """Known or not, but never an error of another kind."""
    is_known(tokens, signed({"alg": "ES256", "kid": KEY.name}, claims() | changed, KEY.sign))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_other_byte_of_the_signature(tokens: Tokens, place: int, change: int) -> None:
    """Whichever it is."""

    def sign(data: bytes) -> bytes:
        right = bytearray(KEY.sign(data))
        right[place % len(right)] ^= change
        return bytes(right)

    assert is_known(tokens, signed({"alg": "ES256", "kid": KEY.name}, claims(), KEY.sign))
    assert not is_known(tokens, signed({"alg": "ES256", "kid": KEY.name}, claims(), sign))
