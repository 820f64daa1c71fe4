"""Everything works with exactly the rights that docs/security.md lists; without any one of them a line says which."""

import re
import uuid
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from consumer.core.events import OutputOptions, SeparationResult
from harness.clips import write_clip
from harness.gateway import KEY, gateway, start_gateway
from harness.platform import Platform
from harness.rights import Right, bindings, names_of, rights_of
from harness.secured_kafka import SecuredKafka
from harness.waiting import wait_for

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


def ask_for_a_song(platform: Platform, folder: Path) -> None:
    platform.request(platform.upload(write_clip(folder / "song.wav", seconds=1.0, seed=1)))


def ask_for_what_is_not_there(platform: Platform, folder: Path) -> None:
    platform.request("missing.wav")


def ask_for_stems_where_none_can_be(platform: Platform, folder: Path) -> None:
    """In a bucket that is allowed, and not there: that is tried again."""
    key = platform.upload(write_clip(folder / "song.wav", seconds=1.0, seed=1))
    platform.request(key, output=OutputOptions(bucket="is-not-there"))


NOT_A_SONG = {
    ("<requests>.retry-n", "Write"): ask_for_stems_where_none_can_be,
    ("TOPIC_DEAD_LETTER", "Write"): ask_for_what_is_not_there,
}
# Without these work goes on.
LOSSES = ("TOPIC_AUDIT", "TOPIC_PROGRESS")


@pytest.mark.attack
@pytest.mark.parametrize("missing", rights_of("replica"), ids=str)
def test_a_right_that_a_replica_lacks_is_named(
    guarded: Platform, secured: SecuredKafka, tmp_path: Path, missing: Right
) -> None:
    """By its last line, or by the log while it waits or goes on: one line with the name of what it may not use."""
    user, settings = a_user(secured, "password", tmp_path)
    left = [right for right in rights_of("replica") if right != missing]
    secured.grant(bindings(left, guarded.environment, user))
    NOT_A_SONG.get((missing.place, missing.operation), ask_for_a_song)(guarded, tmp_path)
    replica = guarded.start_replica(**settings, ALLOWED_OUTPUT_BUCKETS="is-not-there")
    wait_for(lambda: is_told(guarded, missing, replica.log.read_text()))
    if missing.place not in LOSSES:
        assert not any(isinstance(outcome, SeparationResult) for outcome in guarded.read_outcomes())


def is_told(platform: Platform, missing: Right, text: str) -> bool:
    """Whether some line says that access is refused, to what."""
    words = WORDS.get(missing.kind, "")
    wanted = (words,) if words else names_of(platform.environment, missing.place)
    refusals = [line for line in text.splitlines() if REFUSED.search(line)]
    return any(word in line for line in refusals for word in wanted)


REFUSED = re.compile(r"refuses access|uthorization failed")
WORDS = {
    "group": "Read on the group KAFKA_GROUP_ID", "transactional id": "Write on transactional ids",
    "cluster": "needs that right on the cluster",
}  # fmt: skip


def use_all_of_it(url: str, bucket: str) -> None:
    """Send a job and cancel it, and look at an operator's pages."""
    with httpx2.Client(base_url=url, headers={"X-API-KEY": KEY}, timeout=60) as http:
        sent = http.post("/v1/separations", json={"source": {"bucket": bucket, "key": "song.wav"}})
        http.delete(sent.headers.get("Location", "/v1/separations/none"))
        for page in ("lag", "replicas", "dead-letters"):
            http.get(f"/v1/operator/{page}")


@pytest.mark.attack
@pytest.mark.parametrize("missing", rights_of("gateway"), ids=str)
def test_a_right_that_a_gateway_lacks_is_named(
    shared: Platform, secured: SecuredKafka, tmp_path: Path, missing: Right
) -> None:
    """At its start, or as soon as it is asked for what needs it."""
    user, settings = a_user(secured, "password", tmp_path)
    left = [right for right in rights_of("gateway") if right != missing]
    secured.grant(bindings(left, shared.environment, user))
    process = start_gateway(shared, {**settings, "LOG_LEVEL": "INFO"})

    def is_told_now() -> bool:
        if is_told(shared, missing, process.log.read_text()):
            return True
        if process.is_ready():
            with suppress(httpx2.HTTPError):  # of one that ends meanwhile
                use_all_of_it(f"http://127.0.0.1:{process.port}", shared.source_bucket)
        return is_told(shared, missing, process.log.read_text())

    try:
        wait_for(is_told_now, every_s=0.3)
    finally:
        process.process.kill()
        process.process.wait(30)


COMMANDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("TOPIC_REQUESTS", "Read"): ("lag",),
    ("TOPIC_REQUESTS", "Write"): ("request", "music/song.wav"),
    ("<requests>.retry-n", "Read"): ("lag",),
    ("TOPIC_CONTROL", "Write"): ("cancel", "an-id"),
    ("TOPIC_RESULTS", "Read"): ("watch",),
    ("TOPIC_DEAD_LETTER", "Read"): ("dlq", "list"),
    ("TOPIC_PROGRESS", "Read"): ("watch",),
    ("KAFKA_GROUP_ID", "Read"): ("lag",),
    ("kafka-cluster", "Create"): ("topics", "create"),
}


def an_operator_without(missing: Right, shared: Platform, secured: SecuredKafka, folder: Path) -> dict[str, str]:
    """What its commands are told."""
    user, settings = a_user(secured, "password", folder)
    left = [right for right in rights_of("operator") if right != missing]
    secured.grant(bindings(left, shared.environment, user))
    return settings


@pytest.mark.attack
@pytest.mark.parametrize(
    "missing", [right for right in rights_of("operator") if (right.place, right.operation) in COMMANDS], ids=str
)
def test_a_right_that_an_operator_lacks_is_named(
    shared: Platform, secured: SecuredKafka, tmp_path: Path, missing: Right
) -> None:
    """By one line, with which the command ends."""
    settings = an_operator_without(missing, shared, secured, tmp_path)
    if missing.kind == "cluster":
        settings |= {"TOPIC_REQUESTS": f"{shared.topic('REQUESTS')}-new"}
    done = shared.run(*COMMANDS[missing.place, missing.operation], **settings)
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert is_told(shared, missing, done.stderr), done.stderr


@pytest.mark.attack
def test_what_an_operator_can_do_without_is_told_all_the_same(
    shared: Platform, secured: SecuredKafka, tmp_path: Path
) -> None:
    """That nothing is audited, and that the group keeps the brokers' timing."""
    [audit, timing] = [
        right for right in rights_of("operator") if right.place == "TOPIC_AUDIT" or right.operation == "Alter Configs"
    ]
    cancelled = shared.run("cancel", "an-id", **an_operator_without(audit, shared, secured, tmp_path / "1"))
    assert "audit events could not be written (Broker: Topic authorization failed)" in cancelled.stderr
    made = shared.run("topics", "create", **an_operator_without(timing, shared, secured, tmp_path / "2"))
    group = shared.environment["KAFKA_GROUP_ID"]
    assert f"group {group}: left at the broker's timing (Group authorization failed.)" in made.stdout
