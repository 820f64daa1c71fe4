"""Who may use the gateway, as it is set: what goes together, and what can't be."""

from pathlib import Path

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import AccessSettings

TOKENS = {
    "JWT_ISSUER": "https://issuer.example",
    "JWT_AUDIENCE": "spleeter",
    "JWT_JWKS_URL": "https://issuer.example/jwks",
}


def load(environment: pytest.MonkeyPatch, **variables: str) -> AccessSettings:
    for name, value in variables.items():
        environment.setenv(name, value)
    return AccessSettings.load()


def test_nothing_must_be_set_for_other_commands() -> None:
    settings = AccessSettings.load()
    assert not settings.has_any
    assert settings.plain_keys() is None


@pytest.mark.parametrize("name", ["SPLEETER_API_KEY", "SPLEETER_API_KEY_FILE", "API_KEYS_FILE"])
def test_each_way_is_one(environment: pytest.MonkeyPatch, name: str) -> None:
    assert load(environment, **{name: "a-key-or-a-file-name"}).has_any


def test_tokens_are_one_way(environment: pytest.MonkeyPatch) -> None:
    """With the claim of the tenant as it is most often called."""
    settings = load(environment, **TOKENS)
    assert settings.has_any
    assert settings.jwt_tenant_claim == "tenant"


@pytest.mark.parametrize("missing", ["JWT_AUDIENCE", "JWT_JWKS_URL"])
def test_an_issuer_needs_the_rest(environment: pytest.MonkeyPatch, missing: str) -> None:
    """Without an audience any token of the issuer's would do, whoever it was made for."""
    with pytest.raises(SettingsError, match=rf"^{missing}: must be set where JWT_ISSUER is$") as caught:
        load(environment, **{name: value for name, value in TOKENS.items() if name != missing})
    assert caught.value.variables == (missing,)


@pytest.mark.parametrize("alone", ["JWT_AUDIENCE", "JWT_JWKS_URL"])
def test_the_rest_needs_an_issuer(environment: pytest.MonkeyPatch, alone: str) -> None:
    with pytest.raises(SettingsError, match=rf"^JWT_ISSUER: must be set where {alone} is$"):
        load(environment, **{alone: TOKENS[alone]})


def test_plain_keys_are_set_in_one_way(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^SPLEETER_API_KEY_FILE: SPLEETER_API_KEY is set too$"):
        load(environment, SPLEETER_API_KEY="hunter2" * 3, SPLEETER_API_KEY_FILE=str(tmp_path / "key"))


def test_plain_keys_are_never_shown(environment: pytest.MonkeyPatch) -> None:
    """Nor is an address that might hold something."""
    settings = load(environment, SPLEETER_API_KEY="hunter2-hunter2-hunter2", **TOKENS)
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert "issuer.example/jwks" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("one-key-of-sixteen", ("one-key-of-sixteen",)),
        (" one-key-of-sixteen , another of sixteen,", ("one-key-of-sixteen", "another of sixteen")),
        ("one-key-of-sixteen,one-key-of-sixteen", ("one-key-of-sixteen",)),
        ("one-key-of-sixteen\r\nanother-of-sixteen\n", ("one-key-of-sixteen", "another-of-sixteen")),
    ],
)
def test_several_plain_keys(environment: pytest.MonkeyPatch, tmp_path: Path, text: str, keys: tuple[str, ...]) -> None:
    """With commas or line ends between, from the variable and from a file alike."""
    read = load(environment, SPLEETER_API_KEY=text).plain_keys()
    assert read
    assert read() == keys
    environment.delenv("SPLEETER_API_KEY")
    (tmp_path / "keys").write_text(text)
    read = load(environment, SPLEETER_API_KEY_FILE=str(tmp_path / "keys")).plain_keys()
    assert read
    assert read() == keys


@pytest.mark.parametrize(
    "url", ["https://issuer.example/jwks", "http://127.0.0.1:8080/jwks", "http://[::1]:1/x", "http://localhost/x"]
)
def test_addresses_that_can_be_trusted(environment: pytest.MonkeyPatch, url: str) -> None:
    """By TLS, or since nobody else is on the way."""
    assert load(environment, **(TOKENS | {"JWT_JWKS_URL": url})).jwt_jwks_url == url


WRONG = [
    ("JWT_JWKS_URL", "http://issuer.example/jwks"), ("JWT_JWKS_URL", "http://10.0.0.1/jwks"),
    ("JWT_JWKS_URL", "http://localhost.example/jwks"), ("JWT_JWKS_URL", "http://127.0.0.1.example/jwks"),
    ("JWT_JWKS_URL", "https://user:hunter2@issuer.example/jwks"), ("JWT_JWKS_URL", "http://127.0.0.1:80@evil.example/"),
    ("JWT_JWKS_URL", "https://issuer.example/#hunter2"), ("JWT_JWKS_URL", "ftp://issuer.example"),
    ("JWT_JWKS_URL", "file:///etc/hunter2"), ("JWT_JWKS_URL", "issuer.example"), ("JWT_JWKS_URL", "https://"),
    ("JWT_ISSUER", " https://issuer.example"), ("JWT_AUDIENCE", "a\tb"), ("JWT_TENANT_CLAIM", "tenant\n"),
    ("RATE_LIMIT_REQUESTS_PER_S", "0"), ("RATE_LIMIT_REQUESTS_PER_S", "nan"), ("RATE_LIMIT_REQUESTS_PER_S", "inf"),
    ("RATE_LIMIT_REQUESTS_PER_S", "-1"), ("RATE_LIMIT_REQUESTS_PER_S", "many"), ("RATE_LIMIT_BURST", "0"),
    ("RATE_LIMIT_BURST", "1.5"), ("MAX_JOBS_IN_FLIGHT", "0"), ("MAX_JOBS_IN_FLIGHT", "none"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_value_that_can_not_be_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """In one line, which repeats nothing that may be secret."""
    with pytest.raises(SettingsError, match=rf"^{name}: ") as caught:
        load(environment, **(TOKENS | {name: value}))
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
