"""`schemas` against a real registry, and against folders."""

import copy
import json
from pathlib import Path

import httpx2

from consumer.adapters.avro.codec import load_schema
from consumer.core.events import SCHEMA_FILES
from harness.platform import Platform
from harness.replica_process import ReplicaProcess
from harness.waiting import wait_for

EVENTS = list(SCHEMA_FILES.values())


def later(name: str) -> str:
    """What a writer could have registered that our schema can't read."""
    schema = copy.deepcopy(load_schema(name))
    [field] = [field for field in schema["fields"] if field["name"] == "request_id"]
    field["type"], field["default"] = "long", 0
    return json.dumps(schema)


def test_schemas_are_registered_once_and_checked(platform: Platform, registry: str) -> None:
    """New ones are said to be new, registered ones keep their ids, and what we could not read is found."""
    environment = {"SCHEMA_REGISTRY_URL": registry}
    fresh = platform.run("schemas", "check", **environment)
    assert (fresh.returncode, fresh.stdout.splitlines()) == (0, [f"{name}: is new there" for name in EVENTS])
    first = platform.run("schemas", "register", **environment)
    assert first.returncode == 0, first.stderr
    topics = [platform.topic(kind) for kind in ("REQUESTS", "RESULTS", "DEAD_LETTER", "PROGRESS", "CONTROL", "AUDIT")]
    assert [line.split(": ")[0] for line in first.stdout.splitlines()] == [f"{topic}-value" for topic in topics]
    assert platform.run("schemas", "register", **environment).stdout == first.stdout
    again = platform.run("schemas", "check", **environment)
    assert (again.returncode, again.stdout.splitlines()) == (0, [f"{name}: reads version 1" for name in EVENTS])

    subject = f"{topics[1]}-value"
    assert httpx2.put(f"{registry}/config/{subject}", json={"compatibility": "NONE"}, timeout=60).is_success
    added = httpx2.post(f"{registry}/subjects/{subject}/versions", json={"schema": later(EVENTS[1])}, timeout=60)
    assert added.is_success
    broken = platform.run("schemas", "check", **environment)
    assert broken.returncode == 1
    assert broken.stderr.splitlines() == ["spleeter-consumer: 1 schemas can't read what was written before"]
    assert "separation_result: version 2: reader type: string not compatible with writer type: long" in broken.stdout


def test_a_request_travels_with_registered_schemas(platform: Platform, registry: str) -> None:
    """A real registry serves a whole request: sent, decoded and answered in Confluent's format."""
    environment = {"SCHEMA_REGISTRY_URL": registry, "SCHEMA_REGISTRY_AUTO_REGISTER": "true"}
    replica: ReplicaProcess = platform.start_replica(**environment)
    replica.wait_ready()
    missing = f"{platform.source_bucket}/gone.mp3"
    sent = platform.run("request", missing, "--request-id", "r1", "--wait", **environment)
    assert sent.returncode == 1
    letter = json.loads(sent.stdout)["DeadLetter"]
    assert (letter["request_id"], letter["code"]) == ("r1", "OBJECT_NOT_FOUND")
    wait_for(lambda: platform.lag() == 0)
    assert platform.run("dlq", "list", **environment).stdout.split()[2:4] == ["OBJECT_NOT_FOUND", "r1"]
    doctor = platform.run("doctor", **environment).stdout
    assert "schema registry: OK (" in doctor


def test_schemas_are_checked_against_a_folder(platform: Platform, tmp_path: Path) -> None:
    """Without a registry: what lies there is compared by name, what does not is new, and what is no schema is told."""
    (tmp_path / "separation_request.avsc").write_text(json.dumps(load_schema("separation_request")))
    good = platform.run("schemas", "check", "--against", str(tmp_path))
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[:2] == [
        "separation_request: reads separation_request.avsc", "separation_result: is new there",
    ]  # fmt: skip
    (tmp_path / "dead_letter.avsc").write_text(later("dead_letter"))
    (tmp_path / "audit_event.avsc").write_text('{"type": "thing"}')
    bad = platform.run("schemas", "check", "--against", str(tmp_path))
    assert bad.returncode == 1
    assert bad.stderr.splitlines() == ["spleeter-consumer: 2 schemas can't read what was written before"]
    (tmp_path / "audit_event.avsc").write_text("{")
    torn = platform.run("schemas", "check", "--against", str(tmp_path))
    assert torn.returncode == 1
    assert "audit_event.avsc is not JSON" in torn.stderr.splitlines()[-1]
