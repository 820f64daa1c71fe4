"""What the page on webhooks shows works as it stands there."""

import json
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from consumer.webhooks.endpoints import FollowedEndpoints
from consumer.webhooks.signing import key_of, signed_headers
from devstack.build import kafka_libs
from harness.pages import DOCS, blocks, commands
from harness.waiting import wait_for
from harness.webhooks import Answer, Call, a_secret, an_endpoint, receiver
from tests.integration.webhooks.conftest import Room, stop

PAGE = DOCS / "webhooks.md"


def test_the_page_s_file_body_and_receiver_go_together(tmp_path: Path) -> None:
    """The file is taken; the receiver verifies what its secret signed, knows a repeat, and refuses a forgery."""
    content, body = blocks(PAGE, "json")
    (tmp_path / "file").write_text(content)
    [endpoint] = FollowedEndpoints(tmp_path / "file", allow_http=False).now().values()
    names: dict[str, Callable[..., int]] = {}
    [code] = blocks(PAGE, "python")
    exec(compile(code, str(PAGE), "exec"), names)
    now_s = int(datetime.now(UTC).timestamp())
    headers = dict(signed_headers("separation.results-0-1", now_s, body.encode(), [a_secret(), *endpoint.secrets]))
    seen: set[str] = set()
    for _ in range(2):
        assert names["receive"](headers, body.encode(), seen) == 204
    assert seen == {"separation.results-0-1"}
    with pytest.raises(WebhookVerificationError):
        names["receive"](headers, body.replace("succeeded", "cancelled").encode(), seen)


def test_the_page_s_body_is_what_is_sent(room: Room) -> None:
    """The same fields, nothing more and nothing less, and times in the same form."""
    _, body = blocks(PAGE, "json")
    with receiver() as there:
        process = room.start(an_endpoint("main", there.url("/")))
        room.succeed()
        wait_for(lambda: there.calls)
        stop(process)
    shown, sent = json.loads(body), json.loads(there.calls[0].body)
    assert sent.keys() == shown.keys()
    assert sent["data"].keys() == shown["data"].keys()
    assert shown["timestamp"].endswith("Z")
    assert sent["timestamp"].endswith("Z")


def test_the_page_makes_secrets() -> None:
    """Of 32 bytes, each another one."""
    [command] = [command for command in commands(PAGE) if command.startswith("echo")]
    made = [
        subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
        for _ in range(2)
    ]
    keys = [key_of(each.stdout.strip()) for each in made]
    assert [len(key) for key in keys] == [32, 32]
    assert keys[0] != keys[1]


def test_an_endpoint_is_told_again_by_kafka_s_own_tool(room: Room) -> None:
    """As the page says: out of the file, the group's offsets back, in again; the ids are those of the first time."""
    [command] = [command for command in commands(PAGE) if command.startswith("kafka-consumer-groups.sh")]
    words = [
        {
            "$KAFKA_BOOTSTRAP_SERVERS": room.platform.bootstrap_servers,
            "spleeter-consumer-webhooks-acme-main": room.group("acme-main"),
            "separation.results": room.platform.topic("RESULTS"),
            "separation.dead-letter": room.platform.topic("DEAD_LETTER"),
            "2026-11-28T00:00:00.000": "2020-01-01T00:00:00.000",
        }.get(word, word)
        for word in shlex.split(command)[1:]
    ]
    tool = ["java", "-cp", f"{kafka_libs()}/*", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"]
    other = {"is_broken": True}

    def answer(call: Call, before: int) -> Answer:
        return Answer(status=500 if other["is_broken"] and before == 0 else 200)

    with receiver(answer) as there:
        endpoint = an_endpoint("acme-main", there.url("/"))
        process = room.start(endpoint, an_endpoint("other", there.url("/other"), tenant="other"))
        sent = [*room.succeed(count=10), room.fail("AUDIO_EMPTY")]
        wait_for(lambda: len(there.calls) == 22 and room.lag("acme-main") == 0)
        other["is_broken"] = False
        room.write(an_endpoint("other", there.url("/other"), tenant="other"))

        def goes_back() -> bool:
            ran = subprocess.run([*tool, *words], capture_output=True, text=True, timeout=120, check=False)
            return ran.returncode == 0 and "Error" not in ran.stdout + ran.stderr

        wait_for(goes_back, every_s=2.0)
        room.write(endpoint)
        wait_for(lambda: len(there.calls) == 33 and room.lag("acme-main") == 0)
        stop(process)
    assert sorted(there.told("/")) == sorted(sent * 3)
    assert len({call.webhook_id for call in there.calls}) == 11
