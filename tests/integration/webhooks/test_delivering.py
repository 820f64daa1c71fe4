"""Endpoints are told of outcomes: real Kafka, the process that is deployed, and receivers such as strangers run."""

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from consumer.core.events import SeparationResult
from devstack import kafka as kafka_service
from devstack.certificates import make_authority
from devstack.service import free_port
from harness.platform import COMMAND
from harness.waiting import wait_for
from harness.webhooks import Answer, Call, a_secret, an_endpoint, receiver
from tests.integration.webhooks.conftest import QUICKLY_MISSED, Room, stop


def settled(room: Room, *endpoint_ids: str) -> bool:
    return all(room.lag(endpoint_id) == 0 for endpoint_id in endpoint_ids)


def test_a_tenant_is_told_of_its_own_outcomes_alone(room: Room) -> None:
    """Success, failure and cancellation, each once, signed, with nothing in them but what was promised."""
    acme, other, nobody = a_secret(), a_secret(), a_secret()
    with receiver() as there:
        process = room.start(
            an_endpoint("main", there.url("/acme"), acme),
            an_endpoint("other", there.url("/other"), other, tenant="other"),
            an_endpoint("nobody", there.url("/nobody"), nobody, tenant=None),
        )
        [done], [others], [nobodys] = room.succeed(), room.succeed("other"), room.succeed(None)
        failed, cancelled = room.fail("AUDIO_EMPTY"), room.fail("CANCELLED")
        room.fail("REQUEST_INVALID", original=b"none of ours")  # whose it was, nobody can tell
        room.platform.send_to("RESULTS", b"no event", "a stranger's")
        wait_for(lambda: len(there.calls) >= 5 and settled(room, "main", "other", "nobody"))
        stop(process)
    told = {call.request_id: call.verified(acme) for call in there.at("/acme")}
    assert {request_id: said["type"] for request_id, said in told.items()} == {
        done: "separation.succeeded",
        failed: "separation.failed",
        cancelled: "separation.cancelled",
    }
    data = {request_id: said["data"] for request_id, said in told.items()}
    assert data[done] == {"id": done, "tenant": "acme", "state": "succeeded"}
    assert data[failed] == {"id": failed, "tenant": "acme", "state": "failed", "code": "AUDIO_EMPTY"}
    assert data[cancelled] == {"id": cancelled, "tenant": "acme", "state": "cancelled", "code": "CANCELLED"}
    assert (there.told("/other"), there.told("/nobody")) == ([others], [nobodys])
    assert there.at("/nobody")[0].verified(nobody)["data"] == {"id": nobodys, "tenant": None, "state": "succeeded"}
    assert len({call.webhook_id for call in there.calls}) == len(there.calls) == 5
    for event in ("webhook.delivered", "webhooks.started", "webhooks.stopped"):
        assert process.said(event)
    assert "whsec_" not in process.log.read_text()


def test_an_id_is_the_record_s_place(room: Room) -> None:
    """Topic, partition and offset, so that whoever reads the topic finds the same outcome."""
    with receiver() as there:
        process = room.start(an_endpoint("main", there.url("/")))
        room.succeed(count=3)
        wait_for(lambda: len(there.calls) == 3)
        stop(process)
    records = room.platform.read_topic(room.platform.topic("RESULTS"))
    places = {f"{r.topic()}-{r.partition()}-{r.offset()}": (r.key() or b"").decode() for r in records}
    assert {call.webhook_id: call.request_id for call in there.calls} == places


def test_a_new_endpoint_is_told_of_what_comes_and_not_of_what_was(room: Room) -> None:
    """And one that was away is told of all that came meanwhile."""
    with receiver() as there:
        room.succeed(count=5)
        process = room.start(an_endpoint("main", there.url("/")))
        first = room.succeed(count=2)
        wait_for(lambda: sorted(there.told("/")) == sorted(first) and settled(room, "main"))
        stop(process)
        meanwhile = room.succeed(count=4)
        process = room.start()
        wait_for(lambda: sorted(there.told("/")) == sorted(first + meanwhile))
        stop(process)


