"""What jobs are told of the time that they will take, on the real stack."""

import time
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from harness.clips import write_clip
from harness.gateway import Gateway
from harness.platform import Platform
from harness.waiting import wait_for


def shown(door: Gateway) -> dict[str, dict[str, Any]]:
    """All jobs by their ids, as a list shows them."""
    return {job["id"]: job for job in door.http.get("/v1/separations", params={"limit": "100"}).json()["items"]}


def check(job: dict[str, Any]) -> None:
    """Numbers that fit each other, or a reason and none; of what has ended nothing."""
    if job["done"]:
        assert (job.get("eta"), job.get("queue")) == (None, None)
        return
    eta, queue = job["eta"], job["queue"]
    numbers = [eta["low"], eta["seconds"], eta["high"]]
    assert eta["reason"] == queue["reason"]
    if eta["reason"] is None:
        assert 0 <= numbers[0] <= numbers[1] <= numbers[2]
        assert queue["separators"] >= 1
        assert queue["work_seconds_ahead"] >= 0
    else:
        assert eta["reason"] in ("nobody_works", "not_known_yet")
        assert numbers == [None, None, None]


def test_nobody_works(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Once something has waited for a minute; each job's place is that of its request."""
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))
    body = {"source": {"bucket": platform.source_bucket, "key": key}}
    ids = []
    for _ in range(3):
        ids.append(door.http.post("/v1/separations", json=body).json()["id"])
        time.sleep(0.002)  # their times are told in milliseconds
    jobs = shown(door)
    assert [jobs[each]["queue"]["ahead"] for each in ids] == [0, 1, 2]
    assert {jobs[each]["eta"]["reason"] for each in ids} == {"not_known_yet"}
    first = platform.a_request(key)
    producer = Producer({"bootstrap.servers": platform.bootstrap_servers})
    an_hour_ago_ms = round((time.time() - 3600) * 1000)
    value = platform.codec.encode(first)
    producer.produce(platform.topic("REQUESTS"), value, first.request_id.encode(), timestamp=an_hour_ago_ms)
    assert producer.flush(30) == 0
    wait_for(lambda: first.request_id in shown(door))
    jobs = shown(door)
    assert [jobs[each]["queue"]["ahead"] for each in (first.request_id, *ids)] == [0, 1, 2, 3]
    for job in jobs.values():
        check(job)
        assert (job["eta"]["reason"], job["queue"]["separators"]) == ("nobody_works", 0)
        assert door.http.get(f"/v1/separations/{job['id']}").json() == job


def test_a_replica_at_work(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Numbers come once it is heard of; nobody's place in the queue gets worse, and all come to their end."""
    short = platform.upload(write_clip(tmp_path / "short.wav", seconds=3, seed=1))
    long = platform.upload(write_clip(tmp_path / "long.wav", seconds=240, seed=2))

    def ask(key: str) -> None:
        body = {"source": {"bucket": platform.source_bucket, "key": key}}
        accepted = door.http.post("/v1/separations", json=body)
        assert accepted.status_code == 202
        check(accepted.json())

    platform.start_replica()
    ask(short)
    wait_for(lambda: all(job["done"] for job in shown(door).values()))
    for _ in range(4):
        ask(long)
    places: dict[str, int] = {}
    known: set[str] = set()

    def look() -> bool:
        jobs = shown(door)
        for job in jobs.values():
            check(job)
            if not job["done"]:
                ahead = job["queue"]["ahead"]
                assert ahead <= places.get(job["id"], ahead)
                places[job["id"]] = ahead
                known.update({job["id"]} if job["eta"]["seconds"] is not None else ())
        return all(job["done"] for job in jobs.values())

    wait_for(look)
    assert {job["state"] for job in shown(door).values()} == {"succeeded"}
    assert known
