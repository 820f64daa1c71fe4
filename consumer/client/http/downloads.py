"""Stems on their way to local files: gone on with after a cut, and checked before they get their names."""

import hashlib
import re
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
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
    """Thread-safe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def fetch(self, request_id: str, stems: Iterable[Stem], folder: Path) -> dict[str, Path]:
        """Fetch stems to <folder>/<stem>.<extension>, each checked against its digest; returns the files by stem.

        A file gets its name only when it is whole. Raises Rejected(OBJECT_NOT_FOUND, OBJECT_CHANGED), AccessDenied,
        GatewayUnavailable, ClientClosed, OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return {stem.name: self._fetch(request_id, stem, folder) for stem in stems}

    def _fetch(self, request_id: str, stem: Stem, folder: Path) -> Path:
        # A name in a document is a stranger's word: it may name a file in this folder, and nothing else.
        if not _NAME.fullmatch(stem.name):
            raise Rejected(Code.OBJECT_NOT_FOUND, "a stem has no name that a file may have")
        path = folder / f"{stem.name}{Path(stem.key).suffix}"
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")
        try:
            with partial.open("xb") as file:
                self._fill(_Partial(file, stem), f"/v1/separations/{request_id}/stems/{quote(stem.name)}")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def _fill(self, partial: "_Partial", place: str) -> None:
        tries = self._connection.tries()
        while not partial.is_full:
            before_bytes = partial.size_bytes
            try:
                self._go_on(partial, place)
            except GatewayUnavailable as trouble:
                if partial.size_bytes > before_bytes:
                    tries.begin_anew()
                tries.failed(trouble)
        partial.check()

    def _go_on(self, partial: "_Partial", place: str) -> None:
        """Raises GatewayUnavailable where it was cut, too: what came until then is kept."""
        with closing(self._pieces(partial, place)) as pieces:
            while (piece := _next(pieces)) is not None:
                partial.write(piece)
        if not partial.is_full:
            raise GatewayUnavailable("the gateway can't be reached (it hung up)", may_pass=True)

    def _pieces(self, partial: "_Partial", place: str) -> Generator[bytes, None, None]:
        begin = partial.size_bytes
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={begin}-"} if begin else {})
        with self._connection.open(place, headers) as opened:
            response = opened.response
            if response.status_code == 206:
                found = _FROM.match(response.headers.get("Content-Range", ""))
                if found is None or int(found[1]) != begin:
                    raise partial.changed()
            elif response.status_code == 200:
                partial.begin_anew()  # whoever answers knows no parts
            else:
                raise self._failure(opened, partial)
            yield from response.iter_raw()

    def _failure(self, opened: Opened, partial: "_Partial") -> ConsumerError:
        """What an answer without the bytes means. It may be that of a store that the gateway has sent us to."""
        status = opened.response.status_code
        if status in _GONE:
            return Rejected(Code.OBJECT_NOT_FOUND, f"the stem {partial.stem.name} is not there any more")
        if status == 416:
            return partial.changed()
        body = b"".join(_first(opened.response.iter_bytes(), _MOST_OF_A_PROBLEM_BYTES))
        answer = Answer(status=status, headers=opened.response.headers, body=body)
        failure = failure_of(answer, self._connection.clock.now())
        # Another replica's index may be behind, and a link to a store grows old: the gateway gives a new one.
        is_behind = isinstance(failure, RequestRefused) and failure.code == "UNFINISHED"
        if is_behind or opened.is_elsewhere:
            return GatewayUnavailable(f"a stem can't be had now ({status})", may_pass=True, status=status)
        return failure


def _next(pieces: Iterator[bytes]) -> bytes | None:
    """The next piece; None where there is none. Raises GatewayUnavailable where the connection is cut."""
    try:
        return next(pieces, None)
    except ConsumerError:
        raise
    except Exception as error:  # httpx2 has no root of all that it raises, and sockets and TLS have their own
        raise trouble_of(error) from error


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


def _first(pieces: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    size_bytes = 0
    for piece in pieces:
        size_bytes += len(piece)
        yield piece
        if size_bytes >= most_bytes:
            return