def test_a_failure_is_tried_again_until_it_is_taken(room: Room) -> None:
    """The repeat has the same id and body, and a signature of its own time; others are not held up by it."""
    secret, poison = a_secret(), threading.Event()

    def answer(call: Call, before: int) -> Answer:
        if poison.is_set():
            return Answer()
        return Answer(status=500) if call.request_id in hard else Answer(status=(503, 200)[min(before, 1)])

    hard: list[str] = []
    with receiver(answer) as there:
        process = room.start(an_endpoint("main", there.url("/"), secret))
        hard += room.succeed()
        easy = room.succeed(count=3)
        # The first may have come before its id was known here.
        wait_for(lambda: all(there.told("/").count(request_id) >= 2 for request_id in [*hard, *easy]))
        assert set(there.told("/")) == {*hard, *easy}
        poison.set()
        wait_for(lambda: settled(room, "main"))
        stop(process)
    for request_id in [*hard, *easy]:
        calls = [call for call in there.calls if call.request_id == request_id]
        assert len(calls) >= 2
        assert len({(call.webhook_id, call.body) for call in calls}) == 1
        assert all(call.verified(secret) for call in calls)
    assert {str(line["reason"]) for line in process.said("webhook.failed")} == {"it answered 500", "it answered 503"}


@pytest.mark.parametrize("kind", ["down", "silent", "redirecting", "refused"])
def test_an_endpoint_that_does_not_take_anything_holds_up_no_other(room: Room, kind: str) -> None:
    """Nobody listens; nobody answers; it leads elsewhere; its name leads to an address that may not be called."""
    release = threading.Event()

    def answer(call: Call, _: int) -> Answer:
        if call.path == "/silent":
            release.wait(300)
        return Answer(status=302, headers={"Location": "/stolen"}) if call.path == "/redirecting" else Answer()

    with receiver(answer) as there:
        bad = {
            "down": f"http://localhost:{free_port()}/",
            "silent": there.url("/silent"),
            "redirecting": there.url("/redirecting"),
            "refused": f"http://[::1]:{there.port}/",
        }[kind]
        endpoints = an_endpoint("bad", bad), an_endpoint("good", there.url("/good"))
        # Long enough for what does answer, on a busy machine too, but for the one that is to be waited for.
        process = room.start(*endpoints, WEBHOOKS_TIMEOUT_S="10s" if kind == "silent" else "60s")
        sent = room.succeed(count=300)
        wait_for(lambda: sorted(there.told("/good")) == sorted(sent) and settled(room, "good"))
        wait_for(lambda: process.said("webhook.failed"))
        assert room.lag("bad") == 300
        assert metric(process.get("/metrics").text, 'oldest_undelivered_seconds{endpoint="bad"}') > 0  # type: ignore[union-attr]
        assert metric(process.get("/metrics").text, 'oldest_undelivered_seconds{endpoint="good"}') == 0  # type: ignore[union-attr]
        release.set()
        stop(process)
    assert there.told("/stolen") == []
    reason = {
        "down": "Connection refused",
        "silent": "timed out",
        "redirecting": "it answered 302",
        "refused": "its name leads to an address that may not be called",
    }[kind]
    assert {line["reason"] for line in process.said("webhook.failed")} == {reason}


def metric(page: str, name: str) -> float:
    [value] = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(f"separation_webhook_{name}")]
    return float(value)


