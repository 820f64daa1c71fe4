"""Jobs by HTTP on the real stack: each is in the log once, and is shown as it is."""

from pathlib import Path
from typing import Any

import pytest

from harness.clips import write_clip
from harness.gateway import KEY, Gateway, gateway
from harness.platform import Platform
from harness.waiting import wait_for

BODY = {"model": "2stems", "output": {"format": "flac"}, "metadata": {"user": "ü"}}


@pytest.fixture
def song(platform: Platform, tmp_path: Path) -> str:
    """The key of a song in the source bucket."""
    return platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))


def body(platform: Platform, song: str, **fields: Any) -> dict[str, Any]:
    """A separation of that song."""
    return {"source": {"bucket": platform.source_bucket, "key": song}, **BODY, **fields}


def test_a_job_from_its_request_to_its_stems(platform: Platform, door: Gateway, song: str) -> None:
    """202 with its place in Kafka, queued, and once a replica has done it the result that Kafka has."""
    accepted = door.http.post("/v1/separations", json=body(platform, song))
    assert accepted.status_code == 202, accepted.text
    job = accepted.json()
    assert (job["state"], job["done"], job["metadata"]) == ("queued", False, {"user": "ü"})
    assert accepted.headers["location"] == f"/v1/separations/{job['id']}"
    topic, partition, offset = accepted.headers["separation-position"].split(":")
    [record] = platform.requests()
    assert (topic, int(partition), int(offset)) == (record.topic(), record.partition(), record.offset())
    platform.start_replica().wait_ready()
    waited = door.http.get(accepted.headers["location"], headers={"Prefer": "wait=60"})
    [result] = platform.outcomes(1)
    shown = waited.json()
    assert (shown["state"], shown["done"], shown["progress"]) == ("succeeded", True, 1.0)
    assert [stem["key"] for stem in shown["result"]["stems"]] == [stem.key for stem in result.stems]  # type: ignore[union-attr]
    assert [stem["sha256"] for stem in shown["result"]["stems"]] == [stem.sha256 for stem in result.stems]  # type: ignore[union-attr]
    assert "error" not in shown
    again = door.http.get(accepted.headers["location"], headers={"If-None-Match": waited.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_what_failed_is_no_error_of_http(platform: Platform, door: Gateway) -> None:
    """200 with the code that the dead letter has."""
    platform.start_replica().wait_ready()
    accepted = door.http.post("/v1/separations", json=body(platform, "no-such-song.mp3"), headers={"Prefer": "wait=60"})
    assert accepted.status_code == 200, accepted.text
    assert accepted.headers["preference-applied"] == "wait=60"
    assert (accepted.json()["state"], accepted.json()["error"]["code"]) == ("failed", "OBJECT_NOT_FOUND")
    assert "result" not in accepted.json()


def test_the_same_key_is_the_same_job(platform: Platform, door: Gateway, song: str) -> None:
    """One record, however often it is asked for; other words under the key are refused, in flight and afterwards."""
    key = {"Idempotency-Key": "take-1"}
    first = door.http.post("/v1/separations", json=body(platform, song), headers=key)
    again = door.http.post("/v1/separations", json=body(platform, song), headers=key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json()["id"] == first.json()["id"]
    assert len(platform.requests()) == 1
    for other in ({"model": "4stems"}, {"metadata": {"user": "other"}}):
        refused = door.http.post("/v1/separations", json=body(platform, song, **other), headers=key)
        assert (refused.status_code, refused.json()["code"]) == (409, "IN_FLIGHT")
    platform.start_replica().wait_ready()
    platform.outcomes(1)
    wait_for(lambda: door.http.get(f"/v1/separations/{first.json()['id']}").json()["done"])
    refused = door.http.post("/v1/separations", json=body(platform, song, model="4stems"), headers=key)
    assert (refused.status_code, refused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(platform.requests()) == 1


def test_another_replica_knows_it_at_once(platform: Platform, door: Gateway, song: str) -> None:
    """GET there right after POST here is never 404, with the position that POST answered with and without."""
    with gateway(platform) as other:
        for number in range(30):
            accepted = door.http.post("/v1/separations", json=body(platform, song))
            position = {"Separation-Position": accepted.headers["separation-position"]} if number % 2 else {}
            found = other.http.get(accepted.headers["location"], headers=position)
            assert found.status_code == 200, found.text
            assert found.json()["id"] == accepted.json()["id"]


def test_a_gateway_that_starts_knows_what_was(platform: Platform, door: Gateway, song: str) -> None:
    """Its index is read from the topics; the states are the same everywhere."""
    platform.start_replica().wait_ready()
    done = door.http.post("/v1/separations", json=body(platform, song), headers={"Prefer": "wait=60"}).json()
    failed = door.http.post("/v1/separations", json=body(platform, "none"), headers={"Prefer": "wait=60"}).json()
    with gateway(platform) as later:
        for job in (done, failed):
            assert (
                later.http.get(f"/v1/separations/{job['id']}").json()
                == door.http.get(f"/v1/separations/{job['id']}").json()
            )
        listed = later.http.get("/v1/separations").json()
        assert [job["id"] for job in listed["items"]] == [failed["id"], done["id"]]
        only = later.http.get("/v1/separations", params={"state": "failed"}).json()["items"]
        assert [job["id"] for job in only] == [failed["id"]]


def test_pages_of_a_list_hold_each_job_once(platform: Platform, door: Gateway, song: str) -> None:
    """By cursor, the latest first, also where jobs come in between."""
    ids = [door.http.post("/v1/separations", json=body(platform, song)).json()["id"] for _ in range(7)]
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = door.http.get("/v1/separations", params={"limit": "3", **cursor}).json()
        found += [job["id"] for job in page["items"]]
        door.http.post("/v1/separations", json=body(platform, song))
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(found) == sorted(ids)
    chosen = door.http.get("/v1/separations", params={"id": [ids[0], "unknown", ids[3]]}).json()["items"]
    assert [job["id"] for job in chosen] == [ids[0], ids[3]]


def test_cancelling(platform: Platform, door: Gateway, song: str) -> None:
    """202 while it may be stopped, 200 once it is, 409 once it has succeeded."""
    queued = door.http.post("/v1/separations", json=body(platform, song)).headers["location"]
    assert door.http.delete(queued).status_code == 202
    platform.start_replica().wait_ready()
    platform.outcomes(1)
    assert door.http.get(queued, headers={"Prefer": "wait=60"}).json()["state"] == "cancelled"
    assert door.http.delete(queued).status_code == 200
    done = door.http.post("/v1/separations", json=body(platform, song), headers={"Prefer": "wait=60"}).json()
    refused = door.http.delete(f"/v1/separations/{done['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "HAS_ENDED")


def test_a_success_is_known_for_ever(platform: Platform, door: Gateway, song: str) -> None:
    """Also once the topics hold nothing of it: its manifest stands, and a repeated key is answered from it."""
    platform.start_replica().wait_ready()
    key = {"Idempotency-Key": "once"}
    done = door.http.post("/v1/separations", json=body(platform, song), headers={**key, "Prefer": "wait=60"}).json()
    empty = {name: f"{platform.environment[name]}.empty" for name in ("TOPIC_REQUESTS", "TOPIC_RESULTS")}
    assert platform.run("topics", "create", **empty).returncode == 0
    with gateway(platform, **empty) as later:
        shown = later.http.get(f"/v1/separations/{done['id']}").json()
        assert shown["state"] == "succeeded"
        assert shown["result"]["stems"] == done["result"]["stems"]
        again = later.http.post("/v1/separations", json=body(platform, song), headers=key)
        assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
        other = later.http.post("/v1/separations", json=body(platform, song, model="4stems"), headers=key)
        assert other.status_code == 422


def test_strangers_get_nothing(platform: Platform, door: Gateway) -> None:
    """The same body for every way of being nobody; probes and the description are everybody's."""
    bodies = set()
    for headers in ({}, {"X-API-KEY": "wrong-but-long-enough"}, {"X-API-KEY": KEY, "Authorization": "Bearer x.y.z"}):
        with door.client(**headers) as stranger:
            refused = stranger.get("/v1/separations")
            assert refused.status_code == 401
            assert refused.headers["content-type"] == "application/problem+json"
            assert {"x-request-id", "ratelimit", "ratelimit-policy", "www-authenticate"} <= set(refused.headers)
            bodies.add(tuple(sorted({**refused.json(), "instance": ""}.items())))
            assert stranger.get("/openapi.json").json()["openapi"].startswith("3.1")
            assert stranger.get("/health").status_code == 200
    assert len(bodies) == 1
