"""Brokers that can't be used, each for another reason: every command's one line says which, and what to change."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives import serialization

from devstack.certificates import make_authority
from devstack.kafka import kafka
from devstack.service import free_port
from harness.clips import write_clip
from harness.platform import Platform, make_platform
from harness.rights import bindings, rights_of
from harness.waiting import wait_for
from tests.conftest import MinioServer

COMMANDS = (
    ("lag",), ("dlq", "list"), ("topics", "create"), ("request", "in/a.mp3"), ("watch", "--count", "1"),
    ("cancel", "an-id"), ("doctor",),
)  # fmt: skip
ALICE = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "alice",
    "KAFKA_SASL_PASSWORD": "right-password",
}  # fmt: skip
BOB = ALICE | {"KAFKA_SASL_USERNAME": "bob", "KAFKA_SASL_PASSWORD": "bobs-password"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """One broker's listeners. plain: anybody's. passwords: alice's and bob's, who has no rights. encrypted: by TLS.
    lost, closed: what it tells those who come that way is a name that nobody knows, or a port where nobody listens.
    """

    plain: str
    passwords: str
    encrypted: str
    lost: str
    closed: str
    authority: Path
    another_authority: Path


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    authority, another = make_authority(folder / "ours", "ours"), make_authority(folder / "theirs", "theirs")
    port, passwords, encrypted, lost, closed = ports = [free_port() for _ in range(5)]
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    users = 'user_alice="right-password" user_bob="bobs-password"'
    tls = f"listener.name.door{encrypted}.ssl.keystore"
    further = {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
        f"DOOR{passwords}:SASL_PLAINTEXT,DOOR{encrypted}:SSL,DOOR{lost}:PLAINTEXT,DOOR{closed}:PLAINTEXT",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},DOOR{passwords}://127.0.0.1:{passwords},"
        f"DOOR{encrypted}://127.0.0.1:{encrypted},DOOR{lost}://no-such-host.invalid:9092,"
        f"DOOR{closed}://127.0.0.1:1",
        "sasl.enabled.mechanisms": "PLAIN",
        f"listener.name.door{passwords}.plain.sasl.jaas.config": f"{module} required {users};",
        f"{tls}.type": "PEM",
        f"{tls}.location": str(_keystore(*authority.issue("kafka", folder / "issued"), folder / "server.pem")),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:alice",
        "group.coordinator.rebalance.protocols": "classic",
    }
    running = kafka(folder / "kafka", port, {door: door for door in ports[1:]}, further=further).start()
    yield Doors(
        plain=f"127.0.0.1:{port}", passwords=f"127.0.0.1:{passwords}", encrypted=f"127.0.0.1:{encrypted}",
        lost=f"127.0.0.1:{lost}", closed=f"127.0.0.1:{closed}",
        authority=authority.path, another_authority=another.path,
    )  # fmt: skip
    running.stop()


@pytest.fixture(scope="module")
def provided(
    doors: Doors, minio: MinioServer, tmp_path_factory: pytest.TempPathFactory, model_path: Path
) -> Iterator[Platform]:
    """A platform that has all that it needs on these brokers: what is missing is no reason for anything then."""
    platform = make_platform(doors.plain, minio.endpoint, tmp_path_factory.mktemp("provided"), model_path)
    yield platform
    platform.close()


def _keystore(certificate: Path, key: Path, path: Path) -> Path:
    """Both in one file, the key as Java takes it."""
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    encoded = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(encoded + certificate.read_bytes())
    return path


TLS = {"KAFKA_SECURITY_PROTOCOL": "SSL"}
# What is wrong: the door, settings, the reason that is told, and what is to be looked at.
WRONG: Mapping[str, tuple[str, Mapping[str, str], str, str]] = {
    "password": ("passwords", ALICE | {"KAFKA_SASL_PASSWORD": "hunter2"},
                 "Authentication failed: Invalid username or password", "KAFKA_SASL_PASSWORD"),
    "user": ("passwords", ALICE | {"KAFKA_SASL_USERNAME": "carol"}, "Invalid username", "KAFKA_SASL_USERNAME"),
    "mechanism": ("passwords", ALICE | {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"},
                  "supported mechanisms: PLAIN", "KAFKA_SASL_MECHANISM"),
    "TLS to plain": ("plain", TLS, "SSL ", "KAFKA_SECURITY_PROTOCOL"),
    "plain to TLS": ("encrypted", {}, "connection closed by peer", "KAFKA_SECURITY_PROTOCOL"),
    "passwords to plain": ("plain", ALICE, "not valid in current SASL state", "KAFKA_SECURITY_PROTOCOL"),
    "plain to passwords": ("passwords", {}, "failed", "KAFKA_SECURITY_PROTOCOL"),
    "another authority": ("encrypted", TLS | {"KAFKA_SSL_CA_LOCATION": "another"},
                          "certificate verify failed", "KAFKA_SSL_CA_LOCATION"),
    "no authority": ("encrypted", TLS, "certificate verify failed", "KAFKA_SSL_CA_LOCATION"),
    "name": ("", {"KAFKA_BOOTSTRAP_SERVERS": "no-such-broker.invalid:9092"},
             "Failed to resolve 'no-such-broker.invalid:9092'", "KAFKA_BOOTSTRAP_SERVERS"),
    "port": ("", {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "Connection refused", "KAFKA_BOOTSTRAP_SERVERS"),
    "advertised name": ("lost", {}, "Failed to resolve 'no-such-host.invalid:9092'", "advertised.listeners"),
    "advertised port": ("closed", {}, "Connection refused", "advertised.listeners"),
    "rights": ("passwords", BOB, "uthorization failed", "KAFKA_SASL_USERNAME"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_each_command_says_why(provided: Platform, doors: Doors, what: str) -> None:
    """One line on standard error, for `doctor` one of its lines: the reason, what to change, and no password."""
    door, given, reason, look_at = WRONG[what]
    settings = {"KAFKA_BOOTSTRAP_SERVERS": getattr(doors, door or "plain"), **given}
    if "KAFKA_SSL_CA_LOCATION" in settings:
        settings["KAFKA_SSL_CA_LOCATION"] = str(doors.another_authority)
    with ThreadPoolExecutor(len(COMMANDS)) as threads:
        runs = list(threads.map(lambda command: provided.run(*command, **settings), COMMANDS))
    for command, done in zip(COMMANDS, runs, strict=True):
        told = done.stdout if command == ("doctor",) else done.stderr
        lines = [line for line in told.splitlines() if command != ("doctor",) or line.startswith("kafka: ")]
        assert (done.returncode, len(lines)) == (1, 1), (command, told)
        if what != "plain to passwords":  # it depends on who comes first: what we sent, or that it hung up
            assert reason in lines[0], command
        assert look_at in lines[0], command
        assert "hunter2" not in done.stdout + done.stderr
        assert "-password" not in done.stdout + done.stderr


def test_who_trusts_the_right_authority_is_let_in(platform: Platform, doors: Doors) -> None:
    """So nothing but the authority was wrong."""
    settings = TLS | {"KAFKA_BOOTSTRAP_SERVERS": doors.encrypted, "KAFKA_SSL_CA_LOCATION": str(doors.authority)}
    created = platform.run("topics", "create", **settings)
    assert created.returncode == 0, created.stderr


@pytest.mark.parametrize("what", ["password", "TLS to plain", "plain to TLS", "advertised name"])
def test_the_exporter_of_the_lag_says_why(platform: Platform, doors: Doors, what: str) -> None:
    """In /ready, and once in the log."""
    door, given, reason, look_at = WRONG[what]
    exporter = platform.start_lag_exporter(**{"KAFKA_BOOTSTRAP_SERVERS": getattr(doors, door), **given})
    wait_for(lambda: (page := exporter.get("/ready")) is not None and reason in page.text and look_at in page.text)
    wait_for(lambda: any(reason in str(line["reason"]) for line in exporter.said("lag.unknown")))


def test_brokers_without_the_groups_protocol_are_named(platform: Platform, doors: Doors) -> None:
    """A replica ends in one line that has the variable; `doctor` says so beforehand; with the other value it works."""
    settings = {"KAFKA_BOOTSTRAP_SERVERS": doors.plain}
    assert platform.run("topics", "create", **settings).returncode == 0
    replica = platform.start_replica(**settings)
    assert replica.process.wait(120) == 1
    assert replica.log.read_text().splitlines()[-1].startswith("spleeter-consumer: KAFKA_GROUP_PROTOCOL: ")
    examined = platform.run("doctor", **settings)
    assert "KAFKA_GROUP_PROTOCOL" in examined.stdout
    platform.start_replica(**settings, KAFKA_GROUP_PROTOCOL="classic").wait_ready()


def test_the_rights_that_are_listed_are_enough(platform: Platform, doors: Doors, tmp_path: Path) -> None:
    """A user who has those of the page on security, and no other, is a replica that does a whole job."""
    plain = {"KAFKA_BOOTSTRAP_SERVERS": doors.plain, "KAFKA_GROUP_PROTOCOL": "classic"}
    assert platform.run("topics", "create", **plain).returncode == 0
    grant(doors.plain, platform)
    replica = platform.start_replica(**plain | BOB | {"KAFKA_BOOTSTRAP_SERVERS": doors.passwords})
    replica.wait_ready()
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=1.0, seed=1))
    done = platform.run("request", f"{platform.source_bucket}/{key}", "--wait", **plain)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in replica.lines() if "uthorization" in str(line)] == []


def grant(bootstrap_servers: str, platform: Platform) -> None:
    """Give bob what docs/security.md lists."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    for answer in admin.create_acls(bindings(rights_of("replica"), platform.environment, "bob")).values():
        answer.result(30)
