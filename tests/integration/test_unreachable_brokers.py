"""Brokers that are there and can't be used: librdkafka's own reason is told, by commands and by a replica."""

from collections.abc import Iterator

import pytest

from devstack.kafka import kafka
from devstack.service import free_port
from harness.platform import Platform
from harness.waiting import wait_for

PLAIN = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "alice",
    "KAFKA_SASL_PASSWORD": "right",
}  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker's door that lets in alice alone, with the mechanism PLAIN."""
    port, door = free_port(), free_port()
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    further = {
        "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,DOOR{door}:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        f"listener.name.door{door}.plain.sasl.jaas.config": f'{module} required user_alice="right";',
    }
    running = kafka(tmp_path_factory.mktemp("guarded"), port, {door: door}, further=further).start()
    yield f"127.0.0.1:{door}"
    running.stop()


WRONG = {
    "password": (PLAIN | {"KAFKA_SASL_PASSWORD": "hunter2"}, "Authentication failed"),
    "mechanism": (PLAIN | {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"}, "mechanism"),
    "TLS": ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "SSL handshake failed"),
    "name": (PLAIN | {"KAFKA_BOOTSTRAP_SERVERS": "no-such-broker.invalid:9092"}, "Failed to resolve"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("command", [("request", "in/a.mp3"), ("watch", "--count", "1"), ("doctor",)], ids=" ".join)
def test_a_command_says_why(platform: Platform, guarded: str, what: str, command: tuple[str, ...]) -> None:
    """One line has the variable to look at and librdkafka's reason, and no password."""
    settings, reason = WRONG[what]
    done = platform.run(*command, **{"KAFKA_BOOTSTRAP_SERVERS": guarded, **settings})
    assert done.returncode == 1
    [line] = [line for line in (done.stdout + done.stderr).splitlines() if "KAFKA_BOOTSTRAP_SERVERS" in line]
    assert reason in line
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("what", WRONG)
def test_a_replica_says_why(platform: Platform, guarded: str, what: str) -> None:
    """/ready and the log have the reason while it waits."""
    settings, reason = WRONG[what]
    replica = platform.start_replica(**{"KAFKA_BOOTSTRAP_SERVERS": guarded, **settings})
    wait_for(lambda: (page := replica.get("/ready")) is not None and reason in page.text)
    wait_for(lambda: any(reason in str(line["reason"]) for line in replica.said("dependency.away")))
    assert "hunter2" not in replica.log.read_text()


def test_who_is_let_in_is_told_nothing(platform: Platform, guarded: str) -> None:
    """The same door with the right password."""
    created = platform.run("topics", "create", **{"KAFKA_BOOTSTRAP_SERVERS": guarded, **PLAIN})
    assert created.returncode == 0, created.stderr