def test_what_was_held_up_is_delivered_once_the_receiver_is_back(room: Room) -> None:
    """More than may wait in memory, each exactly once, whatever the process is ended by meanwhile."""
    port = free_port()
    endpoint = an_endpoint("main", f"http://localhost:{port}/")
    process = room.start(endpoint, **QUICKLY_MISSED)
    sent = room.succeed(count=400)
    wait_for(lambda: process.said("webhook.failed"))
    stop(process)
    process = room.start(**QUICKLY_MISSED)
    wait_for(lambda: process.said("webhook.failed"))
    process.process.kill()
    process.process.wait(60)
    process = room.start(**QUICKLY_MISSED)
    with receiver(port=port) as there:
        wait_for(lambda: set(there.told("/")) >= set(sent) and settled(room, "main"))
        stop(process)
    assert sorted(there.told("/")) == sorted(sent)


def test_a_restart_in_the_middle_loses_nothing_and_repeats_are_recognised(room: Room) -> None:
    """The process is killed while calls are under way: all is told, and what is told again has the id that it had."""
    killed = threading.Event()

    def answer(call: Call, _: int) -> Answer:
        return Answer(status=200 if killed.is_set() or int(call.request_id[0], 16) % 2 else 500)

    with receiver(answer) as there:
        process = room.start(an_endpoint("main", there.url("/")), **QUICKLY_MISSED)
        sent = room.succeed(count=100)
        wait_for(lambda: len(there.calls) > 60)
        process.process.kill()
        process.process.wait(60)
        killed.set()
        process = room.start(**QUICKLY_MISSED)
        wait_for(lambda: settled(room, "main"))
        stop(process)
    assert set(there.told("/")) == set(sent)
    by_id = {call.webhook_id: call.request_id for call in there.calls}
    assert len(by_id) == len(sent)


def test_a_stop_repeats_nothing_that_was_delivered(room: Room) -> None:
    """Behind a record that is never taken, what was delivered is not delivered again by whoever comes after."""

    def answer(call: Call, _: int) -> Answer:
        return Answer(status=500 if call.request_id == hard[0] else 200)

    hard: list[str] = []
    with receiver(answer) as there:
        process = room.start(an_endpoint("main", there.url("/")))
        hard += room.succeed()
        easy = room.succeed(count=60)
        wait_for(lambda: set(there.told("/")) == {*hard, *easy})
        stop(process)
        process = room.start()
        before = there.told("/").count(hard[0])
        wait_for(lambda: there.told("/").count(hard[0]) > before)
        later = room.succeed(count=5)
        wait_for(lambda: set(later) <= set(there.told("/")))
        stop(process)
    assert sorted(i for i in there.told("/") if i != hard[0]) == sorted(easy + later)


def test_what_fails_for_too_long_is_given_up(room: Room) -> None:
    """With a line, counted, and never tried again."""

    def answer(call: Call, _: int) -> Answer:
        return Answer(status=500 if call.request_id == hard[0] else 200)

    hard: list[str] = []
    with receiver(answer) as there:
        process = room.start(an_endpoint("main", there.url("/")), WEBHOOKS_GIVE_UP_AFTER_S="2s")
        hard += room.succeed()
        wait_for(lambda: process.said("webhook.given_up") and settled(room, "main"))
        tried = there.told("/").count(hard[0])
        room.succeed(count=3)
        wait_for(lambda: len(set(there.told("/"))) == 4)
        assert metric(process.get("/metrics").text, 'attempts_total{outcome="given_up"}') == 1  # type: ignore[union-attr]
        stop(process)
    assert there.told("/").count(hard[0]) == tried >= 2
    [line] = process.said("webhook.given_up")
    assert (line["endpoint"], line["reason"], line["attempts"]) == ("main", "it answered 500", tried)


