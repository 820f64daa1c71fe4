"""Forgetting by HTTP on the real stack: nothing is left that a second client could find, and nothing comes back."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from consumer.core.events import DeadLetter, SeparationRequest, SeparationResult
from consumer.core.forgotten import tombstone_key
from harness.clips import write_clip
from harness.gateway import Gateway, gateway
from harness.platform import Platform
from harness.waiting import wait_for

OPTIONS = {"model": "2stems", "output": {"format": "flac"}}
PAGES = ("", "/events", "/stems/vocals", "/archive", "/waveform")


def form(file: bytes) -> dict[str, Any]:
    """What httpx2 makes a form of."""
    return {"files": [("request", (None, json.dumps(OPTIONS), "application/json")), ("file", ("a", file))]}


def by_name(platform: Platform, song: str, **fields: Any) -> dict[str, Any]:
    """A separation of an object in the source bucket."""
    return {"source": {"bucket": platform.source_bucket, "key": song}, **OPTIONS, **fields}


def left(platform: Platform) -> set[str]:
    """All that lies in both buckets, but for tombstones and sources that nobody uploaded by HTTP."""
    out = {item for item in platform.objects("") if not item.startswith("forgotten/")}
    uploads = platform.minio.list_objects(platform.source_bucket, "uploads/", recursive=True)
    return out | {str(item.object_name) for item in uploads}


def told_of(answer: httpx2.Response) -> tuple[int, set[str], str]:
    """All that an answer tells: its status, its fields, and what is in them but for the request's own id."""
    body = answer.json()
    return answer.status_code, set(body), body.get("code", "") + body.get("detail", "")


def assert_gone(door: httpx2.Client, job_id: str) -> None:
    """Whatever is asked about it says one and the same, and no more."""
    place = f"/v1/separations/{job_id}"
    answers = [door.get(place + page) for page in PAGES]
    answers += [door.delete(place), door.get(f"{place}/events", headers={"Last-Event-ID": "00000000.;;;"})]
    told = {json.dumps([status, sorted(fields), words]) for status, fields, words in map(told_of, answers)}
    assert len(told) == 1, told
    assert (answers[0].status_code, answers[0].json()["code"]) == (410, "FORGOTTEN")
    assert answers[0].json().keys() == {"type", "title", "status", "detail", "instance", "code"}


def forget(door: httpx2.Client, job_id: str) -> httpx2.Response:
    return door.delete(f"/v1/separations/{job_id}", params={"forget": "true"})


@pytest.fixture
def song(platform: Platform, tmp_path: Path) -> str:
    """The key of a song in the source bucket."""
    return platform.upload(write_clip(tmp_path / "song.wav", seconds=3, seed=1))


