"""Receivers of webhooks, and files of endpoints that name them."""

import base64
import json
import secrets
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks import Webhook

# Settings of a process that tells receivers on this machine, with short waits.
LOCAL = {
    "WEBHOOKS_ALLOW_HTTP": "true",
    "WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
    "WEBHOOKS_FIRST_WAIT_S": "200ms",
    "WEBHOOKS_LONGEST_WAIT_S": "1s",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it came. headers have lower-case names."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, object]:
        """What it says, once the second implementation of the format has found the signature right."""
        content: dict[str, object] = Webhook(secret).verify(self.body, dict(self.headers))
        return content

    @property
    def request_id(self) -> str:
        """Of the job that it tells of, unverified."""
        return str(json.loads(self.body)["data"]["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """pieces: a body without length, each of them sent a tenth of a second after the one before."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None


@dataclass(slots=True, kw_only=True)
class Receiver:
    """answer: says what to answer to a call, given how often its webhook-id came to that path before."""

    port: int
    scheme: str
    answer: Callable[[Call, int], Answer]
    calls: list[Call] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _before: Counter[tuple[str, str]] = field(default_factory=Counter)

    def url(self, path: str = "/", host: str = "localhost") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Call]:
        """The calls to a path so far."""
        with self.lock:
            return [call for call in self.calls if call.path == path]

    def told(self, path: str) -> list[str]:
        """Of which jobs a path was told so far, repeats included."""
        return [call.request_id for call in self.at(path)]

    def take(self, call: Call) -> Answer:
        with self.lock:
            self.calls.append(call)
            before = self._before[call.path, call.headers.get("webhook-id", "")]
            self._before[call.path, call.headers.get("webhook-id", "")] += 1
        return self.answer(call, before)


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # whoever called was ended in the middle: nothing was told
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.receiver.take(Call(path=self.path, headers=headers, body=body))
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.pieces is None:
                self.send_header("Content-Length", "0")
            self.end_headers()
            for piece in answer.pieces or ():
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:  # whoever called has heard enough
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Callers that refuse a certificate hang up."""


@contextmanager
def receiver(
    answer: Callable[[Call, int], Answer] = lambda *_: Answer(),
    *,
    certificate: tuple[Path, Path] | None = None,
    port: int = 0,
) -> Iterator[Receiver]:
    """A receiver on 127.0.0.1; by TLS where it is given the files of a certificate and its key."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", port), handler)
    found = Receiver(port=server.server_address[1], scheme="https" if certificate else "http", answer=answer)
    handler.receiver = found  # type: ignore[attr-defined]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.sni_callback = lambda _, name, __: found.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def a_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def an_endpoint(endpoint_id: str, url: str, *signing: str, tenant: str | None = "acme") -> dict[str, object]:
    """An entry of the file; with a secret of its own where none is given."""
    return {"id": endpoint_id, "tenant": tenant, "url": url, "secrets": list(signing) or [a_secret()]}


def write_endpoints(path: Path, endpoints: Sequence[Mapping[str, object]]) -> Path:
    """The file, replaced in one step as an operator's tool would."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"version": 1, "endpoints": list(endpoints)}))
    new.replace(path)
    return path
