"""The file of keys: what writers leave there whatever happens, and how the gateway follows it."""

import json
import multiprocessing
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumer.core.errors import Fatal, SettingsError
from consumer.core.log_events import LogEvent
from consumer.gateway.access.key_file import FollowedKeys, KeyFile
from consumer.gateway.access.keys import KeyRecord, make_key
from consumer.gateway.access.principal import Scope, Unauthenticated
from harness.clock import ManualClock

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_key(name: str = "web") -> tuple[str, KeyRecord]:
    return make_key(name=name, tenant="acme", scopes=[Scope.READ, Scope.OPERATE], created_at=NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_is_added_can_be_read(path: Path) -> None:
    """In the order in which it was added, field for field; the file is the owner's alone."""
    records = [a_key(name)[1] for name in ("web", "app", "Ünal's phone")]
    for record in records:
        KeyFile(path).add(record)
    assert list(KeyFile(path).read()) == records
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names_in(path.parent) == ["keys.json", "keys.json.lock"]


def test_the_file_is_json_that_others_can_make(path: Path) -> None:
    """Its form is documented; `expires_at` and `revoked_at` may be left out, and no key is in it."""
    key, record = a_key()
    KeyFile(path).add(record)
    written = json.loads(path.read_text())
    assert written == {
        "version": 1,
        "keys": [
            {
                "id": record.id, "name": "web", "tenant": "acme", "scopes": ["operate", "separations:read"],
                "sha256": record.sha256, "created_at": "2026-11-20T12:00:00Z", "expires_at": None, "revoked_at": None,
            }
        ],
    }  # fmt: skip
    assert key[15:] not in path.read_text()
    del written["keys"][0]["expires_at"], written["keys"][0]["revoked_at"]
    path.write_text(json.dumps(written))
    assert list(KeyFile(path).read()) == [record]


def test_a_key_is_revoked_for_good(path: Path) -> None:
    """It stays in the file, with the moment; a second time changes nothing, and others are as they were."""
    clock, (_, first), (_, second) = ManualClock(moment=NOON), a_key(), a_key()
    file = KeyFile(path)
    file.add(first)
    file.add(second)
    assert file.revoke(first.id, clock).revoked_at == NOON
    clock.advance(60)
    assert file.revoke(first.id, clock).revoked_at == NOON
    revoked, other = file.read()
    assert (revoked.id, revoked.revoked_at, other) == (first.id, NOON, second)
    with pytest.raises(Fatal, match=r"^there is no key 0123456789$"):
        file.revoke("0123456789", clock)


def _add(path: Path, names: list[str]) -> None:
    for name in names:
        KeyFile(path, lock_within_s=60).add(a_key(name)[1])


def test_writers_at_the_same_time_lose_nothing(path: Path) -> None:
    """Four processes that each add ten keys: forty are there."""
    context = multiprocessing.get_context("spawn")
    names = [[f"{writer}-{number}" for number in range(10)] for writer in range(4)]
    writers = [context.Process(target=_add, args=(path, each)) for each in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert {record.name for record in KeyFile(path).read()} == {name for each in names for name in each}
    assert names_in(path.parent) == ["keys.json", "keys.json.lock"]


def test_a_writer_that_does_not_end_is_told_of(path: Path) -> None:
    """In bounded time, with one line; nothing has changed. Whoever dies lets go of the lock."""
    KeyFile(path).add(a_key()[1])
    before = path.read_bytes()
    holds = (
        f"import fcntl, sys; f = open({str(path) + '.lock'!r}, 'r+'); fcntl.flock(f, 2); print(1, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(Fatal, match=rf"^{path}: another process is changing it$"):
            KeyFile(path, lock_within_s=0.05).add(a_key()[1])
        assert path.read_bytes() == before
        holder.kill()
        holder.wait(30)
    KeyFile(path).add(a_key()[1])
    assert len(KeyFile(path).read()) == 2


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    """What it leads to is changed."""
    real = tmp_path / "elsewhere"
    real.mkdir()
    path.symlink_to(real / "real.json")
    KeyFile(path).add(a_key()[1])
    KeyFile(path).add(a_key()[1])
    assert path.is_symlink()
    assert len(KeyFile(real / "real.json").read()) == 2


def test_a_disk_that_is_full_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, the old file as it was, and no half of a new one beside it."""
    KeyFile(path).add(a_key()[1])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Fatal, match=rf"^{path}: can't be written \(No space left on device\)$"):
        KeyFile(path).add(a_key()[1])
    assert path.read_bytes() == before
    assert names_in(path.parent) == ["keys.json", "keys.json.lock"]


def test_a_place_that_can_not_be_written_to_is_named(tmp_path: Path) -> None:
    """A folder that is missing, and a folder in the file's place."""
    with pytest.raises(Fatal, match=r"missing/keys.json: can't be written \(No such file or directory\)$"):
        KeyFile(tmp_path / "missing" / "keys.json").add(a_key()[1])
    (tmp_path / "keys.json").mkdir()
    with pytest.raises(Fatal, match=r"keys.json: the file can't be read \(Is a directory\)$"):
        KeyFile(tmp_path / "keys.json").add(a_key()[1])
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(Fatal, match=r"\(Too many levels of symbolic links\)$"):
        KeyFile(loop).read()


def broken(record: KeyRecord) -> dict[str, bytes]:
    """What may stand in the file instead of keys."""
    good: dict[str, Any] = {
        "id": record.id, "name": "web", "tenant": None, "scopes": ["operate"], "sha256": record.sha256,
        "created_at": "2026-11-20T12:00:00Z",
    }  # fmt: skip

    def changed(**fields: Any) -> bytes:
        return json.dumps({"version": 1, "keys": [good | fields]}).encode()

    return {
        "empty": b"", "half": changed()[:-20], "no JSON": b"keys:\n", "no UTF-8": changed()[:-2] + b"\xff",
        "a list": b"[]",
        "another version": changed().replace(b'"version": 1', b'"version": 2'), "no version": b'{"keys": []}',
        "another member": b'{"version": 1, "keys": [], "key": 1}', "nested": b"[" * 100_000,
        "a field of no meaning": changed(expires="2026-12-01T00:00:00Z"), "an unknown scope": changed(scopes=["all"]),
        "a time without a zone": changed(expires_at="2026-12-01T00:00:00"), "no time": changed(expires_at="soon"),
        "a short digest": changed(sha256="00"), "a tenant that is a path": changed(tenant="../x"),
        "the same id twice": json.dumps({"version": 1, "keys": [good, good]}).encode(),
        "too large": b" " * (16 << 20) + changed(),
    }  # fmt: skip


KINDS = list(broken(a_key()[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_broken_is_never_written_over(path: Path, kind: str) -> None:
    """A person must look at it; the line says what is wrong, and repeats no digest."""
    _, record = a_key()
    content = broken(record)[kind]
    path.write_bytes(content)
    for change in (lambda: KeyFile(path).add(record), lambda: KeyFile(path).revoke(record.id), KeyFile(path).read):
        with pytest.raises(
            Fatal, match=rf"^{path}: the file is (none of keys \(.+\)|too large for a file of keys)$"
        ) as e:
            change()
        assert record.sha256 not in str(e.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_broken_at_the_start_names_the_variable(path: Path, kind: str) -> None:
    path.write_bytes(broken(a_key()[1])[kind])
    with pytest.raises(SettingsError, match=r"^API_KEYS_FILE: the file is ") as caught:
        FollowedKeys(path)
    assert caught.value.variables == ("API_KEYS_FILE",)


def test_a_file_that_is_not_there_at_the_start_names_the_variable(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^API_KEYS_FILE: the file can't be read \(No such file or directory\)$"):
        FollowedKeys(path)


class Gateway:
    """Follows the file, as a gateway would that is asked once a second."""

    def __init__(self, path: Path) -> None:
        self.clock = ManualClock(moment=NOON)
        self.keys = FollowedKeys(path, self.clock)

    def knows(self, key: str) -> bool:
        self.clock.advance(1.0)
        try:
            self.keys.now().find(key, NOON)
        except Unauthenticated:
            return False
        return True


def test_changes_are_followed(path: Path) -> None:
    """A key that is made later is known, and one that is revoked is not, without a restart."""
    file, (first_key, first), (second_key, second) = KeyFile(path), a_key(), a_key()
    file.add(first)
    gateway = Gateway(path)
    assert (gateway.knows(first_key), gateway.knows(second_key)) == (True, False)
    with capture_logs() as logs:
        file.add(second)
        assert gateway.knows(second_key)
        file.revoke(first.id)
        assert (gateway.knows(first_key), gateway.knows(second_key)) == (False, True)
    assert [line["event"] for line in logs] == [LogEvent.KEYS_READ] * 2


def rename(path: Path, content: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(content)
    new.replace(path)


def rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def rewrite_unseen(path: Path, content: bytes) -> None:
    """As in the same tick of the clock, or as tools do that restore times."""
    was = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


@pytest.mark.parametrize("change", [rename, rewrite, rewrite_unseen])
def test_each_way_to_change_the_file_is_seen(path: Path, change: Callable[[Path, bytes], None]) -> None:
    """Also where size and time stay the same."""
    (first_key, first), (second_key, second) = a_key(), a_key()
    KeyFile(path).add(second)
    other = path.read_bytes()
    path.unlink()
    KeyFile(path).add(first)
    assert len(other) == len(path.read_bytes())
    gateway = Gateway(path)
    change(path, other)
    assert (gateway.knows(first_key), gateway.knows(second_key)) == (False, True)


def test_a_secret_of_kubernetes_is_followed(tmp_path: Path) -> None:
    """Its file is a link to a link to a folder, and it is that one that is replaced."""
    (first_key, first), (second_key, second) = a_key(), a_key()
    for version, record in (("..2026_1", first), ("..2026_2", second)):
        (tmp_path / version).mkdir()
        KeyFile(tmp_path / version / "keys.json").add(record)
    (tmp_path / "..data").symlink_to("..2026_1")
    (tmp_path / "keys.json").symlink_to("..data/keys.json")
    gateway = Gateway(tmp_path / "keys.json")
    assert gateway.knows(first_key)
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert (gateway.knows(first_key), gateway.knows(second_key)) == (False, True)


@pytest.mark.parametrize("kind", [*KINDS, "gone", "a folder"])
def test_a_broken_version_changes_nothing(path: Path, kind: str) -> None:
    """The old keys stay, one line says why, however often it is looked at; and the next good version counts."""
    (key, record), (new_key, new) = a_key(), a_key()
    KeyFile(path).add(record)
    gateway = Gateway(path)
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind != "gone":
        path.write_bytes(broken(record)[kind])
    with capture_logs() as logs:
        assert [gateway.knows(key) for _ in range(3)] == [True] * 3
    [line] = logs
    assert (line["event"], line["log_level"], line["kept"]) == (LogEvent.KEYS_UNREADABLE, "error", 1)
    assert record.sha256 not in str(line)
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    KeyFile(path).add(new)
    assert (gateway.knows(new_key), gateway.knows(key)) == (True, False)


def test_the_file_is_looked_at_once_a_second(path: Path) -> None:
    """However many ask within."""
    (_, first), (second_key, second) = a_key(), a_key()
    KeyFile(path).add(first)
    gateway = Gateway(path)
    gateway.knows(second_key)
    KeyFile(path).add(second)
    gateway.clock.advance(0.99)
    assert len(gateway.keys.now()) == 1
    gateway.clock.advance(0.01)
    assert len(gateway.keys.now()) == 2


def test_a_file_without_keys_is_one(path: Path) -> None:
    """Nobody is known by it yet."""
    path.write_text('{"version": 1, "keys": []}')
    assert not Gateway(path).knows(a_key()[0])
