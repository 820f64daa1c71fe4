"""The keys that manifests are signed by, and the key that links are."""

from pathlib import Path

import pytest

from consumer.core.errors import SettingsError
from consumer.settings import JobSettings, MinioSettings, environment_without_secrets

OLD, NEW = "o" * 32, "n" * 32
PLACE, DOCUMENT = ("out", "k"), b'{"a":1}'


def test_without_a_key_nothing_is_signed() -> None:
    seal = JobSettings.load().seal()
    assert not seal.is_set
    assert seal.close(*PLACE, DOCUMENT) == DOCUMENT


def test_a_file_of_keys_is_followed(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While it is away, or holds no usable key, those before count: nothing unsigned is believed."""
    file = tmp_path / "keys"
    file.write_text(f"{OLD}\n")
    environment.setenv("MANIFEST_KEY_FILE", str(file))
    seal = JobSettings.load().seal()
    earlier = seal.close(*PLACE, DOCUMENT)
    assert seal.open(*PLACE, DOCUMENT) is None
    for spoil in (lambda: file.write_text("short"), lambda: file.write_text(""), file.unlink):
        spoil()
        assert seal.open(*PLACE, earlier) == earlier
        assert seal.open(*PLACE, DOCUMENT) is None
        assert seal.close(*PLACE, DOCUMENT) == earlier
    file.write_text(f"{NEW},{OLD}")
    assert seal.open(*PLACE, earlier) == earlier
    assert seal.close(*PLACE, DOCUMENT) != earlier


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("short", "each key must have 32 to 512 characters"),
        (f"{NEW},short", "each key must have 32 to 512 characters"),
        (",", "must hold at least one key"),
        (f"{NEW} {OLD}", "keys must be of ASCII's printable characters"),
        ("ü" * 32, "keys must be of ASCII's printable characters"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_what_is_no_key_ends_the_start_and_is_not_shown(
    environment: pytest.MonkeyPatch, tmp_path: Path, value: str, reason: str, in_file: bool
) -> None:
    variable = "MANIFEST_KEY_FILE" if in_file else "MANIFEST_KEY"
    (tmp_path / "keys").write_text(value)
    environment.setenv(variable, str(tmp_path / "keys") if in_file else value)
    with pytest.raises(SettingsError) as caught:
        JobSettings.load().seal()
    assert str(caught.value) == f"{variable}: {reason}"
    assert caught.value.variables == (variable,)


def test_a_key_is_set_in_one_way_and_reaches_no_separator(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor does it show where settings are printed."""
    environment.setenv("MANIFEST_KEY", NEW)
    assert NEW not in repr(JobSettings.load())
    assert NEW not in str(environment_without_secrets())
    environment.setenv("MANIFEST_KEY_FILE", str(tmp_path / "keys"))
    with pytest.raises(SettingsError, match=r"^MANIFEST_KEY_FILE: MANIFEST_KEY is set too$"):
        JobSettings.load()


def test_a_wrong_word_for_the_unsigned_is_refused(environment: pytest.MonkeyPatch) -> None:
    """It fails closed."""
    environment.setenv("MANIFEST_UNSIGNED", "maybe")
    with pytest.raises(SettingsError, match=r"^MANIFEST_UNSIGNED: "):
        JobSettings.load()


def test_links_have_a_whole_key_of_their_own_or_none(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In variables, or in files that are followed."""
    assert MinioSettings.load().links_keys() is None
    environment.setenv("MINIO_LINKS_ACCESS_KEY", "links")
    with pytest.raises(SettingsError, match=r"^MINIO_LINKS_SECRET_KEY: must be set where MINIO_LINKS_ACCESS_KEY is$"):
        MinioSettings.load()
    file = tmp_path / "secret"
    file.write_text("links-secret")
    environment.setenv("MINIO_LINKS_SECRET_KEY_FILE", str(file))
    keys = MinioSettings.load().links_keys()
    assert keys
    assert (keys.access_key(), keys.secret_key(), keys.session_token()) == ("links", "links-secret", "")
    file.write_text("another-secret")
    assert keys.secret_key() == "another-secret"
    own = MinioSettings.load().keys()
    assert own
    assert own.access_key() == "access"
    environment.setenv("MINIO_LINKS_SECRET_KEY", "links-secret")
    with pytest.raises(SettingsError, match=r"^MINIO_LINKS_SECRET_KEY_FILE: MINIO_LINKS_SECRET_KEY is set too$"):
        MinioSettings.load()
