"""Streams of events on the real stack: each event once, on whichever replica, and nobody else's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from harness.clips import write_clip
from harness.gateway import KEY, Gateway, gateway, start_gateway
from harness.platform import Platform
from harness.waiting import wait_for

Told = tuple[str, str, dict[str, Any]]


@pytest.fixture
def song(platform: Platform, tmp_path: Path) -> str:
    """The key of a song in the source bucket."""
    return platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))


def ask(door: Gateway, platform: Platform, key: str) -> str:
    """Ask for a separation; returns its id."""
    body = {"source": {"bucket": platform.source_bucket, "key": key}, "model": "2stems", "output": {"format": "flac"}}
    accepted = door.http.post("/v1/separations", json=body)
    assert accepted.status_code == 202, accepted.text
    return str(accepted.json()["id"])


@contextmanager
def stream(door: Gateway, path: str = "/v1/events", last_event_id: str | None = None) -> Iterator[Iterator[Told]]:
    """The events of a stream, as (name, id, data), until it ends. Its headers are looked at here."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with door.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in answer.headers
        yield told(answer)


@contextmanager
def mortal_gateway(platform: Platform) -> Iterator[Gateway]:
    """One that may be killed."""
    process = start_gateway(platform, {})
    process.wait_ready()
    with httpx2.Client(base_url=f"http://127.0.0.1:{process.port}", headers={"X-API-KEY": KEY}, timeout=70) as http:
        yield Gateway(process=process, http=http)
    process.process.kill()


def told(answer: httpx2.Response) -> Iterator[Told]:
    """By the rules of the HTML standard: a block without data is no event, but its id counts."""
    fields: dict[str, str] = {}
    last_id = ""
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        last_id = fields.get("id", last_id)
        if "data" in fields:
            yield fields["event"], last_id, json.loads(fields["data"])
        fields = {}


def until_ended(events: Iterator[Told], count: int) -> list[Told]:
    """Events up to the one that is the so manieth job's end."""
    found: list[Told] = []
    for event in events:
        found.append(event)
        if sum(data.get("done", False) for _, _, data in found) == count:
            break
    return found


def test_a_job_from_its_present_to_its_end(platform: Platform, door: Gateway, song: str) -> None:
    """It begins with what is, tells of progress, and ends behind the end, which later streams tell at once."""
    job = ask(door, platform, song)
    platform.start_replica()
    with stream(door, f"/v1/separations/{job}/events") as events:
        found = list(events)
    assert (found[0][0], found[0][2]["id"], found[0][2]["state"]) == ("accepted", job, "queued")
    assert {name for name, _, _ in found[1:-1]} <= {"progress"}
    shown = door.http.get(f"/v1/separations/{job}").json()
    assert (found[-1][0], found[-1][2]) == ("succeeded", shown)
    with stream(door, f"/v1/separations/{job}/events") as events:
        assert [(name, data) for name, _, data in events] == [("succeeded", shown)]
    with stream(door, f"/v1/separations/{job}/events", found[-1][1]) as events:
        assert list(events) == []
    with stream(door, f"/v1/separations/{job}/events", found[0][1]) as events:
        assert list(events) == found[1:]
    assert door.http.get("/v1/separations/unknown/events").status_code == 404


def test_a_client_goes_to_another_gateway_when_its_own_dies(platform: Platform, song: str) -> None:
    """What the two have told together is each event once, as a third that reads all from one id tells it."""
    with mortal_gateway(platform) as door, mortal_gateway(platform) as other:
        with stream(door) as events:
            jobs = [ask(other, platform, song) for _ in range(3)] + [ask(other, platform, "none.mp3")]
            begin = next(events)
            platform.start_replica()
            first = [begin, *until_ended(events, 2)]
            other.process.process.kill()
            jobs += [ask(door, platform, song) for _ in range(2)]
            first += until_ended(events, 1)
        door.process.process.kill()
    with gateway(platform) as third:
        with stream(third, last_event_id=first[-1][1]) as events:
            second = until_ended(events, 3)
        with stream(third, last_event_id=begin[1]) as events:
            again = until_ended(events, 6)
    ends = [(data["id"], name) for name, _, data in first + second if data["done"]]
    assert sorted(ends) == sorted((job, "failed" if job == jobs[3] else "succeeded") for job in jobs)
    accepted = [data["id"] for name, _, data in first + second if name == "accepted"]
    assert sorted(accepted) == sorted(jobs)
    for job in jobs:
        own = [(name, data) for name, _, data in first + second if data["id"] == job]
        assert [each for each in own if each not in again_of(again, job)] == own[:1] * (job == begin[2]["id"])


