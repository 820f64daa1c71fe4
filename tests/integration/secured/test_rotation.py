"""Passwords and keys that are exchanged while a replica works: it goes on, and is not started anew."""

import uuid
from pathlib import Path

import pytest
from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.rights import bindings, rights_of
from harness.secured_kafka import SecuredKafka
from harness.waiting import wait_for
from tests.conftest import MinioServer


def replace(path: Path, text: str) -> None:
    """As whoever mounts secrets does: never half of one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def is_lost(replica: ReplicaProcess) -> bool:
    page = replica.get("/ready")
    return page is not None and not page.is_success


def separates(platform: Platform, key: str) -> None:
    """One more song comes to its result."""
    before = len(platform.read_outcomes())
    platform.request(key)
    outcomes = platform.outcomes(before + 1)
    assert all(isinstance(outcome, SeparationResult) for outcome in outcomes)


@pytest.mark.parametrize("first", ["broker first", "file first"])
def test_a_password_of_kafkas_is_exchanged(
    guarded: Platform, secured: SecuredKafka, tmp_path: Path, first: str
) -> None:
    """The broker asks each connection anew, so the old password soon counts for none; the replica waits, and goes on
    with the new one, whichever of the two was changed first. Its process stays the same, and no log has a password."""
    user = f"u{uuid.uuid4().hex[:8]}"
    secured.set_password(user, "password-of-yesterday")
    secured.grant(bindings(rights_of("replica"), guarded.environment, user))
    file = tmp_path / "password"
    file.write_text("password-of-yesterday\n")
    replica = guarded.start_replica(**secured.by_password(user, KAFKA_SASL_PASSWORD_FILE=str(file)))
    replica.wait_ready()
    key = guarded.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=1))
    separates(guarded, key)

    if first == "broker first":
        secured.set_password(user, "password-of-today")
        wait_for(lambda: is_lost(replica) or replica.process.poll() is not None)
        assert replica.process.poll() is None, replica.log.read_text()[-2000:]
        replace(file, "password-of-today\n")
    else:
        replace(file, "password-of-today\n")
        wait_for(lambda: is_lost(replica) or replica.process.poll() is not None)
        assert replica.process.poll() is None, replica.log.read_text()[-2000:]
        secured.set_password(user, "password-of-today")
    replica.wait_ready()
    separates(guarded, key)
    assert "password-of" not in replica.log.read_text()


def test_a_key_of_the_store_is_exchanged(platform: Platform, minio: MinioServer, tmp_path: Path) -> None:
    """The old key is taken away while the replica runs, which goes on with the new one."""
    admin = MinioAdmin(
        endpoint=minio.endpoint, credentials=StaticProvider(minio.access_key, minio.secret_key), secure=False
    )
    old, new = (f"key{uuid.uuid4().hex[:8]}" for _ in range(2))
    for name in (old, new):
        admin.user_add(name, f"secret-of-{name}")
        admin.policy_set("readwrite", user=name)
    song = write_clip(tmp_path / "song.wav", seconds=1.0, seed=1)
    access, secret = tmp_path / "access", tmp_path / "secret"
    access.write_text(old)
    secret.write_text(f"secret-of-{old}")
    replica = platform.start_replica(
        MINIO_ACCESS_KEY="", MINIO_SECRET_KEY="", MINIO_ACCESS_KEY_FILE=str(access), MINIO_SECRET_KEY_FILE=str(secret)
    )
    replica.wait_ready()
    separates(platform, platform.upload(song))
    admin.user_remove(old)
    replace(access, new)
    replace(secret, f"secret-of-{new}")
    separates(platform, platform.upload(song, "another"))
    assert replica.process.poll() is None
    assert "secret-of" not in replica.log.read_text()
