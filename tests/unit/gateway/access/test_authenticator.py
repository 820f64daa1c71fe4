"""Whoever sends a request, by its headers: each way in, all of them at once, and none."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from structlog.testing import capture_logs

from consumer.core.errors import SettingsError
from consumer.core.log_events import LogEvent
from consumer.gateway.access.authenticator import Authenticator, Pairs, make_authenticator
from consumer.gateway.access.key_file import KeyFile
from consumer.gateway.access.keys import make_key
from consumer.gateway.access.principal import Principal, Refusal, Scope, Unauthenticated
from consumer.settings import GROUPS, AccessSettings
from harness.clock import ManualClock
from tests.unit.gateway.access.issuer import AUDIENCE, ISSUER, EcKey, JwksServer, token

PLAIN = "correct-horse-battery"
OTHER = "another-plain-key-of-ours"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing of ours is set."""
    for group in GROUPS:
        for name in group.variables():
            monkeypatch.delenv(name, raising=False)
    return monkeypatch


def made(environment: pytest.MonkeyPatch, **variables: object) -> Authenticator:
    return made_at(ManualClock(), environment, variables)


def made_at(clock: ManualClock, environment: pytest.MonkeyPatch, variables: Mapping[str, object]) -> Authenticator:
    for name, value in variables.items():
        environment.setenv(name, str(value))
    return make_authenticator(AccessSettings.load(), clock)


def principal(authenticator: Authenticator, *headers: tuple[str, str | bytes]) -> Principal:
    async def ask() -> Principal:
        return await authenticator.authenticate(pairs(*headers))

    return asyncio.run(ask())


def pairs(*headers: tuple[str, str | bytes]) -> Pairs:
    """As a server gives them."""
    return [(n.encode("latin-1"), v if isinstance(v, bytes) else v.encode("latin-1")) for n, v in headers]


def refusal(authenticator: Authenticator, *headers: tuple[str, str | bytes]) -> Refusal:
    with pytest.raises(Unauthenticated) as caught:
        principal(authenticator, *headers)
    assert str(caught.value) == "a valid key or token is needed"
    return caught.value.reason


