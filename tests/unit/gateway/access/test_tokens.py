"""Tokens: which are believed, and every way in which one isn't."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from consumer.gateway.access.principal import Principal, Refusal, Scope, Unauthenticated
from consumer.gateway.access.signing_keys import SigningKeys
from consumer.gateway.access.tokens import TokenRules, Tokens
from tests.unit.gateway.access.issuer import (
    AUDIENCE,
    ISSUER,
    EcKey,
    JwksServer,
    Key,
    RsaKey,
    b64,
    claims,
    hs256,
    number,
    signed,
    token,
)

RULES = TokenRules(issuer=ISSUER, audience=AUDIENCE)


def principal(server: JwksServer, *sent: str, rules: TokenRules = RULES) -> Principal:
    """Whose the last of these tokens is, by one gateway that saw them all."""

    async def ask() -> Principal:
        tokens = Tokens(rules, SigningKeys(server.url))
        for each in sent[:-1]:
            with pytest.raises(Unauthenticated):
                await tokens.principal(each)
        return await tokens.principal(sent[-1])

    return asyncio.run(ask())


def refusal(server: JwksServer, sent: str) -> Refusal:
    """Why nobody is known by this token; what is told is the same for all."""
    with pytest.raises(Unauthenticated) as caught:
        principal(server, sent)
    assert str(caught.value) == "a valid key or token is needed"
    assert caught.value.principal_id is None
    return caught.value.reason


@pytest.fixture(params=["RS256", "ES256"])
def key(request: pytest.FixtureRequest, rsa_key: RsaKey, ec_key: EcKey) -> Key:
    return rsa_key if request.param == "RS256" else ec_key


def test_a_token_says_who_it_is_of(server: JwksServer, key: Key) -> None:
    """By both algorithms: subject, tenant and scopes."""
    assert principal(server, token(key)) == Principal(
        id="token:user-1", tenant="acme", scopes=frozenset({Scope.READ, Scope.WRITE})
    )


MAY_BE: dict[str, tuple[dict[str, Any], str | None, set[Scope]]] = {
    "no tenant": ({"tenant": ...}, None, {Scope.READ, Scope.WRITE}),
    "a tenant of null": ({"tenant": None}, None, {Scope.READ, Scope.WRITE}),
    "no scope": ({"scope": ...}, "acme", set()),
    "an empty scope": ({"scope": ""}, "acme", set()),
    "a scope as a list": ({"scope": ["operate"]}, "acme", {Scope.OPERATE}),
    "scp as a list": ({"scope": ..., "scp": ["separations:read", "email"]}, "acme", {Scope.READ}),
    "scp as a text": ({"scope": None, "scp": "separations:write openid"}, "acme", {Scope.WRITE}),
    "scope before scp": ({"scope": "openid", "scp": ["operate"]}, "acme", set()),
    "scopes by their whole names alone": (
        {"scope": "separations operate:all OPERATE separations:read,"},
        "acme",
        set(),
    ),
    "our audience among others": ({"aud": ["other", AUDIENCE]}, "acme", {Scope.READ, Scope.WRITE}),
    "no time of issue": ({"iat": ...}, "acme", {Scope.READ, Scope.WRITE}),
}


@pytest.mark.parametrize("kind", MAY_BE)
def test_what_may_be_otherwise(server: JwksServer, ec_key: EcKey, kind: str) -> None:
    changed, tenant, scopes = MAY_BE[kind]
    found = principal(server, token(ec_key, **changed))
    assert (found.tenant, set(found.scopes)) == (tenant, scopes)


def test_the_tenants_claim_can_be_another(server: JwksServer, ec_key: EcKey) -> None:
    """Also one that looks like an address, as issuers ask for."""
    rules = TokenRules(issuer=ISSUER, audience=AUDIENCE, tenant_claim="https://acme.example/org")
    named: dict[str, Any] = {"https://acme.example/org": "blue", "tenant": "red"}
    sent = token(ec_key, **named)
    assert principal(server, sent, rules=rules).tenant == "blue"


def test_clocks_may_differ_a_little(server: JwksServer, ec_key: EcKey) -> None:
    """Ten seconds too late or too early are none; a minute is."""
    now = int(time.time())
    assert principal(server, token(ec_key, exp=now - 10, iat=now + 10, nbf=now + 10)).id == "token:user-1"
    assert refusal(server, token(ec_key, exp=now - 60)) is Refusal.EXPIRED
    assert refusal(server, token(ec_key, nbf=now + 90)) is Refusal.CLAIMS
    assert refusal(server, token(ec_key, iat=now + 90)) is Refusal.CLAIMS


WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "no exp": {"exp": ...}, "exp of null": {"exp": None}, "exp of a text": {"exp": "tomorrow"},
    "exp a list": {"exp": [1]}, "endless exp": {"exp": float("inf")}, "exp no number": {"exp": float("nan")},
    "no iss": {"iss": ...}, "another iss": {"iss": "https://other.example"}, "iss with a slash": {"iss": f"{ISSUER}/"},
    "iss a list": {"iss": [ISSUER]},
    "no aud": {"aud": ...}, "another aud": {"aud": "other"}, "other auds": {"aud": ["other", "another"]},
    "no auds": {"aud": []}, "auds that are none": {"aud": [1, AUDIENCE]}, "aud an object": {"aud": {AUDIENCE: 1}},
    "part of aud": {"aud": AUDIENCE[:-1]}, "aud in capitals": {"aud": AUDIENCE.upper()},
    "no sub": {"sub": ...}, "empty sub": {"sub": ""}, "sub a number": {"sub": 7}, "long sub": {"sub": "x" * 256},
    "sub with a line end": {"sub": "a\nb"}, "sub with half a character": {"sub": "\ud800"},
    "sub that turns round": {"sub": "a\u202eb"},
    "tenant a path": {"tenant": "a/b"}, "tenant upwards": {"tenant": ".."}, "tenant empty": {"tenant": ""},
    "tenant long": {"tenant": "x" * 65}, "tenant a number": {"tenant": 7}, "tenants": {"tenant": ["acme"]},
    "tenant with a line end": {"tenant": "acme\n"}, "tenant in other digits": {"tenant": "١"},
    "scope a number": {"scope": 7}, "scope an object": {"scope": {"operate": True}}, "scope of numbers": {"scope": [7]},
    "jti a number": {"jti": 7},
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_CLAIMS)
def test_claims_that_are_wrong_are_refused(server: JwksServer, ec_key: EcKey, kind: str) -> None:
    """Although the signature is right."""
    assert refusal(server, token(ec_key, **WRONG_CLAIMS[kind])) is Refusal.CLAIMS


WRONG_HEADERS: dict[str, dict[str, Any]] = {
    "no kid": {"kid": ...}, "kid a number": {"kid": 7}, "kid of null": {"kid": None}, "no alg": {"alg": ...},
    "alg none": {"alg": "none"}, "alg None": {"alg": "None"}, "alg empty": {"alg": ""},
    "alg a list": {"alg": ["ES256"]}, "alg in small letters": {"alg": "es256"}, "another alg": {"alg": "ES384"},
    "PSS": {"alg": "PS256"},
    "HMAC": {"alg": "HS256"}, "Edwards": {"alg": "EdDSA"},
    "a logout token": {"typ": "logout+jwt"}, "a proof": {"typ": "dpop+jwt"}, "typ a number": {"typ": 7},
    "extensions": {"crit": ["exp"]}, "payload that is not there": {"b64": False, "crit": ["b64"]},
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_HEADERS)
def test_headers_that_are_wrong_are_refused_without_a_question(server: JwksServer, ec_key: EcKey, kind: str) -> None:
    """Nobody is asked for the keys of what is no token of ours."""
    assert refusal(server, token(ec_key, header=WRONG_HEADERS[kind])) is Refusal.MALFORMED
    assert server.asked == []


def test_what_carries_its_own_key_is_refused(server: JwksServer, ec_key: EcKey) -> None:
    """Keys and addresses of keys in the header are not looked at (RFC 8725, section 3.10)."""
    own = EcKey.make(name="ec")
    header = {"jwk": own.jwk(), "jku": server.url, "x5u": server.url}
    assert refusal(server, token(own, header=header)) is Refusal.UNKNOWN
    assert server.asked == ["/jwks"]


def test_no_signature_is_none(server: JwksServer, ec_key: EcKey) -> None:
    """Whatever the header says of it."""
    for algorithm, kind in (("none", Refusal.MALFORMED), ("ES256", Refusal.UNKNOWN)):
        header = {"alg": algorithm, "kid": ec_key.name, "typ": "JWT"}
        assert refusal(server, signed(header, claims(), lambda _: b"")) is kind


def test_a_public_key_is_no_secret(server: JwksServer, rsa_key: RsaKey) -> None:
    """A token signed by HS256 with the public key, in each form that a gateway might hold it in."""
    for secret in (rsa_key.pem(), json.dumps(rsa_key.jwk()).encode(), rsa_key.jwk()["n"].encode()):
        for algorithm, kind in (("HS256", Refusal.MALFORMED), ("RS256", Refusal.UNKNOWN)):
            header = {"alg": algorithm, "kid": rsa_key.name, "typ": "JWT"}
            assert refusal(server, signed(header, claims(), hs256(secret))) is kind


def test_a_token_that_was_changed_is_refused(server: JwksServer, key: Key) -> None:
    """The claims of one with the signature of another, a piece more or less, and another's key under the same name."""
    head, _, signature = token(key).split(".")
    _, other, _ = token(key, tenant="rival").split(".")
    assert refusal(server, f"{head}.{other}.{signature}") is Refusal.UNKNOWN
    header = {"alg": key.algorithm, "kid": key.name}
    assert refusal(server, signed(header, claims(), lambda data: key.sign(data)[:-1])) is Refusal.UNKNOWN
    assert refusal(server, signed(header, claims(), lambda data: key.sign(data) + b"\0")) is Refusal.UNKNOWN
    stranger = RsaKey.make(name=key.name) if isinstance(key, RsaKey) else EcKey.make(name=key.name)
    assert refusal(server, token(stranger)) is Refusal.UNKNOWN


