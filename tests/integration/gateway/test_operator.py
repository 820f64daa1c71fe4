"""What operators see and do by HTTP, of all tenants, on the real stack; and that nobody else does."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from consumer.core.events import DeadLetter, Header
from harness.gateway import Gateway, gateway
from harness.platform import Platform
from harness.waiting import wait_for

SESSION_S = 60.0  # the most that brokers allow: long enough to look at who hangs
HOSTILE = "\u202e<img src=x onerror=alert(1)>\x00"
GRAFANA, TRACES = "https://grafana.example/d/separation", "https://traces.example/trace/{trace_id}"


@pytest.fixture
def keys(platform: Platform) -> dict[str, str]:
    """Of a tenant, and of an operator who may do nothing else."""
    file = str(platform.folder / "keys.json")
    options = {"acme": ("--tenant", "acme"), "operator": ("--scope", "operate")}
    return {
        name: platform.run("keys", "create", name, "--file", file, *more).stdout.strip()
        for name, more in options.items()
    }


@pytest.fixture
def door(platform: Platform, keys: dict[str, str]) -> Iterator[Gateway]:
    """A gateway that knows these keys."""
    settings = {"API_KEYS_FILE": str(platform.folder / "keys.json"), "GRAFANA_URL": GRAFANA, "TRACES_URL": TRACES}
    with gateway(platform, **settings) as running:
        yield running


@pytest.fixture
def operator(door: Gateway, keys: dict[str, str]) -> Iterator[httpx2.Client]:
    with door.client(**{"X-API-KEY": keys["operator"]}) as client:
        yield client


@pytest.fixture
def tenant(door: Gateway, keys: dict[str, str]) -> Iterator[httpx2.Client]:
    with door.client(**{"X-API-KEY": keys["acme"]}) as client:
        yield client


def items(client: httpx2.Client, page: str, **parameters: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/operator/{page}", params=parameters)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def a_letter(platform: Platform, **fields: Any) -> DeadLetter:
    """One whose record is a request that can be sent again, but for `fields`."""
    request = platform.a_request("none.mp3", tenant="acme", metadata={"title": HOSTILE})
    standard: dict[str, Any] = {
        "request_id": request.request_id, "code": "OBJECT_NOT_FOUND", "message": HOSTILE, "stage": "fetch",
        "original_key": request.request_id.encode(), "original_value": platform.codec.encode(request),
        "topic": platform.topic("REQUESTS"), "partition": 0, "offset": 0, "failed_at": datetime.now(UTC),
    }  # fmt: skip
    return DeadLetter(**standard | fields)


def test_who_waits_is_seen_and_cancelled(platform: Platform, operator: httpx2.Client, tenant: httpx2.Client) -> None:
    """Each tenant's job, its partition as the worst with the reason, the hour; and it can be cancelled."""
    body = {"source": {"bucket": platform.source_bucket, "key": "none.mp3"}}
    accepted = tenant.post("/v1/separations", json=body)
    job, (_, partition, offset) = accepted.json()["id"], accepted.headers["separation-position"].rsplit(":", 2)
    worst, *others = items(operator, "partitions")
    where = (worst["topic"], worst["partition"])
    assert where == (platform.topic("REQUESTS"), int(partition))
    assert (worst["messages"], worst["standing"], worst["owner"]) == (1, "nobody", None)
    assert {each["standing"] for each in others} == {"clear"}
    [waiting] = items(operator, "jobs")
    assert {name: waiting[name] for name in ("id", "tenant", "state", "partition", "offset")} == {
        "id": job, "tenant": "acme", "state": "queued", "partition": int(partition), "offset": int(offset)
    }  # fmt: skip
    history = operator.get("/v1/operator/history").json()
    assert history["samples"][-1]["messages"] == 1
    assert history["begins_at"] == history["samples"][0]["at"]
    assert (history["has_read_all"], len(history["minutes"]), history["codes"]) == (True, 60, {})
    assert operator.get("/v1/operator/links").json() == {"grafana": GRAFANA, "traces": TRACES}

    place = f"/v1/operator/jobs/{job}/cancel"
    asked = operator.post(place)
    assert (asked.status_code, asked.json()) == (202, {"id": job, "state": "queued"})
    assert operator.post("/v1/operator/jobs/unknown/cancel").status_code == 404
    platform.start_replica()
    platform.outcomes(1)
    assert tenant.get(f"/v1/separations/{job}", headers={"Prefer": "wait=60"}).json()["state"] == "cancelled"
    assert (operator.post(place).status_code, items(operator, "jobs")) == (200, [])
    wait_for(lambda: operator.get("/v1/operator/history").json()["codes"] == {"CANCELLED": 1})

    def acts() -> list[tuple[str, str | None, str]]:
        found = [event for event in platform.audit_events() if event.action == "separation.cancel_requested"]
        return sorted((act.outcome, act.request_id, act.details.get("reason", "")) for act in found)

    wait_for(lambda: acts() == [("denied", "unknown", "NOT_FOUND"), ("success", job, ""), ("success", job, "")])
    for method, page in (
        ("GET", "partitions"), ("GET", "jobs"), ("GET", "history"), ("GET", "links"), ("GET", "dead-letters/0:0"),
        ("POST", "dead-letters/0:0/replay"), ("POST", f"jobs/{job}/cancel"),
    ):  # fmt: skip
        refused = tenant.request(method, f"/v1/operator/{page}")
        assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING"), page


