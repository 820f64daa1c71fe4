"""Keys of tenants and of operators on the real stack: each sees and does what it may, and nothing else."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from harness.gateway import Gateway, gateway
from harness.platform import Platform
from harness.waiting import wait_for


@pytest.fixture
def keys(platform: Platform) -> dict[str, str]:
    """Keys by name: of two tenants, and of an operator who may do nothing else."""
    file = str(platform.folder / "keys.json")
    made = {
        name: platform.run("keys", "create", name, "--file", file, *options).stdout.strip()
        for name, options in {
            "acme": ("--tenant", "acme"),
            "other": ("--tenant", "other"),
            "reader": ("--tenant", "acme", "--scope", "separations:read"),
            "operator": ("--scope", "operate"),
        }.items()
    }
    assert all(key.startswith("spk_") for key in made.values())
    return made


@pytest.fixture
def door(platform: Platform, keys: dict[str, str]) -> Iterator[Gateway]:
    """A gateway that knows these keys."""
    with gateway(platform, API_KEYS_FILE=str(platform.folder / "keys.json")) as running:
        yield running


def test_tenants_see_their_own(platform: Platform, door: Gateway, keys: dict[str, str]) -> None:
    """Another's job is as one that is not there: looking, listing, cancelling, its stems and its events."""
    body: dict[str, Any] = {"source": {"bucket": platform.source_bucket, "key": "none.mp3"}}
    clients = {name: door.client(**{"X-API-KEY": key}) for name, key in keys.items()}
    key = {"Idempotency-Key": "the same words"}
    jobs = {name: clients[name].post("/v1/separations", json=body, headers=key).json() for name in ("acme", "other")}
    assert jobs["acme"]["id"] != jobs["other"]["id"]
    for mine, theirs in itertools.permutations(jobs):
        asked = clients[mine]
        assert [job["id"] for job in asked.get("/v1/separations").json()["items"]] == [jobs[mine]["id"]]
        listed = asked.get("/v1/separations", params={"id": [jobs[theirs]["id"], jobs[mine]["id"]]}).json()["items"]
        assert [job["id"] for job in listed] == [jobs[mine]["id"]]
        told = [_told(asked.get(f"/v1/separations/{id_}")) for id_ in (jobs[theirs]["id"], "unknown")]
        assert told[0] == told[1]
        assert told[0][0] == 404
        place = f"/v1/separations/{jobs[theirs]['id']}"
        for page in ("/stems/vocals", "/archive", "/waveform", "/events"):
            assert asked.get(place + page).status_code == 404
        assert asked.delete(place).status_code == 404
    assert door.http.get("/v1/separations").json()["items"] == []  # of nobody in particular
    assert clients["reader"].get(f"/v1/separations/{jobs['acme']['id']}").status_code == 200
    refused = clients["reader"].post("/v1/separations", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "SCOPE_MISSING")
    assert clients["operator"].get("/v1/separations").status_code == 403
    assert clients["acme"].get("/v1/operator/lag").status_code == 403
    elsewhere = {**body, "output": {"prefix": "stems/other/"}}
    refused = clients["acme"].post("/v1/separations", json=elsewhere)
    assert (refused.status_code, refused.json()["code"]) == (403, "BUCKET_NOT_ALLOWED")
    for client in clients.values():
        client.close()


def test_operators_see_what_waits_and_send_again(platform: Platform, door: Gateway, keys: dict[str, str]) -> None:
    """The lag as `lag` tells it, the dead letters as `dlq list` does; a replay is done again, and is on the trail."""
    body: dict[str, Any] = {"source": {"bucket": platform.source_bucket, "key": "none.mp3"}}
    job = door.http.post("/v1/separations", json=body).json()
    with door.client(**{"X-API-KEY": keys["operator"]}) as operator:
        lag = operator.get("/v1/operator/lag").json()["items"]
        assert sum(each["messages"] for each in lag) == 1
        assert operator.get("/v1/operator/dead-letters").json() == {"items": []}
        platform.start_replica()
        platform.outcomes(1)
        [letter] = operator.get("/v1/operator/dead-letters", params={"code": "OBJECT_NOT_FOUND"}).json()["items"]
        assert letter["request_id"] == job["id"]
        assert letter["place"] in platform.run("dlq", "list").stdout
        assert operator.get("/v1/operator/dead-letters", params={"code": "CANCELLED"}).json() == {"items": []}
        for unknown in ("0:99999", "999:0", "nonsense"):
            assert operator.post(f"/v1/operator/dead-letters/{unknown}/replay").status_code == 404
        replayed = operator.post(f"/v1/operator/dead-letters/{letter['place']}/replay")
        assert (replayed.status_code, replayed.json()["topic"]) == (202, platform.topic("REQUESTS"))
        wait_for(lambda: len(operator.get("/v1/operator/dead-letters").json()["items"]) == 2)


def _told(answer: httpx2.Response) -> tuple[int, dict[str, Any]]:
    """All that tells one answer from another."""
    return answer.status_code, {**answer.json(), "instance": ""}