def test_a_name_goes_with_its_algorithm(server: JwksServer, rsa_key: RsaKey, ec_key: EcKey) -> None:
    """A signature by one key is none of the other's, although both are known."""
    assert refusal(server, token(ec_key, header={"kid": rsa_key.name})) is Refusal.UNKNOWN
    assert refusal(server, token(rsa_key, header={"kid": ec_key.name})) is Refusal.UNKNOWN
    assert refusal(server, token(rsa_key, header={"alg": "ES256"})) is Refusal.UNKNOWN


def _of_another_curve(curve: ec.EllipticCurve, called: str) -> Callable[[], Key]:
    return lambda: EcKey.make(curve, "weak", called)


WEAK: dict[str, Callable[[], Key]] = {
    "RSA of 1024 bits": lambda: RsaKey.make(1024, "weak"),
    "RSA of 2047 bits": lambda: RsaKey.make(2047, "weak"),
    "P-384": _of_another_curve(ec.SECP384R1(), "P-384"),
    "P-384 that calls itself P-256": _of_another_curve(ec.SECP384R1(), "P-256"),
    "P-256 that calls itself P-384": _of_another_curve(ec.SECP256R1(), "P-384"),
    "secp256k1": _of_another_curve(ec.SECP256K1(), "secp256k1"),
    "secp256k1 that calls itself P-256": _of_another_curve(ec.SECP256K1(), "P-256"),
    "no curve": _of_another_curve(ec.SECP256R1(), ""),
}


