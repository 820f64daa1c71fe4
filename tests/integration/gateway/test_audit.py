"""The gateway's audit events, read from their topic as an auditor would."""

from typing import Any

from consumer.core.events import AuditEvent
from harness.gateway import KEY, Gateway
from harness.platform import Platform
from harness.waiting import wait_for


def told(platform: Platform) -> list[AuditEvent]:
    """All that the topic holds."""
    topic = platform.topic("AUDIT")
    return [platform.codec.decode(AuditEvent, record.value()) for record in platform.read_topic(topic)]


def test_decisions_are_told(platform: Platform, door: Gateway) -> None:
    """Who did what, and what came of it: accepted, refused, cancelled, keys used and refused; never a secret."""
    body: dict[str, Any] = {"source": {"bucket": platform.source_bucket, "key": "secret-song.mp3"}}
    job = door.http.post("/v1/separations", json=body).json()
    door.http.post("/v1/separations", json={"source": {"bucket": "elsewhere", "key": "secret-song.mp3"}})
    door.http.delete(f"/v1/separations/{job['id']}")
    with door.client(**{"X-API-KEY": "a-wrong-key-of-somebody"}) as stranger:
        stranger.get("/v1/separations")
    wanted = {
        ("key.used", "success", None, ""),
        ("separation.requested", "success", job["id"], ""),
        ("separation.requested", "denied", None, "BUCKET_NOT_ALLOWED"),
        ("separation.cancel_requested", "success", job["id"], ""),
        ("key.refused", "denied", None, "unknown"),
    }
    wait_for(lambda: len(told(platform)) >= len(wanted))
    events = told(platform)
    assert {(e.action, e.outcome, e.request_id, e.details.get("reason", "")) for e in events} == wanted
    assert len({event.event_id for event in events}) == len(events)
    assert {event.actor for event in events} == {"plain:1", "unknown"}
    for secret in (KEY, "a-wrong-key-of-somebody", "secret-song", "elsewhere"):
        assert secret not in repr(events)


def test_uploads_are_told(platform: Platform, door: Gateway) -> None:
    """Begun, put together and removed, by their ids; what was refused with the code, and nothing of the file."""
    content = b"RIFF" + bytes(96)
    begun = door.http.post("/v1/uploads", json={"size_bytes": len(content)}).json()
    upload = f"/v1/uploads/{begun['upload_id']}"
    early = door.http.post(f"{upload}/complete")
    assert early.json()["code"] == "UPLOAD_INCOMPLETE"
    part = begun["parts"][0]["url"]
    assert door.http.put(part, content=content).status_code == 204
    assert door.http.post(f"{upload}/complete").status_code == 200
    assert door.http.delete(upload).status_code == 204
    assert door.http.delete(upload).status_code == 404
    too_large = door.http.post("/v1/uploads", json={"size_bytes": 1 << 50})
    assert too_large.json()["code"] == "OBJECT_TOO_LARGE"
    of_it = {"upload_id": begun["upload_id"]}
    wanted = [
        ("key.used", "success", {}),
        ("upload.requested", "success", of_it),
        ("upload.completed", "denied", {"reason": "UPLOAD_INCOMPLETE", **of_it}),
        ("upload.completed", "success", of_it),
        ("upload.removed", "success", of_it),
        ("upload.removed", "denied", {"reason": "NOT_FOUND", **of_it}),
        ("upload.requested", "denied", {"reason": "OBJECT_TOO_LARGE"}),
    ]
    wait_for(lambda: len(told(platform)) >= len(wanted))
    events = told(platform)
    assert sorted(((e.action, e.outcome, e.details) for e in events), key=repr) == sorted(wanted, key=repr)
    assert {event.actor for event in events} == {"plain:1"}
    assert {event.request_id for event in events} == {None}