def test_gone_ends_an_endpoint_until_it_is_changed(room: Room) -> None:
    """410 is heard once, also by the next process; with another secret it goes on where it stopped."""
    answers = {"status": 410}
    with receiver(lambda *_: Answer(status=answers["status"])) as there:
        entry = an_endpoint("main", there.url("/"))
        process = room.start(entry)
        missed = room.succeed()
        wait_for(lambda: process.said("endpoint.gone"))
        missed += room.succeed(count=3)
        stop(process)
        answers["status"] = 200
        process = room.start()
        wait_for(lambda: process.said("endpoint.gone"))
        assert "main" in json.loads(process.get("/ready").text)["checks"]["endpoints"]  # type: ignore[union-attr]
        assert len(there.calls) == 1
        room.write({**entry, "secrets": [a_secret()]})
        wait_for(lambda: set(there.told("/")) == set(missed) and settled(room, "main"))
        assert "endpoints" not in json.loads(process.get("/ready").text)["checks"]  # type: ignore[union-attr]
        stop(process)
        # and what was gone is forgotten: the same entry as at first is told again
        process = room.start(entry)
        again = room.succeed()
        wait_for(lambda: set(again) <= set(there.told("/")))
        stop(process)


def test_a_file_that_changes_is_followed(room: Room) -> None:
    """Secrets are rotated, endpoints come and go, and a broken version changes nothing but one line of the log."""
    old, new = a_secret(), a_secret()
    with receiver() as there:
        process = room.start(an_endpoint("main", there.url("/a"), old))
        room.succeed()
        wait_for(lambda: len(there.at("/a")) == 1)
        room.write(an_endpoint("main", there.url("/b"), new, old))
        wait_for(lambda: process.said("endpoints.read"))
        room.succeed()
        wait_for(lambda: len(there.at("/b")) == 1)
        for secret in (old, new):
            assert there.at("/b")[0].verified(secret)
        room.file.write_text('{"version": 1, "endpoints": [{"id": "main", "secrets": ["whsec_very_secret"]}]}')
        wait_for(lambda: process.said("endpoints.unreadable"))
        room.succeed()
        wait_for(lambda: len(there.at("/b")) == 2)
        assert "WEBHOOKS_FILE" in json.loads(process.get("/ready").text)["checks"]["endpoints"]  # type: ignore[union-attr]
        room.write(an_endpoint("second", there.url("/c"), new))
        wait_for(lambda: len(process.said("endpoints.read")) == 2 and process.is_ready())
        wait_for(lambda: room.lag("second") == 0)
        [last] = room.succeed()
        wait_for(lambda: there.told("/c") == [last])
        assert (len(there.at("/a")), len(there.at("/b"))) == (1, 2)
        stop(process)
    assert "very_secret" not in process.log.read_text()


def test_an_aborted_outcome_is_never_told(room: Room) -> None:
    """What a replica took back did not happen; what it committed is told, and nothing waits behind the markers."""
    with receiver() as there:
        process = room.start(an_endpoint("main", there.url("/")))
        producer = Producer({"bootstrap.servers": room.platform.bootstrap_servers, "transactional.id": room.file.name})
        producer.init_transactions(60)
        [aborted, committed] = ["1" * 32, "2" * 32]
        for request_id, end in ((aborted, producer.abort_transaction), (committed, producer.commit_transaction)):
            producer.begin_transaction()
            value = room.platform.codec.encode(SeparationResult(request_id=request_id, tenant="acme"))
            producer.produce(room.platform.topic("RESULTS"), value, request_id.encode())
            producer.flush(30)
            end(30)
        wait_for(lambda: there.told("/") and settled(room, "main"))
        stop(process)
    assert there.told("/") == [committed]
    said: Mapping[str, object] = json.loads(there.calls[0].body)
    assert str(said["timestamp"]).startswith("20")  # the record's time, where the event says none


def test_two_processes_share_the_work(room: Room) -> None:
    """Each outcome is told; where one of the two dies, the other goes on."""
    with receiver() as there:
        entry = an_endpoint("main", there.url("/"))
        one, other = room.start(entry, **QUICKLY_MISSED), room.start(**QUICKLY_MISSED)
        sent = room.succeed(count=50)
        wait_for(lambda: set(there.told("/")) == set(sent))
        one.process.kill()
        one.process.wait(60)
        sent += room.succeed(count=20)
        wait_for(lambda: set(there.told("/")) == set(sent) and settled(room, "main"))
        stop(other)


