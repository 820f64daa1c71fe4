"""The gateway's audit events, read from their topic as an auditor would."""

from typing import Any

from consumer.core.events import AuditEvent
from harness.gateway import KEY, Gateway
from harness.platform import Platform, wait_for


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
