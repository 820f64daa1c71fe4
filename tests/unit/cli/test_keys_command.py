"""`keys create`, `keys list` and `keys revoke`: what they print, what they keep, and what they refuse."""

import json
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumer.gateway.access.key_file import FollowedKeys
from consumer.gateway.access.principal import Principal, Scope, Unauthenticated
from tests.unit.cli.test_cli import Call, call, run

__all__ = ["call"]  # a fixture


def listed(call: Call, file: Path) -> list[dict[str, Any]]:
    done = call("keys", "list", "--json", "--file", str(file))
    assert (done.code, done.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


def principal(file: Path, key: str, now: datetime | None = None) -> Principal:
    """Whoever a gateway would take the holder of a key for."""
    return FollowedKeys(file).now().find(key, now or datetime.now(UTC)).principal


def test_a_key_is_made_and_known(call: Call, tmp_path: Path) -> None:
    """It alone is on standard output, so that it can be piped on; a gateway knows by it what was asked for."""
    file = tmp_path / "keys.json"
    done = call(
        "keys", "create", "web shop", "--tenant", "acme", "--scope", "separations:read", "--scope", "operate",
        "--expires", "90d", "--file", str(file),
    )  # fmt: skip
    assert done.code == 0
    [key] = done.out.splitlines()
    assert re.fullmatch(r"spk_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}", key)
    key_id = key.split("_")[1]
    assert principal(file, key) == Principal(
        id=f"key:{key_id}", tenant="acme", scopes=frozenset({Scope.READ, Scope.OPERATE})
    )
    assert principal(file, key, datetime.now(UTC) + timedelta(days=89))
    with pytest.raises(Unauthenticated):
        principal(file, key, datetime.now(UTC) + timedelta(days=90))
    [line] = done.err.splitlines()
    assert line.startswith(f"key {key_id} of web shop: tenant acme, operate, separations:read, expires 20")
    assert key.split("_")[2] not in line
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_may_read_and_write_where_nothing_is_said(call: Call, tmp_path: Path) -> None:
    """For no tenant, and it never expires; its file is that of the setting."""
    file = tmp_path / "keys.json"
    done = call("keys", "create", "web", API_KEYS_FILE=str(file))
    assert principal(file, done.out.strip()) == Principal(
        id=f"key:{done.out.split('_')[1]}", tenant=None, scopes=frozenset({Scope.READ, Scope.WRITE})
    )
    assert "no tenant" in done.err
    assert "never expires" in done.err


def test_what_is_listed_tells_no_key(call: Call, tmp_path: Path) -> None:
    """As a table and as JSON: neither a key nor its digest."""
    file = tmp_path / "keys.json"
    keys = [call("keys", "create", name, "--file", str(file)).out.strip() for name in ("web", "app")]
    table = call("keys", "list", "--file", str(file)).out
    rows = listed(call, file)
    digests = [record["sha256"] for record in json.loads(file.read_text())["keys"]]
    for shown in (table, json.dumps(rows)):
        assert not any(secret in shown for secret in (*digests, *(key.split("_")[2] for key in keys)))
    assert [row["name"] for row in rows] == ["web", "app"]
    assert rows[0] == {
        "id": keys[0].split("_")[1], "name": "web", "tenant": None, "state": "usable",
        "scopes": ["separations:read", "separations:write"], "created_at": rows[0]["created_at"], "expires_at": None,
        "revoked_at": None,
    }  # fmt: skip
    head, first, second = table.splitlines()
    assert head.split() == ["id", "name", "tenant", "scopes", "state", "created_at", "expires_at"]
    assert first.split()[:5] == [keys[0].split("_")[1], "web", "-", "separations:read,separations:write", "usable"]
    assert second.split()[1] == "app"


def test_a_key_is_revoked(call: Call, tmp_path: Path) -> None:
    """At once and for good; it stays in the list, and the others work on."""
    file = tmp_path / "keys.json"
    old, new = (call("keys", "create", "web", "--file", str(file)).out.strip() for _ in range(2))
    for _ in range(2):  # the second time says the same
        done = call("keys", "revoke", old.split("_")[1], "--file", str(file))
        assert done.code == 0
        assert done.out.startswith(f"{old.split('_')[1]}  web  revoked at 20")
    with pytest.raises(Unauthenticated):
        principal(file, old)
    assert principal(file, new)
    assert [row["state"] for row in listed(call, file)] == ["revoked", "usable"]


def test_a_key_that_has_expired_says_so(call: Call, tmp_path: Path) -> None:
    """Its state is by the clock, not by what somebody did."""
    file = tmp_path / "keys.json"
    call("keys", "create", "web", "--expires", "1s", "--file", str(file))
    content = json.loads(file.read_text())
    content["keys"][0]["expires_at"] = "2020-01-01T00:00:00Z"
    file.write_text(json.dumps(content))
    assert [row["state"] for row in listed(call, file)] == ["expired"]


WRONG_USAGE = [
    "create", "create web --tenant a/b", "create web --tenant ..", "create web --scope all", "create web --scope READ",
    "create web --expires soon", "create web --expires 0s", "create web --expires -1d", "create web --expires 40000d",
    "create web --expires 99999999999999999999d", "create web app", "list web", "revoke", "revoke short",
    "revoke ../../etc", "revoke 0123456789 0123456789",
]  # fmt: skip


@pytest.mark.parametrize("line", WRONG_USAGE)
def test_wrong_usage_makes_no_file(call: Call, tmp_path: Path, line: str) -> None:
    """Exit code 2, without a traceback."""
    done = call("keys", *line.split(), "--file", str(tmp_path / "keys.json"))
    assert done.code == 2
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", " web", "a\nb", "x" * 101, "a\x1b[31mb"])
def test_names_that_would_break_a_line_are_refused(call: Call, tmp_path: Path, name: str) -> None:
    done = call("keys", "create", name, "--file", str(tmp_path / "keys.json"))
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_the_place_of_an_id_is_not_repeated(call: Call, tmp_path: Path) -> None:
    """Terminals and logs keep what is printed."""
    file = tmp_path / "keys.json"
    key = call("keys", "create", "web", "--file", str(file)).out.strip()
    done = call("keys", "revoke", key, "--file", str(file))
    assert done.code == 2
    assert key.split("_")[2] not in done.out + done.err


def test_what_can_not_be_done_is_told_in_one_line(call: Call, tmp_path: Path) -> None:
    """No file, a broken one, an id that nobody has."""
    missing, broken = tmp_path / "missing.json", tmp_path / "broken.json"
    assert call("keys", "list").one_line() == "spleeter-consumer: API_KEYS_FILE must be set, or --file be given"
    told = call("keys", "list", "--file", str(missing)).one_line()
    assert told == f"spleeter-consumer: {missing}: the file can't be read (No such file or directory)"
    told = call("keys", "revoke", "0123456789", "--file", str(missing)).one_line()
    assert told == f"spleeter-consumer: {missing}: the file can't be read (No such file or directory)"
    broken.write_text('{"version": 1, "keys": [')
    for line in ("create web", "list", "revoke 0123456789"):
        told = call("keys", *line.split(), "--file", str(broken)).one_line()
        assert told.startswith(f"spleeter-consumer: {broken}: the file is none of keys (")
    assert broken.read_text() == '{"version": 1, "keys": ['
    call("keys", "create", "web", "--file", str(missing))
    told = call("keys", "revoke", "0123456789", "--file", str(missing)).one_line()
    assert told == "spleeter-consumer: there is no key 0123456789"


def test_keys_without_brokers(call: Call, tmp_path: Path) -> None:
    """They are made and revoked all the same, and nothing is said of a trail, unless one is required."""
    file = tmp_path / "keys.json"
    required = {"AUDIT_REQUIRED": "true"}
    told = call("keys", "create", "web", "--file", str(file), **required).one_line()
    assert "KAFKA_BOOTSTRAP_SERVERS" in told
    assert not file.exists()
    made = call("keys", "create", "web", "--file", str(file), "--actor", "ticket-17")
    assert (made.code, len(made.err.splitlines())) == (0, 1)
    key_id = made.out.split("_")[1]
    assert "KAFKA_BOOTSTRAP_SERVERS" in call("keys", "revoke", key_id, "--file", str(file), **required).one_line()
    assert [row["state"] for row in listed(call, file)] == ["usable"]
    done = call("keys", "revoke", key_id, "--file", str(file))
    assert (done.code, done.err) == (0, "")


def test_brokers_that_are_named_wrongly_are_not_passed_over(call: Call, tmp_path: Path) -> None:
    """Who has set up Kafka wants a trail: a setting that is wrong is said before a key is made."""
    brokers = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
    for wrong in ({"KAFKA_GROUP_PROTOCOL": "none"}, {**brokers, "KAFKA_AUTO_OFFSET_RESET": "latest"}):
        told = call("keys", "create", "web", "--file", str(tmp_path / "keys.json"), **wrong).one_line()
        assert list(wrong)[-1] in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("actor", ["", "a\nb", "x" * 129])
def test_an_actor_that_would_break_a_line_is_refused(call: Call, tmp_path: Path, actor: str) -> None:
    """With brokers or without."""
    assert call("keys", "create", "web", "--file", str(tmp_path / "keys.json"), "--actor", actor).code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_makes_a_key(tmp_path: Path) -> None:
    """In a process of its own, with nothing set but what it needs."""
    done = run("keys", "create", "web", API_KEYS_FILE=str(tmp_path / "keys.json"))
    assert done.code == 0
    assert principal(tmp_path / "keys.json", done.out.removesuffix("\n"))


def test_keys_are_made_where_the_gateway_is_not_installed(tmp_path: Path) -> None:
    """As on an operator's machine: without what checks tokens."""
    code = "import sys; sys.modules['jwt'] = None; sys.argv = sys.argv[1:]; from consumer.cli import main; main()"
    words = ["spleeter-consumer", "keys", "create", "web", "--file", str(tmp_path / "keys.json")]
    ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, len(ran.stdout.splitlines())) == (0, 1), ran.stderr
