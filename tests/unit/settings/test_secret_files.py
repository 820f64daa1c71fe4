"""Every secret may lie in a file: which there are, what is wrong with a file, and how a change is followed."""

import os
import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr

from consumer.core.errors import SettingsError
from consumer.settings import GROUPS, KafkaSettings, SchemaSettings
from consumer.settings.kafka_properties import RULES, SECRET, variable_of
from consumer.settings.secret_files import MAX_BYTES, SecretFile
from consumer.settings.variables import Group

OF_GROUPS = [(group, name) for group in GROUPS for name in group.secret_fields]
KAFKAS = sorted(SECRET)
# What must be set beside it, so that nothing else is wrong.
BESIDE = {"links_access_key": "MINIO_LINKS_SECRET_KEY", "links_secret_key": "MINIO_LINKS_ACCESS_KEY"}
WRONG = {
    "missing": (None, "can't be read (No such file or directory)"),
    "empty": (b"", "is empty"),
    "a line end alone": (b"\r\n", "is empty"),
    "blanks alone": (b"  \n", "is empty"),
    "no UTF-8": (b"\xff\xfehunter2", "is no text"),
    "a zero in it": (b"hunter2\0more", "is no text"),
    "too large": (b"x" * (MAX_BYTES + 1), f"is longer than {MAX_BYTES} bytes"),
}


def test_every_field_that_holds_a_secret_has_a_file() -> None:
    """Whatever is hidden as a value has its twin; so a new secret can't do without."""
    for group in GROUPS:
        hidden = {
            name
            for name, field in group.model_fields.items()
            if field.annotation in (SecretStr, SecretStr | None) or name == "schema_registry_url"
        }
        assert hidden <= set(group.secret_fields), group
        assert {f"{name}_file" for name in group.secret_fields} <= group.model_fields.keys(), group


def test_every_property_that_holds_a_secret_has_a_file() -> None:
    """Of librdkafka's, by their names; no other property ends as the variable of a file would."""
    free = {name for name in RULES if not RULES[name].objection("1")}
    words = (".password", ".passphrase", ".secret", ".key.pem")
    assert {name for name in free if name.endswith(words)} <= SECRET
    assert not {f"{variable_of(name)}_FILE" for name in SECRET} & {variable_of(name) for name in RULES}


@pytest.mark.parametrize("what", [*WRONG, "a folder", "a pipe"])
@pytest.mark.parametrize("name", KAFKAS)
def test_a_file_of_kafkas_that_can_not_be_used_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str, what: str
) -> None:
    """In one line, without what it holds."""
    path, told = unusable(tmp_path, what)
    variable = f"{variable_of(name)}_FILE"
    environment.setenv(variable, str(path))
    with pytest.raises(SettingsError) as caught:
        KafkaSettings.load()
    assert str(caught.value) == f"{variable}: the file {told}"
    assert caught.value.variables == (variable,)


@pytest.mark.parametrize("what", [*WRONG, "a folder", "a pipe"])
@pytest.mark.parametrize(("group", "name"), OF_GROUPS)
def test_a_file_that_can_not_be_used_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, group: type[Group], name: str, what: str
) -> None:
    """In one line, without what it holds."""
    path, told = unusable(tmp_path, what)
    variable = group.variable(f"{name}_file")
    environment.delenv(group.variable(name), raising=False)
    if name in BESIDE:
        environment.setenv(BESIDE[name], "beside")
    environment.setenv(variable, str(path))
    with pytest.raises(SettingsError) as caught:
        group.load().secret(name)
    assert str(caught.value) == f"{variable}: the file {told}"
    assert "hunter2" not in str(caught.value)


def unusable(folder: Path, what: str) -> tuple[Path, str]:
    """Such a file, and what is told of it."""
    path = folder / "secret"
    if what == "a folder":
        path.mkdir()
        return path, "is no regular file"
    if what == "a pipe":
        os.mkfifo(path)
        return path, "is no regular file"
    content, told = WRONG[what]
    if content is not None:
        path.write_bytes(content)
    return path, told


