"""How a stream is answered: what its first chunk raises comes before any byte, and nobody waits for a client."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from consumer.gateway.events.response import EventStreamResponse
from consumer.observability.connections import ClientGone

Sent = list[MutableMapping[str, Any]]


def answer(response: EventStreamResponse, sent: Sent, takes: int = 100) -> None:
    """Run it for a client that takes so many messages, and then none."""

    async def send(message: MutableMapping[str, Any]) -> None:
        if len(sent) >= takes:
            await asyncio.sleep(3600)
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError("it has no body to read")

    asyncio.run(response({"type": "http"}, receive, send))


async def chunks(closed: list[bool], *parts: bytes | Exception) -> AsyncGenerator[bytes, None]:
    try:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part
    finally:
        closed.append(True)


def test_it_is_sent_as_it_comes_and_ends() -> None:
    """One message a chunk, and one that says that this was all."""
    sent: Sent = []
    answer(EventStreamResponse(chunks([], b"one", b"two")), sent)
    headers = dict(sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"content-length" not in headers
    assert [(each["body"], each["more_body"]) for each in sent[1:]] == [(b"one", True), (b"two", True), (b"", False)]


def test_what_stands_against_it_comes_first() -> None:
    """Nothing was sent, so a problem can be answered."""
    sent: Sent = []
    with pytest.raises(KeyError):
        answer(EventStreamResponse(chunks([], KeyError("no"))), sent)
    assert sent == []


def test_a_client_that_takes_nothing_is_let_go() -> None:
    """And its stream is closed, with whatever place it had."""
    sent: Sent = []
    closed: list[bool] = []
    with pytest.raises(ClientGone):
        answer(EventStreamResponse(chunks(closed, b"one", b"two", b"three"), take_s=0.01), sent, takes=2)
    assert (len(sent), closed) == (2, [True])