def again_of(events: list[Told], job: str) -> list[tuple[str, dict[str, Any]]]:
    """What was told of one job, without ids, which are each replica's own."""
    return [(name, data) for name, _, data in events if data["id"] == job]


@pytest.mark.parametrize("last_id", ["nonsense", "00000000.0;0;0;0"])
def test_an_id_that_can_not_be_resumed_is_told(platform: Platform, door: Gateway, song: str, last_id: str) -> None:
    """By one `reset` and the present, also where the id is beyond the end; then it goes on."""
    job = ask(door, platform, song)
    with stream(door, f"/v1/separations/{job}/events", last_id) as events:
        reset, present = next(events), next(events)
    assert (reset[0], reset[2]) == ("reset", {"reason": "unknown_id"})
    assert (present[0], present[2]["id"]) == ("accepted", job)
    log, _, rest = present[1].partition(".")
    beyond = f"{log}.{'9' * 12},{rest.partition(',')[2]}"
    with stream(door, last_event_id=beyond) as events:
        assert next(events)[2] == {"reason": "beyond_end"}
        after = ask(door, platform, song)
        assert (next(events)[2]["id"]) == after


def test_a_gateway_that_stops_ends_its_streams_in_order(platform: Platform, door: Gateway, song: str) -> None:
    """The body is whole, and the process ends within its time; its metric knows of the streams until then."""
    with gateway(platform) as other:
        with stream(other) as events:
            job = ask(door, platform, song)
            assert next(events)[2]["id"] == job
            page = other.process.get("/metrics")
            assert page is not None
            assert "separation_http_open_streams 1.0" in page.text
            other.process.process.terminate()
            assert list(events) == []
        assert other.process.process.wait(60) == 0


def test_streams_are_only_so_many(platform: Platform) -> None:
    """One key's 429, the gateway's 503; a stream that has ended makes room."""
    with gateway(platform, HTTP_MAX_STREAMS="2", MAX_STREAMS="1", SPLEETER_API_KEY=f"{KEY},{KEY}2,{KEY}3") as door:
        with stream(door):
            refused = door.http.get("/v1/events")
            assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_STREAMS")
            with door.client(**{"X-API-KEY": f"{KEY}2"}) as second, second.stream("GET", "/v1/events") as there:
                assert there.status_code == 200
                with door.client(**{"X-API-KEY": f"{KEY}3"}) as third:
                    refused = third.get("/v1/events")
                    assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
                    assert int(refused.headers["retry-after"]) > 0
        wait_for(lambda: _opens(door))


def _opens(door: Gateway) -> bool:
    with door.http.stream("GET", "/v1/events") as answer:
        return answer.status_code == 200


def test_another_tenants_jobs_are_never_told(platform: Platform, door: Gateway, song: str) -> None:
    """A request of a tenant's own is in the log; who has no tenant gets 404, and no event, live and resumed."""
    with stream(door) as events:
        mine = ask(door, platform, song)
        first = next(events)
        theirs = platform.request(song, tenant="theirs").request_id
        later = ask(door, platform, song)
        assert (first[2]["id"], next(events)[2]["id"]) == (mine, later)
    with stream(door, last_event_id=first[1]) as events:
        assert next(events)[2]["id"] == later
    assert door.http.get(f"/v1/separations/{theirs}/events").status_code == 404
