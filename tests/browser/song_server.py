"""A gateway's answers about one job whose stems were made up: any length, any format, served by Range, broken at will.

What a stem holds is a formula, so a track of hours takes no space, and each sample's value is known beforehand.
"""

import json
import re
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from consumer.gateway.page.files import page_files

JOB = "made-up"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stems</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/page/icon.svg">
<link rel="stylesheet" href="/page/shell.css"><link rel="stylesheet" href="/page/player.css"></head>
<body><main class="frame"><h1>A song</h1><div id="player"></div></main></body></html>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WavStem:
    """Noise made from a seed, in a WAVE file of 16-bit samples that is never made as a whole."""

    name: str
    seed: int
    frames: int
    rate_hz: int = 44100
    channels: int = 2

    @property
    def file_name(self) -> str:
        """As in the store."""
        return f"{self.name}.wav"

    @property
    def duration_s(self) -> float:
        """Seconds."""
        return self.frames / self.rate_hz

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return len(self.header()) + 2 * self.channels * self.frames

    def header(self) -> bytes:
        """Of the file, with a chunk in front of the samples that nobody has to know."""
        data_bytes = 2 * self.channels * self.frames
        head = struct.pack(
            "<4sIHHIIHH", b"fmt ", 16, 1, self.channels, self.rate_hz, 2 * self.channels * self.rate_hz,
            2 * self.channels, 16,
        )  # fmt: skip
        extra = struct.pack("<4sI4s", b"LIST", 3, b"abc\0")
        rest = head + extra + struct.pack("<4sI", b"data", data_bytes)
        return struct.pack("<4sI4s", b"RIFF", 4 + len(rest) + data_bytes, b"WAVE") + rest

    def samples(self, start: int, count: int) -> NDArray[np.int16]:
        """int16 (count, channels): what the file holds from the frame `start` on."""
        at = np.arange(start, start + count, dtype=np.int64)
        # The frame's own number is mixed in, so that no two moments of a track are alike.
        mono = at * (2 * self.seed + 3) + (at >> 11) * 7919
        levels = [(mono + channel * 12345) % 30011 - 15005 for channel in range(self.channels)]
        made: NDArray[np.int16] = np.stack(levels, axis=1).astype("<i2")
        return made

    def read(self, first: int, last: int) -> bytes:
        """The file's bytes from `first` to `last`, both included."""
        header, step = self.header(), 2 * self.channels
        begin = max(0, first - len(header)) // step
        end = max(0, last + 1 - len(header) + step - 1) // step
        content = self.samples(begin, end - begin).tobytes() if end > begin else b""
        if first < len(header):
            return (header[first:] + content)[: last + 1 - first]
        skip = first - len(header) - begin * step
        return content[skip : skip + last + 1 - first]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStem:
    """A file's bytes as they are."""

    file_name: str
    content: bytes
    duration_s: float

    @property
    def name(self) -> str:
        """The stem's."""
        return self.file_name.partition(".")[0]

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return len(self.content)

    def read(self, first: int, last: int) -> bytes:
        """The file's bytes from `first` to `last`, both included."""
        return self.content[first : last + 1]


Stem = WavStem | FileStem
Fault = Callable[["Song", str, Any], bool]


def no_fault(song: "Song", path: str, handler: BaseHTTPRequestHandler) -> bool:
    """All is answered."""
    return False


@dataclass(slots=True, kw_only=True)
class Song:
    """url: the server's. fault: is asked before each answer, by path, and has answered itself where it says so.

    asked: each request's path, and its Range if it has one. keys: of those requests, the key that came along.
    """

    url: str
    stems: Mapping[str, Any]
    overviews: Mapping[str, list[float]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    policy: str = _POLICY
    fault: Fault = no_fault
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def job(self) -> dict[str, Any]:
        """What GET /v1/separations/{id} would say."""
        stems = [
            {
                "name": name, "bucket": "out", "key": f"stems/{JOB}/{stem.file_name}", "size_bytes": stem.size_bytes,
                "duration_s": stem.duration_s,
            }
            for name, stem in self.stems.items()
        ]  # fmt: skip
        return {"id": JOB, "state": "succeeded", "done": True, "result": {"stems": stems}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    song: Song
    extra: Mapping[str, str] = {}

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.song.asked.append((path, self.headers.get("Range")))
        self.song.keys.append(self.headers.get("X-API-KEY"))
        if self.song.fault(self.song, path, self):
            return
        if path == "/":
            self.answer(200, _PAGE.encode(), "text/html; charset=utf-8")
        elif path.startswith("/page/"):
            self._file(path.removeprefix("/page/"))
        elif path.endswith("/waveform"):
            self.document({"duration_s": 0, "stems": dict(self.song.overviews)})
        elif found := re.fullmatch(rf"/v1/separations/{JOB}/stems/(\w+)/link", path):
            own = f"/v1/separations/{JOB}/stems/{found[1]}"
            self.document({"url": self.song.links.get(found[1], own), "expires_at": None})
        elif found := re.fullmatch(rf"/v1/separations/{JOB}/stems/(\w+)", path):
            self._stem(self.song.stems[found[1]])
        else:
            self.problem(404, "NOT_FOUND")

    def answer(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        told = {
            "Content-Type": kind, "Content-Length": str(len(content)), "Content-Security-Policy": self.song.policy,
            "Cache-Control": "no-store",
        }  # fmt: skip
        for name, value in {**told, **headers, **self.extra}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def document(self, told: object) -> None:
        self.answer(200, json.dumps(told).encode(), "application/json")

    def problem(self, status: int, code: str) -> None:
        self.answer(status, json.dumps({"code": code, "title": code}).encode(), "application/problem+json")

    def _file(self, name: str) -> None:
        file = self.files.get(name)
        if file is None:
            self.problem(404, "NOT_FOUND")
        else:
            self.answer(200, file.content, file.media_type)

    def _stem(self, stem: Stem) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2])) if asked else (0, stem.size_bytes - 1)
        if first >= stem.size_bytes:
            self.problem(416, "RANGE_NOT_SATISFIABLE")
            return
        last = min(last, stem.size_bytes - 1)
        told = {"Content_Range": f"bytes {first}-{last}/{stem.size_bytes}"} if asked else {}
        told["Content_Disposition"] = f'attachment; filename="{stem.file_name}"'
        self.answer(206 if asked else 200, stem.read(first, last), "audio/wav", **told)

    @cached_property
    def files(self) -> Mapping[str, Any]:
        return page_files()

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: who looks asks the song."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a player that is moved drops what it has asked for."""


@contextmanager
def served(*stems: Stem, **options: Any) -> Iterator[Song]:
    """A song of these stems; ended afterwards."""
    handler = type("Handler", (_Handler,), {"files": page_files()})
    server = _Server(("127.0.0.1", 0), handler)
    song = Song(url=f"http://127.0.0.1:{server.server_port}", stems={stem.name: stem for stem in stems}, **options)
    handler.song = song  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield song
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
