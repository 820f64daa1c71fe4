"""A client that does not read, on a real connection."""

import asyncio
import socket
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import closing
from typing import Any

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from consumer.gateway.events.response import EventStreamResponse
from consumer.gateway.middleware import Receive, RequestScope, Scope, Send
from consumer.gateway.server import GatewayServer
from consumer.observability.health import Health
from consumer.observability.site import Site
from consumer.observability.tracing import NoTracer

PATIENCE_S = 60.0
CHUNK = b"x" * 65536


def test_who_does_not_read_is_let_go_without_a_word() -> None:
    """The connection ends, the stream is closed, what it had made is bounded, and the log holds no error of ours."""
    made, is_closed = 0, asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal made
        try:
            while True:
                made += len(CHUNK)
                yield CHUNK
        finally:
            is_closed.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await EventStreamResponse(chunks(), take_s=0.1)(scope, receive, send)

    def report(*_: Any) -> None:
        """Nobody asks."""

    async def run() -> list[MutableMapping[str, Any]]:
        site = Site(Health(live={}, ready={}, started={}), CollectorRegistry())
        server = GatewayServer(
            RequestScope(app, report, NoTracer()), site, host="127.0.0.1", port=0, clients=4, stop_s=1.0
        )
        serving = asyncio.create_task(server.serve())
        with capture_logs() as logs, closing(socket.create_connection(("127.0.0.1", server.port))) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(PATIENCE_S):
                while not is_closed.is_set():
                    await asyncio.sleep(0.01)
                while server.connections:
                    await asyncio.sleep(0.01)
        server.stop()
        await serving
        return logs

    logs = asyncio.run(run())
    assert logs == []
    assert made < 64 * 2**20
