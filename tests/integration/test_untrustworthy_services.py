"""A registry and a store that answer, but not as they should: a replica does not begin, or waits, and says why."""

import json
from contextlib import closing

from consumer.adapters.avro.codec import AvroCodec
from consumer.adapters.registry import ConfluentRegistry
from consumer.core.errors import Code
from consumer.core.events import DeadLetter
from harness.platform import Platform
from harness.store_faults import Fault, Request, StoreFaults
from harness.waiting import wait_for


def test_a_replica_ends_where_its_schemas_are_missing(platform: Platform, registry: str) -> None:
    """One line says which schema, under which subject, and what brings it there; `doctor` says it too."""
    line = f"no schema of separation_result under {platform.topic('RESULTS')}-value: `schemas register` registers it"
    for command in ("run", "doctor"):
        done = platform.run(command, SCHEMA_REGISTRY_URL=registry)
        assert done.returncode == 1
        assert line in (done.stderr.splitlines()[-1] if command == "run" else done.stdout)
    assert platform.run("schemas", "check", SCHEMA_REGISTRY_URL=registry).stdout.count("is new there") == 6
    registered = platform.run("schemas", "register", SCHEMA_REGISTRY_URL=registry)
    assert registered.returncode == 0, registered.stderr
    platform.start_replica(SCHEMA_REGISTRY_URL=registry).wait_ready()


def test_a_registry_that_is_not_believed_makes_work_wait(platform: Platform, registry: str) -> None:
    """A proxy's page in its place is no dead letter: /ready and the log tell of it, and then the request is done."""
    settings = {"SCHEMA_REGISTRY_AUTO_REGISTER": "true", "SCHEMA_REGISTRY_URL": registry}
    upstream = registry.removeprefix("http://").partition("/")[0]
    with closing(ConfluentRegistry(registry, {})) as own, StoreFaults(upstream) as proxy:
        platform.codec = AvroCodec(own)
        through = f"http://{proxy.endpoint}/apis/ccompat/v7"
        replica = platform.start_replica(**{**settings, "SCHEMA_REGISTRY_URL": through})
        replica.wait_ready()

        def page(request: Request) -> Fault | None:
            return Fault(status=404, body=b"404 page not found") if "schemas/ids" in request.key else None

        proxy.fault = page
        sent = platform.run("request", f"{platform.source_bucket}/gone.mp3", "--request-id", "r1", **settings)
        assert sent.returncode == 0, sent.stderr
        told = "the schema registry answered 404, not in its own words"
        wait_for(lambda: (found := replica.get("/ready")) is not None and told in found.text)
        wait_for(lambda: [line for line in replica.lines() if told in json.dumps(line)])
        assert platform.read_outcomes() == []
        proxy.fault = lambda request: None
        [letter] = platform.outcomes(1)
        wait_for(replica.is_ready)
    assert isinstance(letter, DeadLetter)
    assert letter.code == Code.OBJECT_NOT_FOUND


def test_a_store_that_replaces_objects_is_not_worked_with(platform: Platform) -> None:
    """What strips `If-None-Match` on the way ends a replica at its start with one line; `doctor` finds it too."""
    with StoreFaults(platform.environment["MINIO_ENDPOINT"]) as proxy:
        proxy.without = lambda request: frozenset({"if-none-match"})
        line = "MINIO_ENDPOINT: object storage ignores If-None-Match when an object is put"
        done = platform.run("run", MINIO_ENDPOINT=proxy.endpoint)
        assert done.returncode == 1
        assert line in done.stderr.splitlines()[-1]
        told = platform.run("doctor", MINIO_ENDPOINT=proxy.endpoint, MAX_OBJECT_BYTES="1000000")
        assert f"output buckets: {line}" in told.stdout
    assert platform.objects("stems/.probe-") == set()