def test_of_a_finished_one_nothing_is_left(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Stems, manifest, index entries and upload go; its id, its key and its content bring nothing back, anywhere; and a
    gateway that starts later knows it too.
    """
    file = write_clip(tmp_path / "song.flac", seconds=3, seed=5).read_bytes()
    key = {"Idempotency-Key": "take-1"}
    platform.start_replica(DEDUPLICATE_CONTENT="true").wait_ready()
    posted = door.http.post("/v1/separations", **form(file), headers={**key, "Prefer": "wait=60"})
    assert posted.json()["state"] == "succeeded", posted.text
    job_id = posted.json()["id"]
    wait_for(lambda: platform.objects("stems/.content/") and platform.objects("stems/.entries/"))
    assert {"stems/.index", "stems/.content", f"stems/{job_id}"} <= {key.rpartition("/")[0] for key in left(platform)}
    with gateway(platform) as other:
        done = forget(door.http, job_id)
        assert (done.status_code, done.json()) == (200, {"id": job_id, "forgotten": True})
        assert_gone(other.http, job_id)  # at once
        assert_gone(door.http, job_id)
        assert left(platform) == set()
        by_digest = {"source": {"sha256": hashlib.sha256(file).hexdigest()}, **OPTIONS}
        for each in (door.http, other.http):
            assert told_of(each.post("/v1/separations", **form(file), headers=key))[0] == 410
            assert told_of(each.post("/v1/separations", json=by_digest, headers=key))[0] == 410
            assert each.post("/v1/separations", json=by_digest).status_code == 404
            wait_for(lambda each=each: each.get("/v1/separations").json()["items"] == [])
            assert each.get("/v1/separations", params={"id": job_id}).json()["items"] == []
        assert forget(door.http, job_id).status_code == 410
        assert left(platform) == set()
    with gateway(platform) as later:
        assert later.http.get("/v1/separations").json()["items"] == []
        assert_gone(later.http, job_id)
    [tombstone] = platform.objects("forgotten/")
    response = platform.minio.get_object(platform.output_bucket, tombstone)
    assert json.loads(response.data).keys() == {"tenant", "forgotten_at"}
    response.close()


def test_it_is_told_to_the_audit_trail(platform: Platform, door: Gateway, song: str) -> None:
    """That it was asked for, that it was done, and what was refused; with ids alone."""
    job = door.http.post("/v1/separations", json=by_name(platform, "no-such-song")).json()
    platform.start_replica().wait_ready()
    wait_for(lambda: door.http.get(f"/v1/separations/{job['id']}").json()["done"])
    assert forget(door.http, job["id"]).status_code == 200
    assert forget(door.http, "unknown").status_code == 404
    wanted = {
        ("separation.forget_requested", "success", job["id"], ""),
        ("separation.forgotten", "success", job["id"], ""),
        ("separation.forget_requested", "denied", "unknown", "NOT_FOUND"),
    }

    def events() -> set[tuple[str, str, str | None, str]]:
        found = [each for each in platform.audit_events() if "forg" in each.action]
        return {(each.action, each.outcome, each.request_id, each.details.get("reason", "")) for each in found}

    wait_for(lambda: events() == wanted)
    assert_gone(door.http, job["id"])  # a job that failed


def test_one_under_way_is_cancelled_first(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """It ends as CANCELLED, and what its replica had still to store is not there either."""
    long = platform.upload(write_clip(tmp_path / "long.flac", seconds=600.0, seed=3))
    replica = platform.start_replica()
    job = door.http.post("/v1/separations", json=by_name(platform, long)).json()
    wait_for(lambda: replica.said("separation.fetch"))
    done = forget(door.http, job["id"])
    assert (done.status_code, done.json()["forgotten"]) in {(200, True), (202, False)}
    assert_gone(door.http, job["id"])
    [letter] = platform.outcomes(1)
    assert isinstance(letter, DeadLetter)
    assert letter.code == "CANCELLED"
    wait_for(lambda: forget(door.http, job["id"]).status_code == 410)
    assert left(platform) == set()
    assert_gone(door.http, job["id"])


def test_one_that_nobody_has_begun(platform: Platform, door: Gateway, song: str) -> None:
    """202 for as long as it has no outcome, though its id is gone at once; it is never begun."""
    job = door.http.post("/v1/separations", json=by_name(platform, song)).json()
    asked = forget(door.http, job["id"])
    assert (asked.status_code, asked.json()) == (202, {"id": job["id"], "forgotten": False})
    assert asked.headers["retry-after"]
    assert_gone(door.http, job["id"])
    replica = platform.start_replica()
    [letter] = platform.outcomes(1)
    assert isinstance(letter, DeadLetter)
    assert letter.code == "CANCELLED"
    wait_for(lambda: forget(door.http, job["id"]).status_code == 410)
    assert left(platform) == set()
    assert not replica.said("separation.fetch")


def test_a_record_that_comes_again_brings_nothing_back(platform: Platform, door: Gateway, song: str) -> None:
    """Redelivered or replayed, it is a dead letter, and what is there of it goes; others go on."""
    platform.start_replica().wait_ready()
    posted = door.http.post("/v1/separations", json=by_name(platform, song), headers={"Prefer": "wait=60"})
    job_id = posted.json()["id"]
    assert posted.json()["state"] == "succeeded"
    assert forget(door.http, job_id).status_code == 200
    [record] = platform.requests()
    # What a replica that was killed in the middle has left.
    platform.minio.fput_object(platform.output_bucket, f"stems/{job_id}/vocals.flac", __file__)
    platform.send(record.value(), job_id)
    outcomes = platform.outcomes(2)
    [letter] = [each for each in outcomes if isinstance(each, DeadLetter)]
    assert (letter.request_id, letter.code, letter.stage) == (job_id, "CANCELLED", "recall")
    assert left(platform) == set()
    replayed = platform.run("dlq", "replay", "--request-id", job_id)
    assert replayed.returncode == 0, replayed.stderr
    assert len(platform.outcomes(3)) == 3
    assert left(platform) == set()
    assert_gone(door.http, job_id)
    again = door.http.post("/v1/separations", json=by_name(platform, song), headers={"Prefer": "wait=60"})
    assert again.json()["state"] == "succeeded"  # a new one, of the same song


def test_who_has_copied_stems_keeps_them(platform: Platform, door: Gateway, song: str) -> None:
    """The copy is whole after its original is forgotten; who comes next has the stems made anew."""
    platform.start_replica(DEDUPLICATE_CONTENT="true").wait_ready()
    made: list[dict[str, Any]] = []
    for _ in range(2):
        asked = door.http.post("/v1/separations", json=by_name(platform, song), headers={"Prefer": "wait=60"})
        made.append(asked.json())
        wait_for(lambda: platform.objects("stems/.index/"))
    assert [job["result"]["deduplicated"] for job in made] == [False, True]
    wait_for(lambda: len(platform.objects("stems/.entries/")) == 2)
    assert forget(door.http, made[0]["id"]).status_code == 200
    kept = door.http.get(f"/v1/separations/{made[1]['id']}/stems/vocals")
    assert kept.status_code == 200
    [sha256] = [stem["sha256"] for stem in made[1]["result"]["stems"] if stem["name"] == "vocals"]
    assert hashlib.sha256(kept.content).hexdigest() == sha256
    assert not any(made[0]["id"] in key for key in left(platform))
    assert platform.objects("stems/.index/") == set()
    third = door.http.post("/v1/separations", json=by_name(platform, song), headers={"Prefer": "wait=60"}).json()
    assert third["result"]["deduplicated"] is False


def test_what_was_stopped_in_the_middle_is_mended(platform: Platform, door: Gateway, tmp_path: Path) -> None:
    """Whatever went first, the same again takes the rest away; also by a gateway that starts later."""
    platform.start_replica(DEDUPLICATE_CONTENT="true").wait_ready()
    jobs = []
    for seed in (7, 8):
        file = write_clip(tmp_path / f"{seed}.flac", seconds=3, seed=seed).read_bytes()
        jobs.append(door.http.post("/v1/separations", **form(file), headers={"Prefer": "wait=60"}).json()["id"])
    wait_for(lambda: len(platform.objects("stems/.entries/")) == 2)
    for job_id in jobs:  # as a gateway leaves it that is killed after the first thing that it does
        data = json.dumps({"tenant": None, "forgotten_at": "2026-01-01T00:00:00Z"}).encode()
        with (tmp_path / "tombstone").open("wb") as out:
            out.write(data)
        place = tombstone_key("stems/", None, job_id)
        platform.minio.fput_object(platform.output_bucket, place, str(tmp_path / "tombstone"))
    platform.minio.remove_object(platform.output_bucket, f"stems/{jobs[0]}/vocals.flac")
    assert_gone(door.http, jobs[0])
    assert forget(door.http, jobs[0]).status_code == 410
    with gateway(platform) as later:
        assert_gone(later.http, jobs[1])
        assert forget(later.http, jobs[1]).status_code == 410
    assert left(platform) == set()


def test_of_two_at_once_one_does_it(platform: Platform, door: Gateway, song: str) -> None:
    """Whichever gateways they ask, all are told that it is done, or that it was."""
    platform.start_replica().wait_ready()
    posted = door.http.post("/v1/separations", json=by_name(platform, song), headers={"Prefer": "wait=60"})
    job_id = posted.json()["id"]
    with gateway(platform) as other, ThreadPoolExecutor(8) as pool:
        wait_for(lambda: other.http.get(f"/v1/separations/{job_id}").json()["done"])
        answers = list(pool.map(lambda each: forget(each, job_id), [door.http, other.http] * 4))
    assert {answer.status_code for answer in answers} <= {200, 410}
    assert left(platform) == set()
    assert_gone(door.http, job_id)


def test_another_tenants_is_not_there(platform: Platform, song: str) -> None:
    """404, as for an id that nobody has, and nothing of it goes; who may only read may not forget."""
    file = str(platform.folder / "keys.json")
    keys = {
        name: platform.run("keys", "create", name, "--file", file, "--tenant", tenant, *scopes).stdout.strip()
        for name, tenant, scopes in (
            ("acme", "acme", ()), ("other", "other", ()), ("reader", "acme", ("--scope", "separations:read")),
        )
    }  # fmt: skip
    platform.start_replica().wait_ready()
    with gateway(platform, API_KEYS_FILE=file) as door:
        acme, other, reader = (door.client(**{"X-API-KEY": keys[name]}) for name in ("acme", "other", "reader"))
        job = acme.post("/v1/separations", json=by_name(platform, song), headers={"Prefer": "wait=60"}).json()
        before = left(platform)
        assert told_of(forget(other, job["id"])) == told_of(forget(other, "unknown"))
        assert forget(other, job["id"]).status_code == 404
        assert forget(reader, job["id"]).status_code == 403
        assert forget(door.http, job["id"]).status_code == 404
        assert left(platform) == before
        assert forget(acme, job["id"]).status_code == 200
        assert left(platform) == set()
        assert_gone(acme, job["id"])
        assert other.get(f"/v1/separations/{job['id']}").status_code == 404
        for each in (acme, other, reader):
            each.close()


def test_a_stream_ends_and_says_no_more(platform: Platform, door: Gateway, song: str) -> None:
    """Who follows a separation is told of no other end; who follows all is told nothing more of it."""
    job = door.http.post("/v1/separations", json=by_name(platform, song)).json()
    with door.http.stream("GET", f"/v1/separations/{job['id']}/events") as stream:
        lines = stream.iter_lines()
        assert any(line == "event: accepted" for line in lines)
        assert forget(door.http, job["id"]).status_code == 202
        assert [line for line in lines if line.startswith("event:")] == []


def test_requests_are_what_they_were(platform: Platform, door: Gateway, song: str) -> None:
    """An id that begins as another one is not touched, nor a tenant's by a request that is named like the tenant."""
    replica = platform.start_replica()
    fields: list[dict[str, Any]] = [
        {"request_id": "abc"}, {"request_id": "abcd"}, {"request_id": "x", "tenant": "abc"},
    ]  # fmt: skip
    for each in fields:
        platform.request(song, **each)
    assert all(isinstance(outcome, SeparationResult) for outcome in platform.outcomes(3))
    wait_for(lambda: door.http.get("/v1/separations/abc").json()["done"])
    assert forget(door.http, "abc").status_code == 200
    assert {key.rpartition("/")[0] for key in left(platform)} == {"stems/abcd", "stems/abc/x"}
    assert door.http.get("/v1/separations/abcd").json()["state"] == "succeeded"
    replica.wait_ready()


def test_a_request_of_anothers_place_takes_nothing_from_there(platform: Platform, door: Gateway, song: str) -> None:
    """A request that names a prefix is forgotten in that place, unless another request's stems stand there."""
    platform.start_replica().wait_ready()
    request: SeparationRequest = platform.a_request(song, request_id="p1")
    object.__setattr__(request.output, "prefix", "elsewhere/")
    platform.send(platform.codec.encode(request), "p1")
    assert isinstance(platform.outcomes(1)[0], SeparationResult)
    wait_for(lambda: door.http.get("/v1/separations/p1").json()["done"])
    assert platform.objects("elsewhere/p1/")
    assert forget(door.http, "p1").status_code == 200
    assert left(platform) == set()
