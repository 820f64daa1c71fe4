"""A server on this machine that answers as it is told to, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PROBLEM = {"Content-Type": "application/problem+json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was asked. headers: by names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered. cut: after how many bytes of the body the connection is closed; None: it is sent whole.

    status 0: the connection is closed without an answer.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None

    @classmethod
    def of(cls, document: object, status: int = 200, **headers: str) -> Self:
        """JSON; underscores in the headers' names stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        told = {"Content-Type": "application/json", **named}
        return cls(status=status, headers=told, body=json.dumps(document).encode())

    @classmethod
    def problem(cls, status: int, code: str, detail: str = "told", **headers: str) -> Self:
        """A problem document (RFC 9457)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"type": "about:blank", "title": "-", "status": status, "detail": detail, "instance": "-", "code": code}
        return cls(status=status, headers={**PROBLEM, **named}, body=json.dumps(body).encode())


HANG_UP = Reply(status=0)
Answer = Reply | Callable[[Seen], Reply]


class Door:
    """Its answers are given in their order; the last one again and again."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server, self._lock = server, threading.Lock()
        self._answers: list[Answer] = []
        self.seen: list[Seen] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, *answers: Answer) -> None:
        """What is answered from now on."""
        with self._lock:
            self._answers = list(answers)

    def reply_to(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, Reply) else answer(seen)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256  # connections that many clients open at once

    def handle_error(self, *_: Any) -> None:
        """Nothing: who asked has hung up."""


@contextmanager
def open_door() -> Iterator[Door]:
    """One that listens until the end of this."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(door.reply_to(Seen(method=self.command, path=self.path, headers=headers, body=body)))

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 - their names

        def _send(self, reply: Reply) -> None:
            self.close_connection = reply.status == 0 or reply.cut is not None
            if reply.status == 0:
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            with suppress(OSError):  # who asked may be gone
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    door = Door(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
