"""An answer that goes on until its events end, or its client does."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

from starlette.responses import Response

from consumer.gateway.middleware import Receive, Scope, Send
from consumer.observability.connections import ClientGone

MEDIA_TYPE = "text/event-stream"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # the latter: nginx holds answers back otherwise
_TAKE_S = 30.0  # for a client to make room for what follows


class EventStreamResponse(Response):
    """chunks: the stream. What its first one raises is answered in its place.

    Whoever reads too slowly holds one chunk and what the connection buffers, and is dropped when it takes nothing.
    """

    media_type = MEDIA_TYPE

    def __init__(self, chunks: AsyncGenerator[bytes, None], *, take_s: float = _TAKE_S) -> None:
        super().__init__(status_code=HTTPStatus.OK, headers=_HEADERS)
        del self.headers["content-length"]
        self._chunks, self._take_s = chunks, take_s

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            first = await anext(chunks)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send(first, send)
            async for chunk in chunks:
                await self._send(chunk, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, chunk: bytes, send: Send) -> None:
        try:
            async with asyncio.timeout(self._take_s):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            raise ClientGone from None
