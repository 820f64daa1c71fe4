"""A form of two parts, `request` and `file`, read as it comes: nothing of it is kept here."""

from collections.abc import AsyncGenerator, AsyncIterator
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from consumer.gateway.problems import Problem

MEDIA_TYPE = "multipart/form-data"
PARTS = ("request", "file")
_MAX_HEADER_BYTES, _MAX_HEADERS = 4096, 8
_MAX_BOUNDARY = 70  # RFC 2046, 5.1.1
_MAX_EPILOGUE_BYTES = 64 << 10  # what follows the last boundary is to be ignored (RFC 2046, 5.1.1), within reason
OVERHEAD_BYTES = 64 << 10
"""More than headers and boundaries take."""


def boundary_of(content_type: str) -> str:
    """Raises Problem, 400, where there is no proper one."""
    boundary: str = parse_options_header(content_type)[1].get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
        raise broken("Content-Type names no boundary")
    return boundary


class Form:
    """One part after the other, in the order in which they have to come. Each has to be read to its end."""

    def __init__(self, chunks: AsyncIterator[bytes], boundary: str) -> None:
        self._events = _events(chunks, boundary)

    async def next_part(self, name: str, *media_types: str) -> None:
        """Go to the part of that name. Raises Problem: 400 where another one comes, or none; 415 for its type.

        media_types: those that it may name; whichever, where there are none. A part need not name any.
        """
        found = await anext(self._events, None)
        if not isinstance(found, MultipartSegment) or found.name != name:
            raise broken(f"the form must have the part {name} here; it has {' and '.join(PARTS)}, in that order")
        if media_types and found.content_type is not None and found.content_type not in media_types:
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE",
                f"the part {name} must be {' or '.join(media_types)}",
            )  # fmt: skip

    async def data(self) -> AsyncIterator[bytes]:
        """What is in the part. Raises Problem: 400, and what the body's chunks raise."""
        async for event in self._events:
            if not isinstance(event, bytes | bytearray):
                return
            yield bytes(event)

    async def end(self) -> None:
        """Nothing may follow. Raises Problem: 400, and what the body's chunks raise."""
        async for _ in self._events:
            raise broken("the form has more parts than it may have")

    async def aclose(self) -> None:
        """Read no more of it."""
        await self._events.aclose()


async def _events(chunks: AsyncIterator[bytes], boundary: str) -> AsyncGenerator[Any, None]:
    """For each part its headers, its data, and None."""
    parser = PushMultipartParser(
        boundary,
        max_header_size=_MAX_HEADER_BYTES,
        max_header_count=_MAX_HEADERS,
        max_segment_count=len(PARTS),
        strict=True,
    )
    ended, epilogue_bytes = 0, 0
    try:
        async for chunk in chunks:
            if ended == len(PARTS):  # the parser would have complained of a further one
                epilogue_bytes += len(chunk)
                if epilogue_bytes > _MAX_EPILOGUE_BYTES:
                    raise broken("too much follows the form")
                continue
            for event in parser.parse(chunk):
                ended += event is None
                yield event
        parser.close()
    except MultipartError as error:
        raise broken(_told(error)) from None


def _told(error: MultipartError) -> str:
    for words, told in _WORDS.items():
        if words in str(error):
            return told
    return "the form can't be read"


_WORDS = MappingProxyType({
    "Maximum segment header": f"a part has {_MAX_HEADERS} headers of {_MAX_HEADER_BYTES} bytes at most",
    "Maximum segment count": f"the form has {len(PARTS)} parts: {' and '.join(PARTS)}",
    "Unexpected end": "the form ends before its last boundary",
})  # fmt: skip


def broken(detail: str) -> Problem:
    """Of a form that can't be read."""
    return Problem(HTTPStatus.BAD_REQUEST, "BODY_INVALID", detail)