@pytest.mark.parametrize("kind", WEAK)
def test_keys_that_are_not_as_they_must_be_sign_nothing(server: JwksServer, ec_key: EcKey, kind: str) -> None:
    """Although the issuer lists them; the good one beside them does."""
    weak = WEAK[kind]()
    server.keys = [weak.jwk(), ec_key.jwk()]
    assert refusal(server, token(weak)) is Refusal.UNKNOWN
    assert principal(server, token(ec_key)).tenant == "acme"


LISTED: dict[str, tuple[dict[str, Any], bool]] = {
    "with what it is for": ({"use": "sig", "alg": "ES256", "key_ops": ["verify"]}, True),
    "for secrets": ({"use": "enc"}, False),
    "for wrapping": ({"key_ops": ["wrapKey"]}, False),
    "for what can't be read": ({"key_ops": "verify"}, False),
    "for another algorithm": ({"alg": "ES384"}, False),
    "with a private part that is none": ({"d": "AQAB"}, False),
    "without a name": ({"kid": None}, False),
    "with a number for a name": ({"kid": 7}, False),
    "of an unknown kind": ({"kty": "ML-DSA"}, False),
    "a secret": ({"kty": "oct", "k": "c2VjcmV0"}, False),
    "off its curve": ({"y": b64(bytes(32))}, False),
    "with a number for a coordinate": ({"x": 7}, False),
    "with half a coordinate": ({"x": "AAAA"}, False),
}


