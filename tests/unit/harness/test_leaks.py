"""The search of logs finds what it is to find: a search that finds nothing would be no wall."""

from pathlib import Path

import pytest

from harness.leaks import found_in, secrets_in


def test_secrets_are_known_by_their_variables(tmp_path: Path) -> None:
    """As texts, several in one, in files, and in addresses; what is no secret is none."""
    (tmp_path / "password").write_text("of-a-file\n")
    environment = {
        "MINIO_SECRET_KEY": "of-the-store", "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "password"),
        "SPLEETER_API_KEY": "first-key,second-key", "SCHEMA_REGISTRY_URL": "http://me:of-an-address@host, http://other",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=of-a-header", "OUTPUT_BUCKET": "no-secret",
        "API_KEYS_FILE": str(tmp_path / "missing"),
    }  # fmt: skip
    assert secrets_in(environment) == {
        "of-the-store", "of-a-file", "first-key", "second-key", "of-an-address", "authorization=of-a-header",
    }  # fmt: skip


def test_of_a_file_of_keys_the_digests_are_secret(tmp_path: Path) -> None:
    """Not the names and tenants that lie beside them, which logs may tell."""
    path, digest = tmp_path / "keys.json", "0123456789abcdef" * 4
    path.write_text(f'{{"keys": [{{"id": "a", "tenant": "acme",\n"sha256": "{digest}"}}]}}')
    assert secrets_in({"API_KEYS_FILE": str(path)}) == {digest}


@pytest.mark.parametrize("line", ["password=hunter2!", '{"key": "albums/song.mp3"}', "at s3://in/albums/song.mp3"])
def test_what_leaks_is_found(line: str) -> None:
    assert found_in(f"fine\n{line}\nfine", {"hunter2!"}, {"albums/song.mp3"})


@pytest.mark.parametrize("line", ["", "another-song.mp3", "albums/song.mp3s", "hunter"])
def test_what_is_something_else_is_not(line: str) -> None:
    assert not found_in(line, {"hunter2!"}, {"albums/song.mp3", "song.mp3"})