@pytest.mark.parametrize("name", KAFKAS)
def test_a_secret_of_kafkas_is_set_in_one_way(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Of a text and a file nobody can know which is meant."""
    variable = variable_of(name)
    (tmp_path / "secret").write_text("x")
    environment.setenv(variable, "hunter2")
    environment.setenv(f"{variable}_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=f"^{variable}_FILE: {variable} is set too$"):
        KafkaSettings.load()


@pytest.mark.parametrize(("group", "name"), OF_GROUPS)
def test_a_secret_is_set_in_one_way(
    environment: pytest.MonkeyPatch, tmp_path: Path, group: type[Group], name: str
) -> None:
    """As with Kafka's."""
    variable = group.variable(name)
    if name in BESIDE:
        environment.setenv(BESIDE[name], "beside")
    environment.setenv(variable, "http://hunter2")
    environment.setenv(f"{variable}_FILE", str(tmp_path / "secret"))
    with pytest.raises(SettingsError, match=f"^{variable}_FILE: {variable} is set too"):
        group.load()


@pytest.mark.parametrize("name", KAFKAS)
def test_a_secret_of_kafkas_is_read_from_its_file(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """Without the line end behind it, with the blanks around it, and never shown; the name of a file is no property."""
    (tmp_path / "secret").write_bytes(b" hunter2 \r\n")
    environment.setenv(f"{variable_of(name)}_FILE", str(tmp_path / "secret"))
    kafka = KafkaSettings.load()
    assert {each: file.read() for each, file in kafka.secret_files.items()} == {name: " hunter2 "}
    assert kafka.properties == {}
    assert "hunter2" not in f"{kafka!r} {kafka.model_dump()}"


def test_it_is_followed_past_what_can_not_be_used(tmp_path: Path) -> None:
    """A file that is replaced counts at once; while it can't be used, whatever the reason, its last content counts."""
    path = tmp_path / "secret"
    path.write_text("first")
    file = SecretFile("A_FILE", path)
    assert file.read() == "first"
    for content, _ in WRONG.values():
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert file.read() == "first"
        path.write_text("other")
        assert file.read() == "other"
        path.unlink()
        path.write_text("first")
        assert file.read() == "first"


def test_it_follows_a_link_that_is_turned(tmp_path: Path) -> None:
    """As Kubernetes replaces a mounted secret: a link to a link to a folder, which is exchanged as a whole."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(name)
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "secret").symlink_to("data/secret")
    file = SecretFile("A_FILE", tmp_path / "secret")
    assert file.read() == "one"
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(tmp_path / "data")
    assert file.read() == "two"


def test_what_is_handed_to_another_process_holds_no_secret(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that are pickled name the file; the other process reads it."""
    (tmp_path / "secret").write_text("hunter2")
    environment.setenv("KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "secret"))
    pickled = pickle.dumps(KafkaSettings.load())
    assert b"hunter2" not in pickled
    assert pickle.loads(pickled).secret_files["sasl.password"].read() == "hunter2"


def test_a_registry_s_address_is_checked_in_its_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the text would be, and without showing it; a change is followed."""
    path = tmp_path / "secret"
    path.write_text("ftp://me:hunter2@registry")
    environment.setenv("SCHEMA_REGISTRY_URL_FILE", str(path))
    with pytest.raises(SettingsError, match=r"^SCHEMA_REGISTRY_URL_FILE: must begin with http") as caught:
        SchemaSettings.load().registry_urls()
    assert "hunter2" not in str(caught.value)
    path.write_text("http://a")
    urls = SchemaSettings.load().registry_urls()
    assert urls
    assert urls() == "http://a"
    path.write_text("http://me:hunter2@b, http://c")
    assert urls() == "http://me:hunter2@b, http://c"