def with_tokens(server: JwksServer) -> Mapping[str, str]:
    return {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_JWKS_URL": server.url}


def test_nobody_could_log_in_without_a_setting(environment: pytest.MonkeyPatch) -> None:
    """The start ends with one line that names all three ways."""
    with pytest.raises(SettingsError) as caught:
        made(environment)
    assert str(caught.value).startswith("SPLEETER_API_KEY, API_KEYS_FILE, JWT_ISSUER: ")
    assert caught.value.variables == ("SPLEETER_API_KEY", "API_KEYS_FILE", "JWT_ISSUER")


def test_a_plain_key_allows_everything_without_a_tenant(environment: pytest.MonkeyPatch) -> None:
    """One of several, told by its place among them, never by its text."""
    authenticator = made(environment, SPLEETER_API_KEY=f"{PLAIN}, {OTHER}")
    assert principal(authenticator, ("X-API-KEY", PLAIN)) == Principal(
        id="plain:1", tenant=None, scopes=frozenset(Scope)
    )
    assert principal(authenticator, ("x-api-key", OTHER)).id == "plain:2"


@pytest.mark.parametrize(
    "sent",
    [
        "",
        PLAIN[:-1],
        f"{PLAIN}x",
        PLAIN.upper(),
        f"{PLAIN}, {OTHER}",
        f"{PLAIN},",
        f"Bearer {PLAIN}",
        "é",
        b"\xff" * 32,
    ],
)
def test_what_is_no_plain_key_is_unknown(environment: pytest.MonkeyPatch, sent: str | bytes) -> None:
    authenticator = made(environment, SPLEETER_API_KEY=f"{PLAIN},{OTHER}")
    assert refusal(authenticator, ("X-API-KEY", sent)) is Refusal.UNKNOWN


def test_plain_keys_in_a_file_are_followed(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where they stand a line each; a version that can't be used changes nothing, and is told of once."""
    file = tmp_path / "plain"
    file.write_text(f"{PLAIN}\n{OTHER}\n")
    authenticator = made(environment, SPLEETER_API_KEY_FILE=file)
    assert principal(authenticator, ("X-API-KEY", OTHER)).id == "plain:2"
    with capture_logs() as logs:
        file.write_text(OTHER)
        assert principal(authenticator, ("X-API-KEY", OTHER)).id == "plain:1"
        assert refusal(authenticator, ("X-API-KEY", PLAIN)) is Refusal.UNKNOWN
        file.write_text("too short")
        for _ in range(3):
            assert principal(authenticator, ("X-API-KEY", OTHER)).id == "plain:1"
        file.unlink()
        assert principal(authenticator, ("X-API-KEY", OTHER)).id == "plain:1"
        file.write_text(f"{PLAIN},{OTHER}")
        assert principal(authenticator, ("X-API-KEY", PLAIN)).id == "plain:1"
    told = [(line["event"], line.get("reason"), line.get("kept", line.get("number"))) for line in logs]
    assert told == [
        (LogEvent.KEYS_READ, None, 1),
        (LogEvent.KEYS_UNREADABLE, "SPLEETER_API_KEY_FILE: each key must have 16 to 512 characters", 1),
        (LogEvent.KEYS_READ, None, 2),
    ]


def test_a_made_key_is_what_it_was_made_for(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its tenant and scopes, until it expires by the gateway's clock."""
    clock = ManualClock()
    ends = clock.now() + timedelta(seconds=60)
    key, record = make_key(name="web", tenant="acme", scopes=[Scope.READ], created_at=clock.now(), expires_at=ends)
    KeyFile(tmp_path / "keys.json").add(record)
    authenticator = made_at(clock, environment, {"API_KEYS_FILE": tmp_path / "keys.json"})
    assert principal(authenticator, ("X-Api-Key", key)) == Principal(
        id=f"key:{record.id}", tenant="acme", scopes=frozenset({Scope.READ})
    )
    assert refusal(authenticator, ("X-API-KEY", key[:-1])) is Refusal.MALFORMED
    assert refusal(authenticator, ("X-API-KEY", "é")) is Refusal.MALFORMED
    clock.advance(60)
    assert refusal(authenticator, ("X-API-KEY", key)) is Refusal.EXPIRED


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
def test_a_token_comes_as_a_bearers(
    environment: pytest.MonkeyPatch, server: JwksServer, ec_key: EcKey, scheme: str
) -> None:
    """The scheme's letters may be of any size (RFC 9110, section 11.1)."""
    authenticator = made(environment, **with_tokens(server))
    assert principal(authenticator, ("Authorization", scheme + token(ec_key))).id == "token:user-1"


@pytest.mark.parametrize(
    "written", ["{}", "Bearer{}", "Bearer", "Bearer ", "Basic {}", "Bearer {} {}", "Token {}", "", "é {}"]
)
def test_another_scheme_is_none(
    environment: pytest.MonkeyPatch, server: JwksServer, ec_key: EcKey, written: str
) -> None:
    authenticator = made(environment, **with_tokens(server))
    sent = written.replace("{}", token(ec_key))
    assert refusal(authenticator, ("Authorization", sent)) is Refusal.MALFORMED
    assert server.asked == []


def test_all_ways_work_beside_each_other(
    environment: pytest.MonkeyPatch, server: JwksServer, ec_key: EcKey, tmp_path: Path
) -> None:
    """For as long as one takes the other's place."""
    key, record = make_key(name="web", tenant="a", scopes=[], created_at=ManualClock().now())
    KeyFile(tmp_path / "keys.json").add(record)
    environment.setenv("SPLEETER_API_KEY", PLAIN)
    authenticator = made(environment, API_KEYS_FILE=tmp_path / "keys.json", **with_tokens(server))
    assert principal(authenticator, ("X-API-KEY", PLAIN)).id == "plain:1"
    assert principal(authenticator, ("X-API-KEY", key)).id == f"key:{record.id}"
    assert principal(authenticator, ("Authorization", f"Bearer {token(ec_key)}")).id == "token:user-1"


def test_a_way_that_is_not_set_is_closed(environment: pytest.MonkeyPatch, server: JwksServer, ec_key: EcKey) -> None:
    """Where there are plain keys alone, neither a made key nor a token is known; nor a key where there are tokens."""
    key, _ = make_key(name="web", tenant=None, scopes=[], created_at=ManualClock().now())
    plain = made(environment, SPLEETER_API_KEY=PLAIN)
    assert refusal(plain, ("X-API-KEY", key)) is Refusal.UNKNOWN
    assert refusal(plain, ("Authorization", f"Bearer {token(ec_key)}")) is Refusal.UNKNOWN
    assert refusal(plain, ("Authorization", f"Bearer {PLAIN}")) is Refusal.UNKNOWN
    environment.delenv("SPLEETER_API_KEY")
    tokens = made(environment, **with_tokens(server))
    assert refusal(tokens, ("X-API-KEY", PLAIN)) is Refusal.UNKNOWN
    assert refusal(tokens, ("X-API-KEY", token(ec_key))) is Refusal.UNKNOWN


AMBIGUOUS: list[list[tuple[str, str]]] = [
    [("X-API-KEY", PLAIN), ("X-API-KEY", PLAIN)],
    [("X-API-KEY", PLAIN), ("x-api-key", "")],
    [("X-API-KEY", PLAIN), ("X-API-KEY", OTHER)],
    [("X-API-KEY", PLAIN), ("Authorization", "Bearer x.y.z")],
    [("Authorization", "Bearer x.y.z"), ("X-API-KEY", PLAIN)],
    [("Authorization", "Bearer x.y.z"), ("Authorization", "Bearer x.y.z")],
    [("X-API-KEY", PLAIN), ("Authorization", "")],
]


@pytest.mark.parametrize("headers", AMBIGUOUS, ids=str)
def test_two_proofs_are_none(environment: pytest.MonkeyPatch, headers: list[tuple[str, str]]) -> None:
    """A proxy and a gateway could each believe another one."""
    authenticator = made(environment, SPLEETER_API_KEY=f"{PLAIN},{OTHER}")
    assert refusal(authenticator, *headers) is Refusal.AMBIGUOUS


@pytest.mark.parametrize("name", ["X-API-KEYS", "X_API_KEY", "API-KEY", "Cookie", "Proxy-Authorization", "X-Api-Keyé"])
def test_other_headers_prove_nothing(environment: pytest.MonkeyPatch, name: str) -> None:
    authenticator = made(environment, SPLEETER_API_KEY=PLAIN)
    assert refusal(authenticator, (name, PLAIN)) is Refusal.MISSING
    assert principal(authenticator, (name, "x"), ("X-API-KEY", PLAIN)).id == "plain:1"


def test_starlettes_headers_are_taken(environment: pytest.MonkeyPatch) -> None:
    """As they come with a request; of two with the same name both are seen, though `get` shows one."""
    authenticator = made(environment, SPLEETER_API_KEY=PLAIN)

    async def ask(*headers: tuple[bytes, bytes]) -> Principal:
        return await authenticator.authenticate(Headers(raw=list(headers)))

    assert asyncio.run(ask((b"host", b"h"), (b"x-api-key", PLAIN.encode()))).id == "plain:1"
    with pytest.raises(Unauthenticated):
        asyncio.run(ask((b"x-api-key", PLAIN.encode()), (b"x-api-key", b"x")))


def test_whoever_can_not_be_let_in_yet_is_told_to_probes(
    environment: pytest.MonkeyPatch, server: JwksServer, ec_key: EcKey
) -> None:
    """Until the issuer's keys were fetched once; the start does not need them, and the end leaves nothing behind."""
    server.behave = lambda request: request.answer(b"", 503)
    clock = ManualClock()
    authenticator = made_at(clock, environment, with_tokens(server))
    sent = pairs(("Authorization", f"Bearer {token(ec_key)}"))

    async def life() -> None:
        await authenticator.start()
        assert authenticator.why_not_ready() == "the token issuer's keys could not be fetched yet"
        with pytest.raises(Unauthenticated) as caught:
            await authenticator.authenticate(sent)
        assert caught.value.reason is Refusal.UNVERIFIABLE
        server.behave = server.give_keys
        clock.advance(10)
        assert (await authenticator.authenticate(sent)).id == "token:user-1"
        assert authenticator.why_not_ready() == ""
        await authenticator.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(life())


def test_keys_alone_are_ready_at_once(environment: pytest.MonkeyPatch) -> None:
    authenticator = made(environment, SPLEETER_API_KEY=PLAIN)

    async def life() -> None:
        await authenticator.start()
        assert authenticator.why_not_ready() == ""
        await authenticator.close()

    asyncio.run(life())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPLEETER_API_KEY", "short"), ("SPLEETER_API_KEY", f"{PLAIN},short"), ("SPLEETER_API_KEY", "é" * 20),
        ("SPLEETER_API_KEY", " , "), ("SPLEETER_API_KEY", "x" * 15), ("SPLEETER_API_KEY", "x" * 513),
        ("SPLEETER_API_KEY", f"{PLAIN}\x7f"),
        ("SPLEETER_API_KEY_FILE", "/no/such/file"), ("API_KEYS_FILE", "/no/such/file"),
    ],
)  # fmt: skip
def test_keys_that_can_not_be_used_end_the_start(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """In one line that names the variable, and repeats no key."""
    with pytest.raises(SettingsError, match=rf"^{name}: ") as caught:
        made(environment, **{name: value})
    assert caught.value.variables == (name,)
    assert not any(word in str(caught.value) for word in (PLAIN, "short", "éé"))


def test_the_shortest_plain_key_has_16_characters(environment: pytest.MonkeyPatch) -> None:
    """As documented."""
    assert principal(made(environment, SPLEETER_API_KEY="x" * 16), ("X-API-KEY", "x" * 16)).id == "plain:1"
