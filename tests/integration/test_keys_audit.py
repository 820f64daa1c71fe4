"""`keys` on the audit trail of a real Kafka, and where it can't be."""

import os
import pwd
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from devstack.service import free_port
from harness.platform import Platform
from harness.waiting import wait_for


def test_keys_that_are_made_and_revoked(platform: Platform, tmp_path: Path) -> None:
    """Who, which key, whose and with which scopes; neither the key, nor its digest, nor its name."""
    file = tmp_path / "keys.json"
    made = platform.run(
        "keys", "create", "Jane Doe", "--tenant", "acme", "--scope", "operate", "--scope", "separations:read",
        "--file", str(file),
    )  # fmt: skip
    key_id = made.stdout.split("_")[1]
    revoked = platform.run("keys", "revoke", key_id, "--file", str(file), "--actor", "ticket-17")
    assert (made.returncode, revoked.returncode) == (0, 0), made.stderr + revoked.stderr
    assert len(made.stderr.splitlines()) == 1
    events = sorted(platform.audit_events(), key=lambda event: event.occurred_at)
    details = {"key_id": key_id, "scopes": "operate separations:read"}
    user = f"os:{pwd.getpwuid(os.getuid()).pw_name}"
    assert [(e.action, e.outcome, e.actor, e.tenant, e.request_id, e.details) for e in events] == [
        ("key.created", "success", user, "acme", None, details),
        ("key.revoked", "success", "ticket-17", "acme", None, details),
    ]
    for secret in (made.stdout.strip().split("_")[2], "Jane", "Doe"):
        assert secret not in repr(events)
    assert platform.run("keys", "list", "--file", str(file)).returncode == 0
    unknown = platform.run("keys", "revoke", "0123456789", "--file", str(file))
    assert (unknown.returncode, len(platform.audit_events())) == (1, 2)  # nothing was done


@pytest.mark.parametrize("is_required", ["false", "true"])
@pytest.mark.parametrize("trouble", ["no topic", "no broker"])
def test_keys_where_the_trail_takes_nothing(platform: Platform, tmp_path: Path, trouble: str, is_required: str) -> None:
    """The key is made and what is missing is said, or nothing is done at all, as AUDIT_REQUIRED has it."""
    environment = {"AUDIT_REQUIRED": is_required}
    if trouble == "no broker":
        environment["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{free_port()}"
    else:
        topic, admin = platform.topic("AUDIT"), AdminClient({"bootstrap.servers": platform.bootstrap_servers})
        admin.delete_topics([topic])[topic].result(30)
        wait_for(lambda: topic not in admin.list_topics(timeout=10).topics)
    file = tmp_path / "keys.json"
    made = platform.run("keys", "create", "web", "--file", str(file), **environment)
    assert "Traceback" not in made.stderr
    if is_required == "true":
        assert (made.returncode, made.stdout, file.exists()) == (1, "", False), made.stderr
    else:
        assert (made.returncode, made.stdout.count("spk_")) == (0, 1), made.stderr
        assert "1 audit events could not be written" in made.stderr
        assert file.exists()
