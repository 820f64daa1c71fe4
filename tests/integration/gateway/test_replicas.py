"""Which replicas there are, by HTTP on the real stack."""

from pathlib import Path
from typing import Any

from harness.clips import write_clip
from harness.gateway import Gateway
from harness.platform import Platform
from harness.waiting import wait_for


def test_replicas_and_what_they_do(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """None at first; then each by its name, all partitions shared out among them, and the job with the one that has it;
    a replica that ends is none any more."""
    place = "/v1/operator/replicas"
    nobody = door.http.get(place)
    assert (nobody.status_code, nobody.json()["items"]) == (200, []), nobody.text
    first, second = platform.start_replica(), platform.start_replica()
    names = {f"replica-{number}" for number in (1, 2)}  # the gateway is number 0

    def items() -> list[dict[str, Any]]:
        return list(door.http.get(place).json()["items"])

    def owned() -> list[int]:
        requests = platform.topic("REQUESTS")
        return sorted(p["partition"] for each in items() for p in each["partitions"] if p["topic"] == requests)

    wait_for(lambda: len(items()) == 2 and owned() == list(range(6)) and all(each["partitions"] for each in items()))
    told = items()
    assert {each["instance_id"] for each in told} == names
    assert all(each["member_id"] and each["client_id"] and each["host"] for each in told)
    key = platform.upload(write_clip(tmp_path / "song.wav", seconds=240, seed=2))
    body = {"source": {"bucket": platform.source_bucket, "key": key}}
    accepted = door.http.post("/v1/separations", json=body)
    partition = int(accepted.headers["separation-position"].split(":")[1])

    seen: list[dict[str, Any]] = []

    def is_seen() -> bool:
        seen[:] = [each for each in items() if each["jobs"]]
        return bool(seen)

    wait_for(is_seen)
    [owner] = seen
    [job] = owner["jobs"]
    assert (job["id"], job["stage"]) == (accepted.json()["id"], "separate")
    assert job["instance_id"] == owner["instance_id"]
    assert {"topic": platform.topic("REQUESTS"), "partition": partition} in owner["partitions"]
    assert job["since"] <= job["at"]
    assert 0 < job["progress"] <= 1
    wait_for(lambda: door.http.get(accepted.headers["location"]).json()["done"])
    wait_for(lambda: not is_seen())
    first.process.terminate()
    assert first.process.wait(60) == 0
    wait_for(lambda: len(items()) == 1 and owned() == list(range(6)))
    second.process.terminate()
    assert second.process.wait(60) == 0
    wait_for(lambda: items() == [])
