"""A proxy in front of an object store that answers the requests of one kind itself, as a store in trouble would."""

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as the proxy sees it; `words` are the names in its query."""

    method: str
    bucket: str
    key: str
    words: frozenset[str]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer that the store itself did not give."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def s3_error(status: int, code: str, **headers: str) -> Fault:
    """As S3 tells of an error."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>x</Message></Error>'
    return Fault(status=status, body=body.encode(), headers={"Content-Type": "application/xml", **headers})


class StoreFaults:
    """The proxy, at `endpoint` while its block lasts.

    `fault` is asked at each request; where it returns None, the store at `upstream` answers, who is not told of the
    headers that `without` names in small letters. `seen` holds all requests.
    """

    def __init__(self, upstream: str) -> None:
        self.fault: Callable[[Request], Fault | None] = lambda request: None
        self.without: Callable[[Request], frozenset[str]] = lambda request: frozenset()
        self.seen: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, upstream))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(faults: StoreFaults, upstream: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body would wait 40 ms for its header to be acknowledged

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = _parsed(self.command, self.path, dict(self.headers.items()))
            faults.seen.append(request)
            if fault := faults.fault(request):
                self._reply(fault.status, fault.headers, fault.body)
                return
            connection = http.client.HTTPConnection(upstream, timeout=30)
            try:
                left_out = faults.without(request)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                self._reply(answer.status, dict(answer.getheaders()), answer.read())
            finally:
                connection.close()

        def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in _HOP_BY_HOP and (name.lower() != "content-length" or self.command == "HEAD"):
                    self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            elif "content-length" not in {name.lower() for name in headers}:
                self.send_header("Content-Length", "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


def _parsed(method: str, target: str, headers: Mapping[str, str]) -> Request:
    url = urlsplit(target)
    bucket, _, key = url.path.lstrip("/").partition("/")
    words = frozenset(parse_qs(url.query, keep_blank_values=True))
    return Request(method=method, bucket=bucket, key=key, words=words, headers=headers)
