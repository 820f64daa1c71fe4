"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

import json
from collections.abc import Mapping
from typing import Any

_RETRY_MS = 1000  # before a client connects again


def beginning(event_id: str) -> bytes:
    """What comes first: an id without an event, so that also who has seen none yet resumes from here."""
    return f"retry: {_RETRY_MS}\nid: {event_id}\n\n".encode()


def event(name: str, event_id: str, data: Mapping[str, Any]) -> bytes:
    """One event; JSON has no line ends of its own."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\nid: {event_id}\ndata: {text}\n\n".encode()


def keep_alive(event_id: str) -> bytes:
    """Nothing happened, and how far that is known: whoever resumes much later need not begin so far back."""
    return f": keep-alive\nid: {event_id}\n\n".encode()
