"""Stems on their way to local files: gone on with after a cut, and checked before they get their names."""

import hashlib
import re
import uuid
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from consumer.client.errors import GatewayUnavailable, RequestRefused
from consumer.client.http.answers import Answer, failure_of, trouble_of
from consumer.client.http.connection import Connection, Opened
from consumer.core.errors import Code, ConsumerError, Rejected
from consumer.core.events import Stem

_NAME = re.compile(r"\w[\w-]{0,31}")
_FROM = re.compile(r"bytes (\d+)-")
_GONE = frozenset({404, 410})
_MOST_OF_A_PROBLEM_BYTES = 64 << 10


class Downloads:
    """As thread-safe as its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._wire = connection, connection.wire

    async def fetch(self, request_id: str, stems: Iterable[Stem], folder: Path) -> dict[str, Path]:
        """Fetch stems to <folder>/<stem>.<extension>, each checked against its digest; returns the files by stem.

        A file gets its name only when it is whole. Raises Rejected(OBJECT_NOT_FOUND, OBJECT_CHANGED), AccessDenied,
        GatewayUnavailable, ClientClosed, OSError.
        """
        await self._wire.apart(partial(folder.mkdir, parents=True, exist_ok=True))
        return {stem.name: await self._fetch(request_id, stem, folder) for stem in stems}

    async def _fetch(self, request_id: str, stem: Stem, folder: Path) -> Path:
        # A name in a document is a stranger's word: it may name a file in this folder, and nothing else.
        if not _NAME.fullmatch(stem.name):
            raise Rejected(Code.OBJECT_NOT_FOUND, "a stem has no name that a file may have")
        path = folder / f"{stem.name}{Path(stem.key).suffix}"
        unnamed = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")
        try:
            file = await self._wire.apart(lambda: unnamed.open("xb"))
            try:
                await self._fill(_Partial(file, stem), f"/v1/separations/{request_id}/stems/{quote(stem.name)}")
            finally:
                await self._wire.apart(file.close)
            await self._wire.apart(lambda: unnamed.replace(path))
        finally:
            await self._wire.apart(partial(unnamed.unlink, missing_ok=True))
        return path

    async def _fill(self, found: "_Partial", place: str) -> None:
        tries = self._connection.tries()
        while not found.is_full:
            before_bytes = found.size_bytes
            try:
                await self._go_on(found, place)
            except GatewayUnavailable as trouble:
                if found.size_bytes > before_bytes:
                    tries.begin_anew()
                wait_s = tries.failed(trouble)
            else:
                continue
            await self._connection.pause(wait_s)
        found.check()

    async def _go_on(self, found: "_Partial", place: str) -> None:
        """Raises GatewayUnavailable where it was cut, too: what came until then is kept."""
        async with aclosing(self._pieces(found, place)) as pieces:
            while (piece := await _next(pieces)) is not None:
                await self._wire.apart(partial(found.write, piece))
        if not found.is_full:
            raise GatewayUnavailable("the gateway can't be reached (it hung up)", may_pass=True)

    async def _pieces(self, found: "_Partial", place: str) -> AsyncGenerator[bytes, None]:
        begin = found.size_bytes
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
        async with self._connection.open(place, headers) as opened:
            head = opened.arrived.head
            if head.status_code == 206:
                span = _FROM.match(head.headers.get("Content-Range", ""))
                if span is None or int(span[1]) != begin:
                    raise found.changed()
            elif head.status_code == 200:
                await self._wire.apart(found.begin_anew)  # whoever answers knows no parts
            else:
                raise await self._failure(opened, found)
            async with aclosing(opened.arrived.pieces(as_sent=True)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _failure(self, opened: Opened, found: "_Partial") -> ConsumerError:
        """What an answer without the bytes means. It may be that of a store that the gateway has sent us to."""
        head = opened.arrived.head
        status = head.status_code
        if status in _GONE:
            return Rejected(Code.OBJECT_NOT_FOUND, f"the stem {found.stem.name} is not there any more")
        if status == 416:
            return found.changed()
        answer = Answer(status=status, headers=head.headers, body=await _first(opened, _MOST_OF_A_PROBLEM_BYTES))
        failure = failure_of(answer, self._connection.clock.now())
        # Another replica's index may be behind, and a link to a store grows old: the gateway gives a new one.
        is_behind = isinstance(failure, RequestRefused) and failure.code == "UNFINISHED"
        if is_behind or opened.is_elsewhere:
            return GatewayUnavailable(f"a stem can't be had now ({status})", may_pass=True, status=status)
        return failure


async def _next(pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    """The next piece; None where there is none. Raises GatewayUnavailable where the connection is cut."""
    try:
        return await anext(pieces, None)
    except ConsumerError:
        raise
    except Exception as error:  # httpx2 has no root of all that it raises, and sockets and TLS have their own
        raise trouble_of(error) from error


async def _first(opened: Opened, most_bytes: int) -> bytes:
    data = bytearray()
    async with aclosing(opened.arrived.pieces()) as pieces:
        async for piece in pieces:
            data += piece
            if len(data) >= most_bytes:
                break
    return bytes(data)


class _Partial:
    """What is there of a stem, from its beginning on."""

    def __init__(self, file: BinaryIO, stem: Stem) -> None:
        self._file, self.stem = file, stem
        self._digest, self.size_bytes = hashlib.sha256(), 0

    @property
    def is_full(self) -> bool:
        """Whether as much came as the stem has."""
        return self.size_bytes >= self.stem.size_bytes

    def begin_anew(self) -> None:
        """Drop what is there."""
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.size_bytes = hashlib.sha256(), 0

    def write(self, piece: bytes) -> None:
        """Raises Rejected(OBJECT_CHANGED) as soon as it is more than it may be; OSError."""
        self.size_bytes += len(piece)
        if self.size_bytes > self.stem.size_bytes:
            raise self.changed()
        self._digest.update(piece)
        self._file.write(piece)

    def check(self) -> None:
        """Raises Rejected(OBJECT_CHANGED) where it is not what the result tells of."""
        if self._digest.hexdigest() != self.stem.sha256:
            raise self.changed()

    def changed(self) -> Rejected:
        return Rejected(Code.OBJECT_CHANGED, f"the stem {self.stem.name} is not the one that the result tells of")
