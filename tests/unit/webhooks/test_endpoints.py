"""The file of endpoints: what may stand in it, and that it is followed."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import SettingsError
from consumer.webhooks.endpoints import MOST_ENDPOINTS, Endpoint, FollowedEndpoints
from harness.webhooks import a_secret, an_endpoint, write_endpoints

GOOD = an_endpoint("main", "https://receiver.example/hook?token=tok-1")
SECRET = str(GOOD["secrets"][0])  # type: ignore[index]


class TurnedClock:
    def __init__(self) -> None:
        self.at_s = 0.0

    def monotonic(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return datetime.now(UTC)


def followed(path: Path, *, allow_http: bool = False) -> FollowedEndpoints:
    return FollowedEndpoints(path, allow_http=allow_http)


def whsec(size_bytes: int) -> str:
    return f"whsec_{base64.b64encode(bytes(size_bytes)).decode()}"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "id must be"),
        ({"id": "a.b"}, "id must be"),
        ({"id": "x" * 65}, "id must be"),
        ({"tenant": "a/b"}, "tenant must be"),
        ({"url": "ftp://receiver.example/"}, "url must begin"),
        ({"url": "https://"}, "url must begin"),
        ({"url": "https:///path"}, "url must name a host"),
        ({"url": "https://user:tok-1@receiver.example/"}, "must hold no user"),
        ({"url": "https://receiver.example/#tok-1"}, "must hold no user"),
        ({"url": "https://receiver.example:0/"}, "must name a host"),
        ({"url": "https://receiver.example:99999/"}, "can't be read"),
        ({"url": "https://[::1/"}, "can't be read"),
        ({"url": "https://receiver.example/ b"}, "url must begin"),
        ({"url": "https://receiver.example/\r\nX: y"}, "url must begin"),
        ({"url": "https://receiver.example\\@localhost/"}, "url must begin"),
        ({"url": "https://bücher.example/"}, "url must begin"),
        ({"url": f"https://receiver.example/{'x' * 2000}"}, "url must begin"),
        ({"url": "http://receiver.example/"}, "without https, main"),
        ({"secrets": []}, "1 to 5 secrets"),
        ({"secrets": [whsec(32)] * 6}, "1 to 5 secrets"),
        ({"secrets": ["tok-1"]}, "must begin with whsec_"),
        ({"secrets": ["whsec_tok-1"]}, "must be base64"),
        ({"secrets": [whsec(23)]}, "must hold 24 to 64 bytes"),
        ({"secrets": [whsec(65)]}, "must hold 24 to 64 bytes"),
        ({"secrets": "whsec_"}, "Expected `array`"),
        ({"secret": "tok-1"}, "unknown field"),
        ({"url": None}, "Expected `str`"),
    ],
)
def test_a_wrong_entry_is_named_in_one_line(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """With the variable, and without anything secret."""
    path = write_endpoints(tmp_path / "file", [{**GOOD, **change}])
    with pytest.raises(SettingsError, match=f"^WEBHOOKS_FILE: the file .*{reason}") as raised:
        followed(path)
    assert "tok-1" not in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "none of endpoints"),
        (b"\xff\xfe", "none of endpoints"),
        (b"[" * 100_000, "none of endpoints"),
        (b"[]", "none of endpoints"),
        (b'{"version": 2, "endpoints": []}', "none of endpoints"),
        (b'{"version": 1}', "none of endpoints"),
        (json.dumps({"version": 1, "endpoints": [GOOD, GOOD]}).encode(), "two endpoints with the same id"),
        (
            json.dumps(
                {"version": 1, "endpoints": [{**GOOD, "id": str(n)} for n in range(MOST_ENDPOINTS + 1)]}
            ).encode(),
            "more than 100",
        ),
        (b" " * (1 << 20) + b"{}", "too large"),
    ],
)
def test_what_is_no_file_of_endpoints_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """Whatever lies there instead."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=reason):
        followed(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """As one that may not be read is."""
    with pytest.raises(SettingsError, match=r"^WEBHOOKS_FILE: the file can't be read \(No such file"):
        followed(tmp_path / "none")
    with pytest.raises(SettingsError, match=r"^WEBHOOKS_FILE: the file can't be read \(Is a directory"):
        followed(tmp_path)


def test_plain_http_is_for_those_who_allow_it(tmp_path: Path) -> None:
    """By a setting of its own."""
    path = write_endpoints(tmp_path / "file", [an_endpoint("main", "http://receiver.example/")])
    assert followed(path, allow_http=True).now().keys() == {"main"}


def test_a_change_is_seen_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    """Looked at once a second at most; a file that is away, broken or whole again is told of once each."""
    clock = TurnedClock()
    path = write_endpoints(tmp_path / "file", [GOOD])
    endpoints = FollowedEndpoints(path, allow_http=False, clock=clock)
    write_endpoints(path, [GOOD, {**GOOD, "id": "second"}])
    assert endpoints.now().keys() == {"main"}
    with capture_logs() as lines:
        clock.at_s += 1
        assert endpoints.now().keys() == {"main", "second"}
        for spoil in (lambda: path.write_text("{"), path.unlink):
            spoil()
            for _ in range(3):
                clock.at_s += 1
                assert endpoints.now().keys() == {"main", "second"}
            assert endpoints.trouble.startswith("WEBHOOKS_FILE: the file ")
        write_endpoints(path, [])
        clock.at_s += 1
        assert endpoints.now() == {}
        assert endpoints.trouble == ""
    assert [line["event"] for line in lines] == [
        "endpoints.read", "endpoints.unreadable", "endpoints.unreadable", "endpoints.read",
    ]  # fmt: skip


def test_an_endpoint_shows_neither_address_nor_secret() -> None:
    """Nor does its digest stay the same where one of them changes."""
    secret = a_secret()
    endpoint = Endpoint(id="main", tenant="acme", url="https://receiver.example/tok-1", secrets=(secret,))
    assert repr(endpoint) == str(endpoint) == "Endpoint(id='main', tenant='acme')"
    others = [
        Endpoint(id="main", tenant="acme", url="https://receiver.example/tok-2", secrets=(secret,)),
        Endpoint(id="main", tenant="acme", url="https://receiver.example/tok-1", secrets=(secret, a_secret())),
        Endpoint(id="main", tenant=None, url="https://receiver.example/tok-1", secrets=(secret,)),
    ]
    assert len({endpoint.digest, *(other.digest for other in others)}) == 4