def test_by_https_the_receiver_s_certificate_counts(room: Room, tmp_path: Path) -> None:
    """SSL_CERT_FILE says who is trusted; plain http is not even read from the file, unless it is allowed."""
    authority = make_authority(tmp_path / "authority", "an authority")
    certificate = authority.issue("localhost", tmp_path / "server")
    with receiver(certificate=certificate) as there:
        process = room.start(
            an_endpoint("main", there.url("/")), SSL_CERT_FILE=str(authority.path), WEBHOOKS_ALLOW_HTTP="false"
        )
        sent = room.succeed()
        wait_for(lambda: there.told("/") == sent)
        stop(process)
    room.write(an_endpoint("main", "http://localhost/"))
    refused = room.platform.run("webhooks", WEBHOOKS_FILE=str(room.file))
    assert refused.returncode == 1
    assert refused.stderr.startswith("spleeter-consumer: WEBHOOKS_FILE: the file has an endpoint without https, main")
    assert refused.stderr.count("\n") == 1


def test_brokers_that_go_away_are_waited_for(room: Room, tmp_path: Path) -> None:
    """The process lives through an outage, says so on /ready, and goes on; what it delivers meanwhile is not lost."""
    port = free_port()
    service = kafka_service.kafka(tmp_path / "kafka", port)
    running = service.start()
    environment = {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}"}
    away = replace_platform(room, environment)
    assert away.platform.run("topics", "create", "--partitions", "2").returncode == 0
    with receiver() as there:
        process = away.start(an_endpoint("main", there.url("/")))
        sent = away.succeed(count=5)
        wait_for(lambda: sorted(there.told("/")) == sorted(sent))
        running.stop()
        wait_for(lambda: not process.is_ready())
        assert process.get("/health").status_code == 200  # type: ignore[union-attr]
        running = service.start()
        sent += away.succeed(count=5)
        wait_for(lambda: set(there.told("/")) == set(sent) and settled(away, "main") and process.is_ready())
        stop(process)
    running.stop()


def replace_platform(room: Room, environment: Mapping[str, str]) -> Room:
    """The same room on other brokers."""
    platform = replace(
        room.platform,
        bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"],
        environment={**room.platform.environment, **environment},
    )
    return Room(platform=platform, file=room.file)


def test_partitions_that_are_added_later_are_read_from_their_beginning(room: Room) -> None:
    """Nothing that lies in them is passed over as if it were from before the endpoint's time."""
    topic = room.platform.topic("RESULTS")
    with receiver() as there:
        process = room.start(an_endpoint("main", there.url("/")), KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS="1000")
        admin = AdminClient({"bootstrap.servers": room.platform.bootstrap_servers})
        admin.create_partitions([NewPartitions(topic, 6)])[topic].result(30)
        wait_for(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 6)
        sent = room.succeed(count=60)
        wait_for(lambda: sorted(there.told("/")) == sorted(sent))
        stop(process)
    records = room.platform.read_topic(topic)
    assert {record.partition() for record in records} > {0, 1, 2}


def test_topics_that_are_missing_are_named(room: Room) -> None:
    """Until they are there, /ready says which."""
    with receiver() as there:
        room.write(an_endpoint("main", there.url("/")))
        environment = {"WEBHOOKS_FILE": str(room.file), "TOPIC_RESULTS": "missing.topic", "WEBHOOKS_ALLOW_HTTP": "true"}
        process = room.platform.start_process([*COMMAND, "webhooks"], environment)
        wait_for(lambda: (page := process.get("/ready")) is not None and "missing.topic" in page.text)
        stop(process)
    assert "missing.topic" in str(process.said("endpoint.trouble")[0]["reason"])