@pytest.mark.parametrize("kind", LISTED)
def test_what_a_listed_key_may_be(server: JwksServer, rsa_key: RsaKey, ec_key: EcKey, kind: str) -> None:
    """One that is not for this, or is none, is passed over, and the others are known."""
    changed, is_taken = LISTED[kind]
    server.keys = [ec_key.jwk() | changed, rsa_key.jwk()]
    if is_taken:
        assert principal(server, token(ec_key)).tenant == "acme"
    else:
        assert refusal(server, token(ec_key)) is Refusal.UNKNOWN
    assert principal(server, token(rsa_key)).tenant == "acme"


def test_a_key_whose_private_part_is_shown_signs_nothing(server: JwksServer, rsa_key: RsaKey, ec_key: EcKey) -> None:
    """Anybody could sign with it."""
    d = ec_key.private.private_numbers().private_value
    server.keys = [ec_key.jwk() | {"d": number(d, 32)}, rsa_key.jwk()]
    assert refusal(server, token(ec_key)) is Refusal.UNKNOWN
    assert principal(server, token(rsa_key)).tenant == "acme"


NONE = [
    "", ".", "..", "...", "a.b.c", "a.b", "e30.e30.", "e30.e30.e30", "x" * 20_000, "=.=.=", "ä.b.c", "\x00.\x00.\x00",
    f"{b64(b'[]')}.e30.e30", f"{b64(b'7')}.e30.e30", f"{b64(b'[' * 9000)}.e30.e30", f"{b64(b'{')}.e30.e30",
    f"{b64(bytes([255]))}.e30.e30", base64.b64encode(b'{"alg":"ES256"}').decode() + ".e30.e30",
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.e30.e30.e30.e30",
]  # fmt: skip


@pytest.mark.parametrize("sent", NONE, ids=range(len(NONE)))
def test_what_is_no_token_is_refused(server: JwksServer, sent: str) -> None:
    """Whatever it is, in the same way."""
    assert refusal(server, sent) is Refusal.MALFORMED


PAYLOADS: list[Any] = [[], 7, None, "text", {}]


@pytest.mark.parametrize("payload", PAYLOADS, ids=str)
def test_claims_that_are_no_object_are_refused(server: JwksServer, ec_key: EcKey, payload: Any) -> None:
    header = {"alg": "ES256", "kid": ec_key.name}
    assert refusal(server, signed(header, payload, ec_key.sign)) is Refusal.CLAIMS


def test_refusals_leave_nothing_behind(server: JwksServer, ec_key: EcKey) -> None:
    """After any number of bad tokens a good one is taken, and the keys were fetched once."""
    bad = [token(ec_key, exp=1), token(ec_key, aud="other"), token(EcKey.make(name="other")), "x.y.z"]
    assert principal(server, *bad, token(ec_key)).tenant == "acme"
    assert server.asked == ["/jwks"]
