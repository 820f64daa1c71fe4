"""The store's keys: set as texts, in files, or left to AWS's usual ways; and what is wrong in each of them."""

from pathlib import Path

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import CredentialSource, MinioSettings, credential_sources

SECRETS = ("ACCESS_KEY", "SECRET_KEY", "SESSION_TOKEN")


def keys() -> tuple[str, str, str] | None:
    found = MinioSettings.load().keys()
    return (found.access_key(), found.secret_key(), found.session_token()) if found else None


def without_keys(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("MINIO_ACCESS_KEY")
    environment.delenv("MINIO_SECRET_KEY")


def test_keys_are_texts(environment: pytest.MonkeyPatch) -> None:
    """With a session token where there is one, which is never shown."""
    assert keys() == ("access", "hunter2", "")
    environment.setenv("MINIO_SESSION_TOKEN", "token-of-hunter2")
    assert keys() == ("access", "hunter2", "token-of-hunter2")
    assert "hunter2" not in f"{MinioSettings.load()!r} {MinioSettings.load().model_dump()}"


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_may_be_in_a_file(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """What it holds is followed: a change is seen at the next use; a file that is away or empty changes nothing."""
    file = tmp_path / "secret"
    file.write_text("first\n")
    environment.delenv(f"MINIO_{name}", raising=False)
    environment.setenv(f"MINIO_{name}_FILE", str(file))
    found = MinioSettings.load().keys()
    assert found
    read = getattr(found, name.lower())
    assert read() == "first"
    (tmp_path / "new").write_text("second, which is longer\n")
    (tmp_path / "new").replace(file)
    assert read() == "second, which is longer"
    file.write_text("")
    assert read() == "second, which is longer"
    file.unlink()
    assert read() == "second, which is longer"
    file.write_text("third")
    assert read() == "third"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "can't be read (No such file or directory)"), (b"\n", "is empty"), (b"\xff", "is no text")],
)
def test_a_file_without_a_secret_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    """A file that is missing, empty or no text from the start ends in one line."""
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    environment.delenv(f"MINIO_{name}", raising=False)
    environment.setenv(f"MINIO_{name}_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError) as caught:
        keys()
    assert str(caught.value) == f"MINIO_{name}_FILE: the file {told}"
    assert caught.value.variables == (f"MINIO_{name}_FILE",)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_set_in_one_way(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Of a text and a file nobody can know which is meant."""
    environment.setenv(f"MINIO_{name}", "hunter2")
    environment.setenv(f"MINIO_{name}_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=f"^MINIO_{name}_FILE: MINIO_{name} is set too$"):
        keys()


SOURCES = {
    "AWS_ACCESS_KEY_ID": ("x", CredentialSource.AWS_VARIABLES),
    "AWS_SHARED_CREDENTIALS_FILE": ("<file>", CredentialSource.AWS_FILE),
    "AWS_WEB_IDENTITY_TOKEN_FILE": ("/token", CredentialSource.ROLE),
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ("/role", CredentialSource.ROLE),
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": ("http://127.0.0.1/role", CredentialSource.ROLE),
    "AWS_EC2_METADATA_DISABLED": ("false", CredentialSource.ROLE),
}


@pytest.mark.parametrize("name", SOURCES)
def test_keys_may_be_left_to_a_source_that_is_there(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Where this machine names one; with keys that are set it is not looked at, and half of them is not enough."""
    value, source = SOURCES[name]
    (tmp_path / "credentials").write_text("[default]\n")
    environment.setenv(name, value.replace("<file>", str(tmp_path / "credentials")))
    assert keys() == ("access", "hunter2", "")
    environment.delenv("MINIO_ACCESS_KEY")
    with pytest.raises(SettingsError, match=r"^MINIO_ACCESS_KEY must be set$"):
        keys()
    environment.delenv("MINIO_SECRET_KEY")
    assert credential_sources() == (source,)
    assert keys() is None
    environment.setenv("MINIO_SESSION_TOKEN", "a token is nothing without its keys")
    with pytest.raises(SettingsError, match=r"^MINIO_ACCESS_KEY must be set; MINIO_SECRET_KEY must be set$"):
        keys()


@pytest.mark.parametrize(
    ("place", "source"),
    [(".aws/credentials", CredentialSource.AWS_FILE), (".mc/config.json", CredentialSource.MINIO_CLIENT)],
)
def test_a_file_in_the_home_is_a_source(
    environment: pytest.MonkeyPatch, tmp_path: Path, place: str, source: CredentialSource
) -> None:
    """As AWS's and MinIO's own tools have it; who has no home has none of them."""
    without_keys(environment)
    (tmp_path / "home" / place).parent.mkdir(parents=True)
    (tmp_path / "home" / place).write_text("{}")
    assert credential_sources() == (source,)
    assert keys() is None
    environment.delenv("HOME")
    assert credential_sources() == ()


@pytest.mark.parametrize("value", [None, "", "true"])
def test_nobody_is_asked_who_was_not_named(environment: pytest.MonkeyPatch, value: str | None) -> None:
    """Where nothing is named, one line names both keys; a cloud's metadata are not looked for on somebody's network."""
    without_keys(environment)
    if value is not None:
        environment.setenv("AWS_EC2_METADATA_DISABLED", value)
    assert credential_sources() == ()
    with pytest.raises(SettingsError, match=r"^MINIO_ACCESS_KEY must be set; MINIO_SECRET_KEY must be set$") as caught:
        keys()
    assert caught.value.variables == ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")


@pytest.mark.parametrize(
    ("endpoint", "secure", "url"),
    [
        (None, "true", None),
        ("files.example:9000", "true", "https://files.example:9000"),
        ("files.example", "false", "http://files.example"),
        ("https://files.example", "false", "https://files.example"),
        ("http://[::1]:9000", "true", "http://[::1]:9000"),
    ],
)
def test_where_clients_reach_the_store(
    environment: pytest.MonkeyPatch, endpoint: str | None, secure: str, url: str | None
) -> None:
    """With the store's own scheme, unless it names one; nowhere where it is not set."""
    environment.setenv("MINIO_SECURE", secure)
    if endpoint:
        environment.setenv("MINIO_PUBLIC_ENDPOINT", endpoint)
    assert MinioSettings.load().public_url == url


@pytest.mark.parametrize(
    "endpoint",
    ["https://files.example/path", "ftp://files.example", "https://", "user:hunter2@files.example", "a b", "host:0"],
)
def test_what_is_no_place_to_reach_it(environment: pytest.MonkeyPatch, endpoint: str) -> None:
    """The line names the variable, and repeats nothing of it."""
    environment.setenv("MINIO_PUBLIC_ENDPOINT", endpoint)
    with pytest.raises(SettingsError, match="MINIO_PUBLIC_ENDPOINT: must be host:port") as caught:
        MinioSettings.load()
    assert "hunter2" not in str(caught.value)
