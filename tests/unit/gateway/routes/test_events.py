"""How streams stand in the API's description."""

import pytest
from fastapi import FastAPI

from consumer.gateway.routes import events


@pytest.mark.parametrize("path", ["/v1/events", "/v1/separations/{id}/events"])
def test_a_stream_is_described(path: str) -> None:
    """One media type, and the header by which it is resumed."""
    api = FastAPI()
    api.include_router(events.router)
    operation = api.openapi()["paths"][path]["get"]
    assert list(operation["responses"]["200"]["content"]) == ["text/event-stream"]
    headers = {each["name"].lower() for each in operation["parameters"] if each["in"] == "header"}
    assert headers == {"last-event-id"}
