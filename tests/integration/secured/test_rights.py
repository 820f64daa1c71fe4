"""Everything works with exactly the rights that docs/security.md lists; without any one of them a line says which."""

import re
import uuid
from pathlib import Path

import pytest

from consumer.core.events import SeparationResult
from harness.clips import write_clip
from harness.gateway import gateway
from harness.platform import Platform, wait_for
from harness.rights import Right, bindings, names_of, rights_of
from harness.secured_kafka import SecuredKafka

WAYS = ("password", "certificate", "token")


def a_user(secured: SecuredKafka, way: str, folder: Path) -> tuple[str, dict[str, str]]:
    """One who comes that way, and what its processes are told."""
    user = f"u{uuid.uuid4().hex[:8]}"
    if way == "password":
        secured.set_password(user, f"password-of-{user}")
        return user, secured.by_password(user, KAFKA_SASL_PASSWORD=f"password-of-{user}")
    if way == "certificate":
        return user, secured.by_certificate(*secured.authority.issue(user, folder / user))
    secured.endpoint.secrets[user] = f"secret-of-{user}"
    return user, secured.by_token(user, KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET=f"secret-of-{user}")


@pytest.mark.parametrize("way", WAYS)
def test_all_of_it_works_with_the_rights_that_are_listed(
    guarded: Platform, secured: SecuredKafka, tmp_path: Path, way: str
) -> None:
    """A replica, a gateway and an operator, each with its own user: a song, a retry, a dead letter that is replayed, a
    cancellation, the lag and the doctor."""
    users = {role: a_user(secured, way, tmp_path) for role in ("replica", "gateway", "operator")}
    for role, (user, _) in users.items():
        secured.grant(bindings(rights_of(role), guarded.environment, user))
    replica = guarded.start_replica(**users["replica"][1])
    replica.wait_ready()
    operator = users["operator"][1]
    key = guarded.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=1))

    def runs(*command: str) -> str:
        done = guarded.run(*command, **operator)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    runs("request", f"{guarded.source_bucket}/{key}", "--wait")
    guarded.request("missing.wav")
    assert any(not isinstance(outcome, SeparationResult) for outcome in guarded.outcomes(2))
    assert "OBJECT_NOT_FOUND" in runs("dlq", "list")
    place = re.search(r"\b\d+:\d+\b", runs("dlq", "list"))
    assert place
    runs("dlq", "replay", place[0])
    guarded.outcomes(3)
    runs("cancel", "an-id")
    runs("lag")
    with gateway(guarded, **users["gateway"][1]) as door:
        sent = door.http.post("/v1/separations", json={"source": {"bucket": guarded.source_bucket, "key": key}})
        assert sent.status_code == 202, sent.text
        guarded.outcomes(4)
        assert door.http.get(sent.headers["Location"]).is_success
    assert [line for line in replica.lines() if "uthorization" in str(line)] == []


# What a replica notices at its start, or as soon as there is something to do, by the one operation that it lacks.
NEEDED = [
    right
    for right in rights_of("replica")
    if (right.place, right.operation) not in {
        # Missed only where offsets were lost: then /ready says so.
        ("TOPIC_RESULTS", "Read"), ("TOPIC_DEAD_LETTER", "Read"),
        # Missed in a retry, a dead letter, a cancellation or a progress event: told when one comes.
        ("<requests>.retry-n", "Write"), ("TOPIC_DEAD_LETTER", "Write"), ("TOPIC_PROGRESS", "Write"),
    }
]  # fmt: skip


@pytest.mark.attack
@pytest.mark.parametrize("missing", NEEDED, ids=str)
def test_a_right_that_a_replica_lacks_is_named(
    guarded: Platform, secured: SecuredKafka, tmp_path: Path, missing: Right
) -> None:
    """By its last line, or by /ready and the log while it waits: one line with the name of what it may not use."""
    user, settings = a_user(secured, "password", tmp_path)
    left = [right for right in rights_of("replica") if right != missing]
    secured.grant(bindings(left, guarded.environment, user))
    replica = guarded.start_replica(**settings)
    guarded.request(guarded.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=1)))
    words = WORDS.get(missing.kind, "")
    wanted = (words,) if words else names_of(guarded.environment, missing.place)

    def is_told() -> bool:
        refusals = [line for line in replica.log.read_text().splitlines() if REFUSED.search(line)]
        return any(word in line for line in refusals for word in wanted)

    wait_for(is_told, patience_s=90)
    if missing.place != "TOPIC_AUDIT":  # without it work goes on, as AUDIT_REQUIRED says
        assert not any(isinstance(outcome, SeparationResult) for outcome in guarded.read_outcomes())


REFUSED = re.compile(r"refuses access|uthorization failed")
WORDS = {"group": "Read on the group KAFKA_GROUP_ID", "transactional id": "Write on transactional ids"}
