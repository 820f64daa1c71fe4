"""Schemas in a real registry and records in a real topic, made to end whoever reads them: everybody lives."""

import json
from collections.abc import Iterable
from contextlib import closing
from itertools import product
from pathlib import Path

import httpx2
import pytest
from confluent_kafka import Producer

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import Code
from consumer.core.events import DeadLetter, SeparationResult
from harness.avro_attacks import DONE, Attack, attacks, record, with_extra
from harness.clips import write_clip
from harness.gateway import gateway
from harness.platform import Platform
from harness.waiting import wait_for

MUST_BE_IN_IT = {"recursion by name", "doubled 23 times", "doubled 60 times", "an array of 500 nulls each"}
# What keeps the registry itself busy: it is the other tests' too.
SPARED = ("JSON", "objects", "doubled 1000")


def registered(registry: str, text: str, *references: tuple[str, str]) -> int | None:
    """The id under which a real registry takes a stranger's schema; None: it refuses it."""
    subject = f"stranger-{abs(hash((text, references)))}"
    refers = [{"name": name, "subject": subject, "version": 1} for name, subject in references]
    body = {"schema": text, "references": refers}
    answer = httpx2.post(f"{registry}/subjects/{subject}/versions", json=body, timeout=60)
    return int(answer.json()["id"]) if answer.is_success else None


def by_reference(registry: str) -> tuple[Attack, int]:
    """The type in itself lies in a subject of its own."""
    attack = attacks()["recursion by name"]
    node = json.dumps(record("Node", ["null", "Node"], namespace="separation.v1"))
    answer = httpx2.post(f"{registry}/subjects/stranger-node/versions", json={"schema": node}, timeout=60)
    assert answer.is_success
    schema_id = registered(registry, json.dumps(with_extra("Node")), ("separation.v1.Node", "stranger-node"))
    assert schema_id is not None
    return attack, schema_id


def send(platform: Platform, kinds: Iterable[str], values: Iterable[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    for kind, value in product(kinds, values):
        producer.produce(platform.topic(kind), value)
    assert producer.flush(60) == 0


@pytest.mark.attack
@pytest.mark.timeout(600)
def test_schemas_and_records_that_kill_their_readers(platform: Platform, registry: str, tmp_path: Path) -> None:
    """Each is one dead letter with its code; two replicas, the lag's readers, an exporter and a gateway live, know the
    group's lag, and a song is separated behind it all."""
    settings = {"SCHEMA_REGISTRY_URL": registry, "SCHEMA_REGISTRY_AUTO_REGISTER": "true"}
    ids = {
        name: (attack, schema_id)
        for name, attack in attacks().items()
        if not name.startswith(SPARED) and (schema_id := registered(registry, attack.text)) is not None
    } | {"by reference": by_reference(registry)}
    assert ids.keys() >= MUST_BE_IN_IT
    replicas = [platform.start_replica(**settings) for _ in range(2)]
    exporter = platform.start_lag_exporter(**settings)
    for process in (*replicas, exporter):
        process.wait_ready()
    with (
        closing(ConfluentRegistry(registry, {"separation_request": f"{platform.topic('REQUESTS')}-value"})) as own,
        gateway(platform, **settings) as door,
    ):
        platform.codec = AvroCodec(own)
        expected: dict[bytes | None, str] = {}
        for attack, schema_id in ids.values():
            value = b"\0" + schema_id.to_bytes(4, "big") + attack.body
            expected[value] = Code.BUCKET_NOT_ALLOWED if attack.code == DONE else attack.code
        send(platform, ("CONTROL", "PROGRESS", "REQUESTS"), expected)
        assert platform.run("schemas", "register", **settings).returncode == 0
        song = platform.upload(write_clip(tmp_path / "good.mp3", seconds=1.0, seed=1))
        good = platform.request(song)
        outcomes = platform.outcomes(len(expected) + 1)
        letters = [outcome for outcome in outcomes if isinstance(outcome, DeadLetter)]
        assert {letter.original_value: letter.code for letter in letters} == expected
        assert all(letter.message.isprintable() for letter in letters)
        [result] = [outcome for outcome in outcomes if isinstance(outcome, SeparationResult)]
        assert result.request_id == good.request_id

        send(platform, ("RESULTS",), expected)
        later = platform.request(song)

        def is_done() -> bool:
            answer = door.http.get(f"/v1/separations/{later.request_id}")
            return answer.is_success and answer.json()["state"] == "succeeded"

        wait_for(is_done)
        for replica in (*replicas, exporter):
            assert replica.process.poll() is None
            wait_for(lambda replica=replica: sum(replica.gauges("lag_messages").values()) == 0)
            assert not replica.said("lag.reader_died")
            assert not replica.said("partitions.lost")
        for replica in replicas:
            replica.wait_ready()
        lag = platform.run("lag", "--json", **settings)
        assert (lag.returncode, lag.stderr) == (0, "")