def is_missed_after(platform: Platform, silent_s: float) -> None:
    """By the brokers, a member of the platform's group that says nothing."""
    entry = ConfigEntry(
        "consumer.session.timeout.ms", str(round(1000 * silent_s)), incremental_operation=AlterConfigOpType.SET
    )
    group = ConfigResource(ResourceType.GROUP, platform.environment["KAFKA_GROUP_ID"], incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": platform.bootstrap_servers})
    admin.incremental_alter_configs([group])[group].result(30)  # which is lost where nobody holds the client


def test_a_replica_that_hangs(platform: Platform, operator: httpx2.Client) -> None:
    """Its partition is stuck, and named first with the replica that has it."""
    is_missed_after(platform, SESSION_S)
    hangs = platform.start_replica()
    requests = platform.topic("REQUESTS")
    wait_for(lambda: {each["owner"] for each in items(operator, "partitions")} == {"replica-1"})
    os.kill(hangs.process.pid, signal.SIGSTOP)
    try:
        producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
        request, long_ago_ms = platform.a_request("none.mp3"), round((time.time() - 600) * 1000)
        producer.produce(requests, platform.codec.encode(request), partition=4, timestamp=long_ago_ms)
        assert producer.flush(30) == 0
        worst: list[dict[str, Any]] = []

        def is_seen() -> bool:
            worst[:] = items(operator, "partitions")
            return bool(worst[0]["messages"])

        wait_for(is_seen)
    finally:
        os.kill(hangs.process.pid, signal.SIGCONT)
    told = {name: worst[0][name] for name in ("topic", "partition", "messages", "standing", "owner")}
    assert told == {
        "topic": requests, "partition": 4, "messages": 1, "standing": "stuck", "owner": "replica-1"
    }  # fmt: skip
    assert worst[0]["seconds"] >= 600
    assert {each["standing"] for each in worst[1:]} == {"clear"}


def test_a_partition_that_a_sender_s_transaction_holds(platform: Platform, operator: httpx2.Client) -> None:
    """It is told for how long, though no record of it is counted; the hour's outcomes are known to a later gateway."""
    producer = Producer({
        "bootstrap.servers": platform.bootstrap_servers, "transactional.id": "sender",
        "transaction.timeout.ms": 600_000,  # the broker does not end it, however long this takes
    })  # fmt: skip
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(platform.topic("REQUESTS"), b"x", partition=3)
    producer.flush(30)
    platform.send_to("DEAD_LETTER", platform.codec.encode(a_letter(platform, code="MADE_UP")))

    def third() -> dict[str, Any]:
        return next(
            each
            for each in items(operator, "partitions")
            if (each["topic"], each["partition"]) == (platform.topic("REQUESTS"), 3)
        )

    wait_for(lambda: third()["held_seconds"] > 2)
    assert (third()["messages"], third()["held"]) == (0, 1)
    producer.abort_transaction(30)
    wait_for(lambda: (third()["held"], third()["held_seconds"]) == (0, 0))
    with gateway(platform) as later:
        history = later.http.get("/v1/operator/history").json()
    assert (history["samples"], history["begins_at"]) == ([], None)
    assert (history["codes"], sum(minute["failed"] for minute in history["minutes"])) == ({"OTHER": 1}, 1)


def test_dead_letters_are_shown_and_sent_again(platform: Platform, operator: httpx2.Client) -> None:
    """The record decoded; a dry run sends nothing and tells what it would; a replay sends it; all is on the trail."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = (
        Header(key="traceparent", value=f"00-{trace}-00f067aa0ba902b7-01".encode()),
        Header(key="raw", value=b"\xff"),
    )
    sent = a_letter(platform, original_headers=headers)
    platform.send_to("DEAD_LETTER", platform.codec.encode(sent))
    [letter] = items(operator, "dead-letters")
    place = f"/v1/operator/dead-letters/{letter['place']}"
    shown = operator.get(place).json()
    assert shown["message"] == HOSTILE
    assert (shown["request"]["tenant"], shown["request"]["metadata"]) == ("acme", {"title": HOSTILE})
    assert (shown["value_bytes"], shown["key"]["text"]) == (len(sent.original_value or b""), sent.request_id)
    assert (shown["headers"][1]["value"], shown["trace_id"]) == ({"size_bytes": 1, "text": None}, trace)

    plan = operator.post(f"{place}/replay", params={"dry_run": "true"})
    assert plan.status_code == 200
    assert (plan.json()["would_send"], plan.json()["topic"]) == (True, platform.topic("REQUESTS"))
    assert plan.json()["headers"] == ["traceparent", "raw", "separation-replays"]
    assert platform.requests() == []
    assert operator.post(f"{place}/replay", params={"dry_run": "perhaps"}).status_code == 422
    assert operator.post(f"{place}/replay").status_code == 202
    [record] = platform.requests()
    assert (record.value(), record.key()) == (sent.original_value, sent.original_key)
    acts = [event for event in platform.audit_events() if event.action.startswith("dead_letter.")]
    assert [(act.action, act.outcome, act.request_id) for act in acts] == [
        ("dead_letter.shown", "success", sent.request_id), ("dead_letter.shown", "success", sent.request_id),
        ("dead_letter.replayed", "success", sent.request_id),
    ]  # fmt: skip


def test_dead_letters_of_strangers(one_partition: Platform) -> None:
    """What is none is 404, what can't be sent says why, and nothing that they hold makes answers large or errors."""
    platform, huge = one_partition, "ü" * 100_000
    letters = (
        b"garbage",
        platform.codec.encode(a_letter(platform, topic="elsewhere", request_id=HOSTILE)),
        platform.codec.encode(a_letter(platform, original_value=b"\xff\x00" * 1000, code="AVRO_UNDECODABLE")),
        platform.codec.encode(
            a_letter(platform, original_value=None, original_headers=[Header(key=huge, value=huge.encode())] * 2)
        ),
        platform.codec.encode(a_letter(platform, message=huge, code=huge, stage=huge)),
    )
    for letter in letters:
        platform.send_to("DEAD_LETTER", letter)
    with gateway(platform) as door:

        def show(number: int) -> httpx2.Response:
            return door.http.get(f"/v1/operator/dead-letters/0:{number}")

        def plan(number: int) -> dict[str, Any]:
            answer = door.http.post(f"/v1/operator/dead-letters/0:{number}/replay", params={"dry_run": "true"})
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        for place in ("0:0", "0:99", "7:0", "nonsense", "0:" + "9" * 18):
            assert door.http.get(f"/v1/operator/dead-letters/{place}").status_code == 404
            assert door.http.post(f"/v1/operator/dead-letters/{place}/replay?dry_run=true").status_code == 404
        assert show(1).json()["request_id"] == HOSTILE
        assert (plan(1)["would_send"], "no topic of requests" in plan(1)["why_not"]) == (False, True)
        assert door.http.post("/v1/operator/dead-letters/0:1/replay").status_code == 422
        assert (show(2).json()["request"], show(2).json()["value_bytes"]) == (None, 2000)
        assert show(2).json()["request_error"].startswith("neither Avro")
        assert plan(2)["would_send"]
        assert (show(3).json()["value_bytes"], plan(3)["would_send"]) == (None, False)
        assert max(len(show(number).content) for number in (1, 2, 3, 4)) < 20_000
        listed = door.http.get("/v1/operator/dead-letters")
        assert (len(listed.json()["items"]), len(listed.content) < 20_000) == (5, True)
    assert platform.requests() == []
