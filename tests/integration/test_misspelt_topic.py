"""A topic's name that is misspelt: no command but `topics create` makes a topic, whatever the broker would do."""

import time

import pytest
from confluent_kafka.admin import AdminClient

from harness.platform import Platform

COMMANDS = [
    (("request", "in/a.mp3"), "REQUESTS"),
    (("request", "in/a.mp3", "--wait", "--timeout-s", "5"), "REQUESTS"),
    (("request", "in/a.mp3", "--wait", "--timeout-s", "5"), "RESULTS"),
    (("cancel", "r1"), "CONTROL"),
    (("watch", "--count", "1"), "PROGRESS"),
    (("dlq", "list"), "DEAD_LETTER"),
]


@pytest.mark.parametrize(("command", "kind"), COMMANDS, ids=lambda part: part if isinstance(part, str) else part[0])
def test_no_command_makes_a_topic(platform: Platform, command: tuple[str, ...], kind: str) -> None:
    """One line says what is wrong, exit code 1, and there is no such topic afterwards."""
    name = f"{platform.topic(kind)}-misspelt"
    done = platform.run(*command, **{f"TOPIC_{kind}": name})
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("spleeter-consumer: ")
    if kind in ("REQUESTS", "CONTROL"):
        assert f"topic {name}: " in line
    assert done.stdout == ""
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers, "allow.auto.create.topics": False})
    for _ in range(5):  # a topic that is being made is listed a moment later
        assert name not in admin.list_topics(timeout=10).topics
        time.sleep(0.2)
